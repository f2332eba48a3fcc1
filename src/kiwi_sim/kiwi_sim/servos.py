"""The servos' integer world: LeRobot units to encoder ticks and back, through a calibration.

Both the gymnasium environment and the emulated bus go through this module, so that a policy sees
the same quantised numbers offline and in real time. The formulas are those of LeRobot's
`MotorsBus._normalize` and `_unnormalize`, truncation included.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kiwi_policy.core import features
from kiwi_sim import kinematics

ARM_SERVOS = tuple(f'arm_{joint}' for joint in features.JOINTS)
WHEEL_SERVOS = ('base_left_wheel', 'base_back_wheel', 'base_right_wheel')
SERVOS = (*ARM_SERVOS, *WHEEL_SERVOS)
"""Servo names in the order of their bus ids 1..9."""

MAX_TICK = 4095
CALIBRATION_PATH = Path(__file__).with_name('data') / 'lekiwi_sim.json'


@dataclass(frozen=True)
class ServoCalibration:
    """One servo's entry of a LeRobot calibration file; offsets and ranges in encoder ticks."""

    id: int
    drive_mode: int
    homing_offset: int
    range_min: int
    range_max: int


def load_calibration(path=CALIBRATION_PATH):
    """Read a LeRobot calibration file as a dict from servo name to `ServoCalibration`.

    Raises:
        ValueError: a servo is missing, unknown, has another id than its place on the bus, an empty
            range, or a reversed direction.
    """
    entries = json.loads(Path(path).read_text())
    if set(entries) != set(SERVOS):
        raise ValueError(f'{path}: servos {sorted(entries)}, expected {sorted(SERVOS)}')
    calibration = {name: ServoCalibration(**entries[name]) for name in SERVOS}
    for number, (name, servo) in enumerate(calibration.items(), start=1):
        if servo.id != number:
            raise ValueError(f'{path}: {name} has id {servo.id}, expected {number}')
        if servo.drive_mode != 0:
            raise ValueError(f'{path}: {name} has drive_mode {servo.drive_mode}, expected 0')
        if servo.range_min >= servo.range_max:
            raise ValueError(f'{path}: {name} has range {servo.range_min}..{servo.range_max}')
    return calibration


class ServoUnits:
    """Converts between LeRobot units, joint angles and encoder ticks for the arm and the wheels."""

    def __init__(self, calibration=None):
        self.calibration = load_calibration() if calibration is None else calibration
        arm = [self.calibration[name] for name in ARM_SERVOS]
        self.low = np.array([servo.range_min for servo in arm], dtype=np.float64)
        self.high = np.array([servo.range_max for servo in arm], dtype=np.float64)
        self._middle = (self.low + self.high) / 2

    def encode(self, values):
        """Raw goals (9,) int64 that LeRobot writes for an action (9,) in its units.

        The first six are positions in ticks, clipped to the calibrated range as the servo does;
        the last three wheel speeds in ticks/s.

        Raises:
            ValueError: a wrong shape or a value that is not finite.
        """
        values = np.asarray(values, dtype=np.float64)
        if values.shape != (features.DIM,) or not np.isfinite(values).all():
            raise ValueError(f'an action is {features.DIM} finite numbers, got {values!r}')
        ticks = np.trunc(self._ticks(values[features.POSITIONS]))
        wheels = kinematics.body_to_wheel_raw(values[features.BASE])
        return np.concatenate([np.clip(ticks, self.low, self.high).astype(np.int64), wheels])

    def decode(self, raw):
        """State (9,) in LeRobot's units for raw readings (9,): six positions, three wheel speeds."""
        raw = np.asarray(raw)
        ticks = raw[features.POSITIONS].astype(np.float64)
        values = np.empty(features.DIM)
        values[features.POSITIONS] = (ticks - self._middle) * 360 / MAX_TICK
        bounded = min(self.high[5], max(self.low[5], ticks[5]))
        values[5] = (bounded - self.low[5]) / (self.high[5] - self.low[5]) * 100
        values[features.BASE] = kinematics.wheel_raw_to_body(raw[features.BASE])
        return values

    def read_positions(self, angles):
        """Encoder ticks (6,) int64 nearest to joint angles (6,) in rad."""
        values = features.from_ros(angles, np.zeros(3))[features.POSITIONS]
        return np.rint(self._ticks(values, bounded=False)).astype(np.int64)

    def read_wheels(self, velocity):
        """Wheel speeds (3,) int64 in ticks/s under a body velocity (3,) in m/s, m/s, rad/s."""
        speeds = kinematics.wheel_speeds(velocity) * (kinematics.TICKS_PER_TURN / (2 * np.pi))
        return np.rint(speeds).astype(np.int64)

    def goal_angles(self, ticks):
        """Joint angles (6,) in rad that encoder ticks (6,) stand for."""
        values = self.decode(np.concatenate([ticks, np.zeros(3, dtype=np.int64)]))
        return features.to_ros(values)[0]

    def _ticks(self, values, bounded=True):
        ticks = values * MAX_TICK / 360 + self._middle
        gripper = min(100.0, max(0.0, values[5])) if bounded else values[5]
        ticks[5] = gripper / 100 * (self.high[5] - self.low[5]) + self.low[5]
        return ticks
