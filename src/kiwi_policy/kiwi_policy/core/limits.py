"""The last thing before the robot: joint ranges, joint speeds, base speeds. NaN never leaves."""

from dataclasses import dataclass

import numpy as np

from kiwi_policy.core.features import BASE, DIM, JOINT_RANGE_RAD, POSITIONS

_ARM_LOW, _ARM_HIGH = np.rad2deg(JOINT_RANGE_RAD[:5]).T


@dataclass(frozen=True)
class Limits:
    """Limits in LeRobot's units.

    Attributes:
        low, high: 6 ends of the positions' ranges: arm in deg, gripper in percent.
        joint_speed: 6 greatest speeds, deg/s and percent/s.
        base_speed: 3 greatest absolute velocities, m/s, m/s, deg/s.
        base_acceleration: 3 greatest changes of base velocity, m/s^2, m/s^2, deg/s^2.
        speed_scale: factor in (0, 1] on all speeds.
    """

    low: tuple = (*_ARM_LOW.tolist(), 0.0)
    high: tuple = (*_ARM_HIGH.tolist(), 100.0)
    joint_speed: tuple = (180.0, 180.0, 180.0, 180.0, 180.0, 400.0)
    base_speed: tuple = (0.3, 0.3, 90.0)
    base_acceleration: tuple = (3.0, 3.0, 900.0)
    speed_scale: float = 1.0

    def __post_init__(self):
        for name, length in (('low', 6), ('high', 6), ('joint_speed', 6), ('base_speed', 3),
                             ('base_acceleration', 3)):
            values = np.asarray(getattr(self, name), dtype=float)
            if values.shape != (length,) or not np.all(np.isfinite(values)):
                raise ValueError(f'limits.{name} must hold {length} finite values, got {getattr(self, name)!r}')
            if name not in ('low', 'high') and np.any(values <= 0):
                raise ValueError(f'limits.{name} must be > 0, got {getattr(self, name)!r}')
            object.__setattr__(self, name, tuple(values.tolist()))
        if np.any(np.asarray(self.low) >= np.asarray(self.high)):
            raise ValueError(f'limits.low must lie below limits.high, got {self.low} and {self.high}')
        if not 0.0 < self.speed_scale <= 1.0:
            raise ValueError(f'limits.speed_scale must lie in (0, 1], got {self.speed_scale!r}')


class Limiter:
    """Clamps a command, given the command before it.

    Args:
        limits: the limits.
        period: s between commands.
    """

    def __init__(self, limits, period):
        self._limits, self._period = limits, period
        self._low, self._high = np.array(limits.low), np.array(limits.high)
        self._speed_step = np.array(limits.base_acceleration) * period
        self.set_speed(limits.speed_scale)

    def set_speed(self, scale, joints=1.0, base=1.0):
        """Run at a share of the greatest speeds from now on.

        Args:
            scale: for everything, in (0, 1].
            joints: (6,) factors in 0..1 beside it, 0 holds a joint; or one for all.
            base: likewise for the base.

        Raises:
            ValueError: scale out of bounds.
        """
        if not 0.0 < scale <= 1.0:
            raise ValueError(f'speed_scale must lie in (0, 1], got {scale!r}')
        self._step = np.array(self._limits.joint_speed) * scale * np.asarray(joints) * self._period
        self._speed = np.array(self._limits.base_speed) * scale * base

    def clamp(self, wanted, last):
        """Return the command nearest to `wanted` that the limits allow, and whether it differs.

        A position moves at most one speed step from `last`; where `last` itself lies outside the
        range it moves back towards it. A value that is not finite becomes a hold: the last
        position, a base at rest.

        Args:
            wanted: (9,), may hold NaN or infinite values.
            last: (9,) finite, the command before.

        Returns:
            (9,) finite command and a bool.
        """
        wanted, last = np.asarray(wanted, dtype=float), np.asarray(last, dtype=float)
        rest = last.copy()
        rest[BASE] = 0.0
        command = np.where(np.isfinite(wanted), wanted, rest)
        positions = np.clip(command[POSITIONS], self._low, self._high)
        command[POSITIONS] = last[POSITIONS] + np.clip(positions - last[POSITIONS], -self._step, self._step)
        velocity = np.clip(command[BASE], -self._speed, self._speed)
        change = np.clip(velocity - last[BASE], -self._speed_step, self._speed_step)
        command[BASE] = np.clip(last[BASE] + change, -self._speed, self._speed)
        clamped = bool(np.any(~np.isfinite(wanted)) or np.any(np.abs(command - wanted) > 1e-9))
        return command, clamped


def hold(last):
    """(9,) the positions of `last` with the base at rest."""
    held = np.array(last, dtype=float)
    if held.shape != (DIM,):
        raise ValueError(f'a command has shape ({DIM},), got {held.shape}')
    held[BASE] = 0.0
    return held
