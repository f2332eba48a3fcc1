"""Nine STS3215 servos: what their registers mean to the physics and the physics to their registers.

What is modelled, and where the real servo's firmware is known to vary:

- A servo in position mode under torque follows Goal_Position, clipped to its position limits; the
  register keeps what was written. Limits of 0 and 0 mean no limits, as for multi-turn use.
- A servo in velocity mode under torque turns at Goal_Velocity.
- Torque_Enable: 1 on, 0 limp, 128 makes the present position tick 2048 by moving the homing offset
  and changes nothing else; other values count as on.
- Writing Goal_Position switches the torque on, as Feetech's own position examples rely on
  (`goal_enables_torque`). Switching torque on without writing a goal makes the servo run to whatever
  goal it still holds: the register does not follow the joint while it is limp.
- Acceleration, PID coefficients and limits of torque, temperature and voltage are stored but do not
  change the physics. Goal_Velocity and Goal_Time do not limit the speed of a position move.
"""

import numpy as np

from kiwi_sim.feetech_protocol import StatusError
from kiwi_sim.registers import PRESENT, RESOLUTION, Address, Mode, ServoRegisters
from kiwi_sim.servo_backend import COUNT, ServoCommand
from kiwi_sim.servo_health import ServoHealth

SET_MIDDLE = 128
_GOAL = range(Address.GOAL_POSITION, Address.GOAL_TIME)


class ServoBank:
    """Registers of nine servos in front of a ServoBackend.

    Args:
        backend: the physics.
        calibration: nine entries with `homing_offset`, `range_min` and `range_max` in bus order, as stored
            in the servos' EEPROM; default: no offset, full range.
        goal_enables_torque: whether writing Goal_Position switches the torque on.
    """

    def __init__(self, backend, calibration=None, goal_enables_torque=True):
        self._backend = backend
        self._goal_enables_torque = goal_enables_torque
        self._servos = [self._new(index, calibration) for index in range(COUNT)]
        self._shipped_offset = np.array([servo.get(Address.HOMING_OFFSET) for servo in self._servos])
        self._health = ServoHealth(COUNT)
        with backend.lock:
            self._goals_to_present()
            self._drive()

    @staticmethod
    def _new(index, calibration):
        mode = Mode.VELOCITY if index >= 6 else Mode.POSITION
        if calibration is None:
            return ServoRegisters(index + 1, mode=mode)
        entry = calibration[index]
        return ServoRegisters(index + 1, entry.homing_offset, entry.range_min, entry.range_max, mode)

    @property
    def ids(self):
        """Ids on the bus."""
        return range(1, COUNT + 1)

    def registers(self, servo_id):
        """The memory of one servo."""
        return self._servos[servo_id - 1]

    def read(self, servo_ids, address, length, errors=None):
        """Registers of several servos at one instant.

        Args:
            servo_ids: ids, each on the bus.
            address, length: first byte and number of bytes.
            errors: id -> StatusError bits that the status register is to show.

        Returns:
            A list of bytes, in the order of `servo_ids`.
        """
        if address < PRESENT.stop and address + length > PRESENT.start:
            with self._backend.lock:
                readings = self._backend.measure()
            self._refresh(servo_ids, readings, errors or {})
        return [self.registers(servo_id).read(address, length) for servo_id in servo_ids]

    def write(self, writes):
        """Write registers of several servos at one instant.

        Args:
            writes: (servo_id, address, data) triples, ids on the bus.
        """
        with self._backend.lock:
            for servo_id, address, data in writes:
                servo = self.registers(servo_id)
                servo.write(address, data)
                touched = range(address, address + len(data))
                if self._goal_enables_torque and _overlap(touched, _GOAL):
                    servo[Address.TORQUE_ENABLE] = 1
                if Address.TORQUE_ENABLE in touched and data[Address.TORQUE_ENABLE - address] == SET_MIDDLE:
                    self._set_middle(servo_id)
            self._drive()

    def reset_goals(self):
        """Set goals to the present positions and goal velocities to zero; torque stays as it is.

        Called by the simulation after it has moved the joints; takes the backend's lock.
        """
        with self._backend.lock:
            self._goals_to_present()
            self._drive()

    def power_cycle(self):
        """Switch the supply off and on: limp, goals at the present positions, unsaved settings lost."""
        with self._backend.lock:
            for servo in self._servos:
                servo.power_cycle()
            self._goals_to_present()
            self._drive()

    def _goals_to_present(self):
        ticks = self._present_ticks(self._backend.measure())
        for servo, tick in zip(self._servos, ticks):
            servo.set(Address.GOAL_POSITION, tick)
            servo.set(Address.GOAL_VELOCITY, 0)

    def _offset(self):
        """Ticks (9,) by which each servo's own frame lies below the calibrated one."""
        offsets = np.array([servo.get(Address.HOMING_OFFSET) for servo in self._servos])
        return offsets - self._shipped_offset

    def _present_ticks(self, readings):
        return (np.rint(readings.position).astype(np.int64) - self._offset()) % RESOLUTION

    def _set_middle(self, servo_id):
        encoder = self._present_ticks(self._backend.measure())[servo_id - 1]
        servo = self.registers(servo_id)
        offset = servo.get(Address.HOMING_OFFSET) + int(encoder) - RESOLUTION // 2
        servo.set(Address.HOMING_OFFSET, (offset + RESOLUTION // 2) % RESOLUTION - RESOLUTION // 2)
        servo[Address.TORQUE_ENABLE] = servo[Address.TORQUE_ENABLE] == 1

    def _drive(self):
        torque = np.array([servo[Address.TORQUE_ENABLE] != 0 for servo in self._servos])
        turning = np.array([servo[Address.MODE] == Mode.VELOCITY for servo in self._servos])
        goal = np.array([self._limited_goal(servo) for servo in self._servos]) + self._offset()
        velocity = np.array([servo.get(Address.GOAL_VELOCITY) for servo in self._servos])
        self._backend.drive(ServoCommand(torque, goal, np.where(turning, velocity, 0), turning))

    @staticmethod
    def _limited_goal(servo):
        goal = servo.get(Address.GOAL_POSITION)
        low, high = servo.get(Address.MIN_POSITION), servo.get(Address.MAX_POSITION)
        return goal if low == high == 0 else min(max(goal, low), high)

    def _refresh(self, servo_ids, readings, errors):
        ticks = self._present_ticks(readings)
        voltage, temperature, current = self._health.update(readings)
        for servo_id in servo_ids:
            index, servo = servo_id - 1, self.registers(servo_id)
            servo.set(Address.PRESENT_POSITION, ticks[index])
            velocity = int(np.rint(readings.velocity[index]))
            servo.set(Address.PRESENT_VELOCITY, velocity)
            servo.set(Address.PRESENT_LOAD, np.rint(readings.load[index] * 1000))
            servo[Address.PRESENT_VOLTAGE] = voltage
            servo[Address.PRESENT_TEMPERATURE] = temperature[index]
            servo.set(Address.PRESENT_CURRENT, current[index])
            servo[Address.STATUS] = errors.get(servo_id, StatusError.NONE)
            servo[Address.MOVING] = abs(velocity) > 50 * servo[Address.MOVING_THRESHOLD]


def _overlap(first, second):
    return first.start < second.stop and second.start < first.stop
