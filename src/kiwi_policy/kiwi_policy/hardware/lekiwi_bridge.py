"""Between the executor and LeRobot's `lekiwi_host`: passes the state on, the pictures and the commands.

It runs in a thread of its own, waits for neither side, and brings the base to rest when either falls silent.
"""

import time
from dataclasses import dataclass

import zmq

from kiwi_policy.hardware.command_gate import CommandGate
from kiwi_policy.hardware.lekiwi_wire import WireError

POLL = 10               # ms
FAREWELLS, FAREWELL_INTERVAL = 3, 0.02      # commands of a base at rest at the end, s between them


@dataclass(frozen=True)
class BridgeStatus:
    """A bridge at one moment.

    Attributes:
        age: s since the newest observation came; infinite where none has.
        trouble: what is wrong with the host's messages; empty where they are right.
        observations, dropped: how many came, and how many of them a newer one overtook.
        refused: messages of the host in another format.
        cameras: names of the cameras in the newest observation.
        passed, late, rests: commands passed on, commands refused for their age, times the bridge brought
            the base to rest by itself.
        unsent: commands for which no host was connected.
        executor: whether an executor has been heard lately.
    """

    age: float
    trouble: str
    observations: int
    dropped: int
    refused: int
    cameras: tuple
    passed: int
    late: int
    rests: int
    unsent: int
    executor: bool


class Bridge:
    """Runs in one thread from `run` to its end; `status` may be asked from any.

    Args:
        host: `HostLink`.
        port: `ExecutorPort`.
        on_pictures: called with camera name -> JPEG as the host made it; must be quick.
        stale_after: s without an observation after which the base does not drive.
        command_timeout: s without a command of the executor after which the base is brought to rest.
    """

    def __init__(self, host, port, on_pictures, stale_after=0.25, command_timeout=0.15):
        self._host, self._port, self._on_pictures = host, port, on_pictures
        self._stale_after = stale_after
        self._gate = CommandGate(command_timeout)
        self._seen = -float('inf')
        self._trouble, self._cameras = '', ()
        self._observations = self._refused = self._unsent = 0

    def run(self, stopping):
        """Serve until the event `stopping` is set; the last thing sent is a base at rest."""
        poller = zmq.Poller()
        poller.register(self._host.observations, zmq.POLLIN)
        poller.register(self._port.fileno(), zmq.POLLIN)
        try:
            while not stopping.is_set():
                poller.poll(POLL)
                self._serve()
        finally:
            self._come_to_rest()
            self.close()

    def close(self):
        """Close both ends. `run` does so by itself."""
        self._port.close()
        self._host.close()

    def status(self):
        """The `BridgeStatus`."""
        now = time.monotonic()
        return BridgeStatus(
            now - self._seen, self._trouble, self._observations, self._host.dropped, self._refused, self._cameras,
            self._gate.passed, self._gate.late, self._gate.rests, self._unsent, self._port.serving(now))

    def _serve(self):
        self._take_observation()
        now = time.monotonic()
        command = self._port.receive(now)
        if command is not None:
            self._gate.offer(command.values, command.time, now)
        seen = now - self._seen <= self._stale_after
        if not seen:
            self._port.send_notice(self._why(), now)
        self._send(self._gate.due(now, seen))

    def _take_observation(self):
        try:
            observation = self._host.receive()
        except WireError as error:
            self._refused += 1
            self._trouble = str(error)
            return
        if observation is None:
            return
        now = time.monotonic()
        self._port.send_state(now, observation.state, now)
        self._seen, self._trouble = now, ''
        self._observations += 1
        self._cameras = tuple(observation.pictures)
        if observation.pictures:
            self._on_pictures(observation.pictures)

    def _send(self, values):
        if values is not None and not self._host.send(values):
            self._unsent += 1
            self._gate.forget()

    def _why(self):
        if self._trouble:
            return self._trouble
        if not self._observations:
            return f'no observation from {self._host.address} yet: is lekiwi_host running there?'
        return f'lekiwi_host on {self._host.address} is silent'

    def _come_to_rest(self):
        for _ in range(FAREWELLS):
            self._send(self._gate.last_rest())
            time.sleep(FAREWELL_INTERVAL)
