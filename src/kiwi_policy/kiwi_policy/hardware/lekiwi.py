"""The LeKiwi on LeRobot's own driver, made safe for a control loop.

LeRobot's `LeKiwi.connect()` drops the torque of a powered arm, switches it on again without writing
goals, and asks on stdin when the calibration differs. Here a powered servo that is set up is left
alone, every other one gets its goals before its torque, and every doubt is a HardwareError. The
driver's own `get_observation` and `send_action` do the rest.
"""

import logging
import os
import termios
import time
from pathlib import Path

import numpy as np

from kiwi_policy.core import features
from kiwi_policy.hardware.guard import Guard
from kiwi_policy.hardware.interface import HardwareError
from kiwi_policy.hardware.servo_health import read_health

logger = logging.getLogger(__name__)

BUS_ERRORS = (OSError, RuntimeError, IndexError, termios.error)
"""What LeRobot's driver, the Feetech SDK and pyserial raise when a bus fails."""

GUARDIAN_TIMEOUT = 0.2
_WRITE_TIMEOUT = 0.5
_POLL = 0.002
_CLOSE_RETRIES = 2


class LeKiwiHardware:
    """A LeKiwi behind a serial port, without its cameras. Implements `Hardware`.

    Nothing is opened, and LeRobot is not imported, before `connect`. On a dead bus `read` fails within
    2.5 * (1 + retries) * reply_timeout, `close` returns within 9 * reply_timeout, and `connect` fails
    within 27 * reply_timeout after the import.

    Args:
        port: serial device or a link to one.
        calibration: LeRobot calibration file of this robot, <folder>/<id>.json.
        retries: extra attempts for a read that fails.
        reply_timeout: s to wait for a servo's reply.
        guardian_timeout: s of silence of this process, its wheels turning, after which the guardian kills it
            and stops them; 0 runs without a guardian.
    """

    def __init__(self, port, calibration, retries=1, reply_timeout=0.05, guardian_timeout=GUARDIAN_TIMEOUT):
        if retries < 0:
            raise ValueError(f'retries must not be negative, got {retries}')
        if not 0.005 <= reply_timeout <= 1.0:
            raise ValueError(f'reply_timeout must lie in 0.005..1 s, got {reply_timeout}')
        if guardian_timeout and not 0.05 <= guardian_timeout <= 1.0:
            raise ValueError(f'guardian_timeout must be 0 or lie in 0.05..1 s, got {guardian_timeout}')
        self.port = str(port)
        self.calibration = Path(calibration)
        self.retries = retries
        self.reply_timeout = reply_timeout
        self.guardian_timeout = guardian_timeout
        self._robot = self._guard = None
        self.limp = False
        self._asked = -1            # servo whose health was read last
        self._known = False         # this robot was connected before

    def __enter__(self):
        self.connect()
        return self

    def __exit__(self, *_):
        self.close()

    def connect(self):
        """Open the bus and put every servo under torque at its present position, base at rest.

        Raises:
            HardwareError: no such port, it is in use, a servo is missing, or the servos hold another
                calibration than the file.
        """
        if self._robot is not None:
            raise HardwareError(f'{self.port} is already connected')
        if not self.calibration.is_file():
            raise HardwareError(
                f'no calibration file {self.calibration}: calibrate with lerobot-calibrate, or name the '
                f'file with which this robot was calibrated'
            )
        if not os.path.exists(self.port):
            raise HardwareError(f'no serial port {self.port}; present: {_serial_ports()}')

        from lerobot.robots.lekiwi import LeKiwi, LeKiwiConfig

        from kiwi_policy.hardware import lekiwi_setup

        config = LeKiwiConfig(
            port=self.port,
            id=self.calibration.stem,
            calibration_dir=self.calibration.parent,
            cameras={},
            disable_torque_on_disconnect=False,
            num_read_retries=self.retries,
        )
        try:
            robot = LeKiwi(config)
        except Exception as error:
            raise HardwareError(f'{self.calibration} is no LeRobot calibration file: {error}') from error
        self._dismiss_guard()
        try:
            robot.bus.connect(handshake=False)
            self._tune_port(robot.bus.port_handler)
            if self._known and not self.limp:       # its wheels may turn: stop them before all questions
                robot.bus.sync_write('Goal_Velocity', dict.fromkeys(robot.base_motors, 0))
            lekiwi_setup.check_servos(robot.bus, self.port)
            lekiwi_setup.check_calibration(robot.bus, robot.calibration, self.calibration)
            if not self.limp:
                lekiwi_setup.power_up(robot.bus, robot.arm_motors, robot.base_motors)
            if self.guardian_timeout:
                wheels = [robot.bus.motors[name].id for name in robot.base_motors]
                self._guard = Guard(robot.bus.port_handler.ser.fileno(), wheels, self.guardian_timeout)
        except HardwareError:
            self._close_port(robot.bus)
            raise
        except BUS_ERRORS as error:
            self._close_port(robot.bus)
            raise HardwareError(f'cannot set up the LeKiwi on {self.port}: {_first_line(error)}') from error
        self._robot, self._known = robot, True

    def read(self):
        """Measured state (9,) float64 in LeRobot's order and units. A garbled reading is repeated once."""
        robot = self._connected()
        self._beat()
        started = time.monotonic()
        try:
            observation = robot.get_observation()
        except BUS_ERRORS as error:
            if time.monotonic() - started > 0.5 * self.reply_timeout:
                raise self._failure('reading', error) from error
            observation = self._read_again()        # garbled, not silent: there is time for another try
        return np.array([observation[name] for name in features.NAMES], dtype=np.float64)

    def _read_again(self):
        try:
            return self._connected().get_observation()
        except BUS_ERRORS as error:
            raise self._failure('reading', error) from error

    def write(self, action):
        """Command goal positions and base velocity, (9,) finite values."""
        values = np.asarray(action, dtype=np.float64)
        if values.shape != (features.DIM,):
            raise HardwareError(f'an action has shape ({features.DIM},), got {values.shape}')
        bad = [f'{name}={value}' for name, value in zip(features.NAMES, values) if not np.isfinite(value)]
        if bad:
            raise HardwareError(f'refused an action with values that are not finite: {", ".join(bad)}')
        robot = self._connected()
        if self.limp:
            raise HardwareError('the torque is released: engage it before commanding the robot')
        turning = bool(np.any(values[features.BASE]))
        if turning and self._guard is not None:
            self._guard_turning()
        try:
            robot.send_action(dict(zip(features.NAMES, values.tolist())))
        except (*BUS_ERRORS, ValueError) as error:
            raise self._failure('writing', error) from error
        if not turning and self._guard is not None:
            self._guard.resting()

    def hold(self):
        """Command the base to rest; the arm keeps its last goal under torque."""
        robot = self._connected()
        try:
            robot.bus.sync_write('Goal_Velocity', dict.fromkeys(robot.base_motors, 0))
        except BUS_ERRORS as error:
            raise self._failure('stopping the base', error) from error
        if self._guard is not None:
            self._guard.resting()

    def release(self):
        """Take the torque off every servo: the arm sinks, the robot can be moved by hand."""
        from kiwi_policy.hardware import lekiwi_setup

        self.hold()
        robot, self.limp = self._connected(), True
        try:
            lekiwi_setup.power_down(robot.bus)
        except BUS_ERRORS as error:
            raise self._failure('releasing the torque', error) from error

    def engage(self):
        """Put every servo under torque where it is, wheels at rest."""
        from kiwi_policy.hardware import lekiwi_setup

        robot = self._connected()
        try:
            lekiwi_setup.power_up(robot.bus, robot.arm_motors, robot.base_motors)
        except BUS_ERRORS as error:
            raise self._failure('engaging the torque', error) from error
        self.limp = False

    def next_health(self):
        """`ServoHealth` of the servo whose turn it is: one packet."""
        robot = self._connected()
        self._asked = (self._asked + 1) % len(robot.bus.motors)
        try:
            return read_health(robot.bus, list(robot.bus.motors)[self._asked])
        except BUS_ERRORS as error:
            raise self._failure('reading the health', error) from error

    def close(self):
        """Bring the base to rest, verify it, and close the port with the torque left on. Never raises.

        Where a wheel does not confirm that it stands the guardian stays and goes on trying.
        """
        robot, self._robot = self._robot, None
        if robot is None:
            return
        robot.bus.port_handler.is_using = False
        standing = True
        for wheel in robot.base_motors:
            try:
                robot.bus.write('Goal_Velocity', wheel, 0, num_retry=_CLOSE_RETRIES)
                goal = robot.bus.read('Goal_Velocity', wheel, num_retry=_CLOSE_RETRIES)
                standing = standing and goal == 0
                if goal != 0:
                    logger.error('%s still has goal velocity %s ticks/s on %s', wheel, goal, self.port)
            except BUS_ERRORS as error:
                standing = False
                robot.bus.port_handler.is_using = False
                logger.error('%s could not be stopped on %s: %s', wheel, self.port, _first_line(error))
        if self._guard is not None and standing:
            self._guard.quit()
            self._guard = None
        elif self._guard is not None:
            self._guard.leave()
        self._close_port(robot.bus)

    def _connected(self):
        """The driver, its port free even if the last call was interrupted in the middle."""
        if self._robot is None:
            raise HardwareError(f'{self.port} is not connected: call connect() first')
        self._robot.bus.port_handler.is_using = False
        return self._robot

    def _beat(self):
        if self._guard is not None:
            self._guard.beat()

    def _guard_turning(self):
        try:
            self._guard.moving()
        except HardwareError:
            self.hold()
            raise

    def _dismiss_guard(self):
        """A guardian that a lost bus left behind holds the port."""
        if self._guard is not None:
            self._guard.kill()
            self._guard = None

    def _failure(self, doing, error):
        return HardwareError(f'{doing} failed on {self.port}: {_first_line(error)}')

    def _tune_port(self, handler):
        """Claim the port, wait in select instead of spinning, and drop late replies before each request."""
        port = handler.ser
        port.exclusive = True
        port.timeout = _POLL
        port.write_timeout = _WRITE_TIMEOUT
        handler.clearPort = port.reset_input_buffer
        handler.setPacketTimeout = lambda _: handler.setPacketTimeoutMillis(self.reply_timeout * 1000)
        timed_out = handler.isPacketTimeout

        def is_packet_timeout():
            self._beat()        # waiting for a reply is no hanging
            return timed_out()

        handler.isPacketTimeout = is_packet_timeout

    @staticmethod
    def _close_port(bus):
        try:
            if bus.is_connected:
                bus.port_handler.is_using = False
                bus.disconnect(disable_torque=False)
        except BUS_ERRORS as error:
            logger.error('closing %s: %s', bus.port, _first_line(error))


def _first_line(error):
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _serial_ports():
    from serial.tools.list_ports import comports

    return ', '.join(sorted(port.device for port in comports())) or 'none'
