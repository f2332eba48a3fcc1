"""LeRobot's own lekiwi_host on a robot that is made up, a host that says what a test wants, and a running bridge."""

import contextlib
import json
import socket
import threading
import time

import numpy as np
import zmq

from kiwi_policy.core import features
from kiwi_policy.hardware.executor_port import ExecutorPort
from kiwi_policy.hardware.host_link import HostLink
from kiwi_policy.hardware.interface import HardwareError
from kiwi_policy.hardware.lekiwi_bridge import Bridge
from kiwi_policy.hardware.lekiwi_client import LeKiwiClientHardware

PATIENCE = 60.0         # s; bounds hangs only
STATE = np.array([1.5, -20.0, 30.0, 60.0, -90.0, 40.0, 0.0, 0.0, 0.0])


def wait_for(condition, seconds=PATIENCE):
    """Poll a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, 'the condition was not met in time'
        time.sleep(0.005)


def readable(executor):
    """Whether a `Hardware` tells its state."""
    try:
        return executor.read() is not None
    except HardwareError:
        return False


def free_ports():
    """Two ports that were free a moment ago."""
    with socket.socket() as one, socket.socket() as two:
        for probe in (one, two):
            probe.bind(('127.0.0.1', 0))
        return one.getsockname()[1], two.getsockname()[1]


class MadeUpRobot:
    """Stands in for LeRobot's `LeKiwi` in its host: fixed state, still pictures, notes the actions."""

    def __init__(self, pictures):
        self.cameras = dict.fromkeys(pictures)
        self.pictures, self.state = pictures, STATE.copy()
        self.actions, self.stops = [], 0
        self.over = threading.Event()

    def connect(self):
        pass

    def disconnect(self):
        pass

    def get_observation(self):
        if self.over.is_set():
            raise KeyboardInterrupt
        return dict(zip(features.NAMES, self.state.tolist())) | self.pictures

    def send_action(self, action):
        self.actions.append(action)
        return action

    def stop_base(self):
        self.stops += 1


class LeRobotHost:
    """The loop of the installed `lekiwi_host` in a thread, on a `MadeUpRobot`.

    Args:
        pictures: camera name -> uint8 (height, width, 3) RGB.
    """

    def __init__(self, pictures=None):
        self.ports = free_ports()
        self.robot = MadeUpRobot(pictures or {})
        self._thread = None

    def start(self):
        """Begin, or begin again after `end`, on the same ports."""
        from lerobot.robots.lekiwi import lekiwi_host
        from lerobot.robots.lekiwi.config_lekiwi import LeKiwiConfig, LeKiwiHostConfig

        config = lekiwi_host.LeKiwiServerConfig(
            robot=LeKiwiConfig(cameras={}), host=LeKiwiHostConfig(
                port_zmq_cmd=self.ports[0], port_zmq_observations=self.ports[1], connection_time_s=3600))
        real, lekiwi_host.LeKiwi = lekiwi_host.LeKiwi, lambda _config: self.robot
        self.robot.over.clear()
        self._thread = threading.Thread(target=lekiwi_host.main, args=(config,), daemon=True)
        self._thread.start()
        self._real = lekiwi_host, real
        return self

    def end(self):
        """As if it were interrupted."""
        self.robot.over.set()
        self._thread.join(PATIENCE)
        module, real = self._real
        module.LeKiwi = real


class PlayedHost:
    """A host of which a test says what it sends; it sends nothing by itself."""

    def __init__(self):
        self._context = zmq.Context()
        self._commands, self._observations = (self._context.socket(kind) for kind in (zmq.PULL, zmq.PUSH))
        self.ports = tuple(each.bind_to_random_port('tcp://127.0.0.1') for each in (self._commands, self._observations))

    def send(self, *frames):
        """Send an observation as it is, or drop it where nobody takes it, as lekiwi_host does."""
        with contextlib.suppress(zmq.Again):
            self._observations.send_multipart(list(frames), zmq.NOBLOCK)

    def send_state(self, values=STATE):
        """Send an observation without pictures."""
        self.send(json.dumps({'_cams': [], **dict(zip(features.NAMES, np.asarray(values).tolist()))}).encode())

    def commands(self):
        """(9,) of every command since the last call, oldest first."""
        found = []
        while True:
            try:
                command = json.loads(self._commands.recv(zmq.NOBLOCK))
            except zmq.Again:
                return found
            found.append(np.array([command[name] for name in features.NAMES]))

    def close(self):
        self._context.destroy(linger=0)


class Talk:
    """Sends states of a `PlayedHost` at 50 Hz while it lives."""

    def __init__(self, host):
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(host,), daemon=True)
        self._thread.start()

    def _run(self, host):
        while not self._over.wait(0.02):
            host.send_state()

    def end(self):
        self._over.set()
        self._thread.join(PATIENCE)


class RunningBridge:
    """A `Bridge` in its thread, between a host's ports and a socket in a folder."""

    def __init__(self, ports, folder, stale_after=5.0, command_timeout=0.15):
        self.path = folder / 'bridge'
        self.pictures = []
        self._stopping = threading.Event()
        self.bridge = Bridge(HostLink('127.0.0.1', *ports), ExecutorPort(self.path), self.pictures.append,
                             stale_after, command_timeout)
        self._thread = threading.Thread(target=self.bridge.run, args=(self._stopping,), daemon=True)
        self._thread.start()

    def executor(self, **options):
        """A `LeKiwiClientHardware`, patient unless asked otherwise, not yet connected."""
        return LeKiwiClientHardware(self.path, **{'stale_after': 5.0, 'connect_timeout': 30.0, **options})

    def end(self):
        self._stopping.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()
