"""The LeKiwi behind LeRobot's `lekiwi_host`, as the executor drives it.

The sockets to the host belong to the bridge process, since the pictures come through them too. This end
talks to the bridge over a Unix datagram socket that never blocks: a state that is too old is an error, and
so is a bridge that is not there.
"""

import logging
import socket
import time

import numpy as np

from kiwi_policy.core import features
from kiwi_policy.hardware import bridge_wire
from kiwi_policy.hardware.bridge_wire import Datagram, Kind
from kiwi_policy.hardware.command_gate import at_rest
from kiwi_policy.hardware.interface import HardwareError

logger = logging.getLogger(__name__)

KNOCK = 0.05            # s between two attempts to be heard by the bridge
FAREWELLS, MAX_FAREWELLS, FAREWELL_INTERVAL = 3, 15, 1.0 / 30.0
REST = np.array([0.02, 0.02, 5.0])      # m/s, m/s, deg/s: below these the base counts as resting
DRAIN = 1024            # datagrams taken at once at most


class LeKiwiClientHardware:
    """A LeKiwi behind the bridge. Implements `Hardware`.

    `read`, `write` and `hold` never wait; `connect` waits for a state for up to `connect_timeout` s, `close`
    half a second for the base to rest.

    Args:
        bridge_socket: path of the bridge's socket.
        stale_after: s; a state that came to the bridge longer ago is an error.
        connect_timeout: s.
    """

    limp = False        # the host keeps the torque on

    def __init__(self, bridge_socket, stale_after=0.25, connect_timeout=1.0):
        if not bridge_socket:
            raise ValueError('bridge_socket is empty: name the socket of lekiwi_bridge_node')
        if not stale_after > 0:
            raise ValueError(f'stale_after must be > 0 s, got {stale_after!r}')
        self.bridge_socket = str(bridge_socket)
        self.stale_after, self.connect_timeout = stale_after, connect_timeout
        self._socket = self._state = self._notice = self._goal = None

    def __enter__(self):
        self.connect()
        return self

    def __exit__(self, *_):
        self.close()

    def connect(self):
        """Reach the bridge and wait for a fresh state; the arm's goal becomes what it measures.

        Raises:
            HardwareError: no bridge, no host behind it, or another executor drives the robot.
        """
        if self._socket is not None:
            raise HardwareError(f'{self.bridge_socket} is already connected')
        self._state = self._notice = self._goal = None
        self._socket = socket.socket(
            socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        deadline = time.monotonic() + self.connect_timeout
        try:
            self._reach()
            while True:
                self._send(Kind.HELLO)
                try:
                    self._goal = at_rest(self.read())
                    return
                except HardwareError:
                    if time.monotonic() >= deadline:
                        raise
                time.sleep(KNOCK)
        except HardwareError:
            self._hang_up()
            raise

    def read(self):
        """The newest measured state, (9,) float64 in LeRobot's order and units.

        Raises:
            HardwareError: it is older than stale_after, naming its age.
        """
        self._drain()
        if self._state is None:
            raise HardwareError(f'no state of the robot from {self.bridge_socket}{self._because()}')
        age = time.monotonic() - self._state.time
        if not -self.stale_after <= age <= self.stale_after:
            raise HardwareError(f'the newest state of the robot is {age:.2f} s old, stale_after is '
                                f'{self.stale_after:.2f} s{self._because()}')
        return self._state.values.copy()

    def write(self, action):
        """Command goal positions and base velocity, (9,) finite values."""
        values = np.array(action, dtype=np.float64)
        if values.shape != (features.DIM,):
            raise HardwareError(f'an action has shape ({features.DIM},), got {values.shape}')
        bad = [f'{name}={value}' for name, value in zip(features.NAMES, values) if not np.isfinite(value)]
        if bad:
            raise HardwareError(f'refused an action with values that are not finite: {", ".join(bad)}')
        self._send(Kind.COMMAND, values)
        self._goal = values

    def hold(self):
        """Command the base to rest; the arm keeps its last goal, or where it was when it was reached."""
        if self._goal is None:
            raise HardwareError(f'{self.bridge_socket} is not connected: call connect() first')
        self._send(Kind.COMMAND, at_rest(self._goal))

    def release(self):
        """Not possible from here: `lekiwi_host` has no command for the torque. Raises HardwareError."""
        raise HardwareError('lekiwi_host has no command that releases the torque: end lekiwi_host, which releases it '
                            'unless it was started with --robot.disable_torque_on_disconnect=false')

    def engage(self):
        """Let the arm's goal be where it is, base at rest; the host keeps the torque on."""
        self._goal = at_rest(self.read())
        self.hold()

    def next_health(self):
        """None: the host tells no temperatures, loads or voltages."""
        return

    def close(self):
        """Bring the base to rest, verify it, and hang up; the host keeps the arm's torque on. Never raises."""
        if self._socket is None:
            return
        try:
            if self._goal is not None:
                self._come_to_rest()
        except HardwareError as error:
            logger.error('it is not certain that the base rests: %s', error)
        finally:
            self._hang_up()

    def _come_to_rest(self):
        began = time.monotonic()
        for attempt in range(1, MAX_FAREWELLS + 1):
            self._send(Kind.COMMAND, at_rest(self._goal))
            time.sleep(FAREWELL_INTERVAL)
            if attempt < FAREWELLS:
                continue
            velocity = np.abs(self.read()[features.BASE])
            if self._state.time > began and np.all(velocity < REST):
                return
        logger.error('the base still moves %.1f s after it was told to rest: %s', time.monotonic() - began,
                     self._state.values[features.BASE].round(3).tolist())

    def _reach(self):
        try:
            self._socket.bind('')       # an address of the kernel's choice, gone with the socket
            self._socket.connect(self.bridge_socket)
        except (OSError, ValueError) as error:
            raise self._gone(error) from error

    def _send(self, kind, values=None):
        if self._socket is None:
            raise HardwareError(f'{self.bridge_socket} is not connected: call connect() first')
        try:
            self._socket.send(bridge_wire.pack(Datagram(kind, time.monotonic(), values)))
        except BlockingIOError:
            raise HardwareError(f'the bridge on {self.bridge_socket} takes no commands: it is stuck') from None
        except OSError as error:
            raise self._gone(error) from error

    def _drain(self):
        if self._socket is None:
            raise HardwareError(f'{self.bridge_socket} is not connected: call connect() first')
        for _ in range(DRAIN):
            try:
                datagram = bridge_wire.unpack(self._socket.recv(bridge_wire.MAX_BYTES))
            except BlockingIOError:
                return
            except OSError as error:
                raise self._gone(error) from error
            except ValueError as error:
                raise HardwareError(f'the bridge is of another version: {error}') from error
            if datagram.kind is Kind.STATE:
                self._state, self._notice = datagram, None
            elif datagram.kind is Kind.NOTICE:
                self._notice = datagram.text

    def _because(self):
        return f': {self._notice}' if self._notice else ''

    def _gone(self, error):
        return HardwareError(f'no bridge on {self.bridge_socket}, is lekiwi_bridge_node running? '
                             f'({error.strerror if isinstance(error, OSError) and error.strerror else error})')

    def _hang_up(self):
        self._socket.close()
        self._socket = None
