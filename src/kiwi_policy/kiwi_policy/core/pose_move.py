"""A slow move to a named pose: every joint starts and arrives together, without a jerk."""

import math

import numpy as np

from kiwi_policy.core.features import JOINTS, POSITIONS
from kiwi_policy.core.limits import hold

PEAK = 1.875
"""Greatest speed of the minimum-jerk profile over its mean speed."""


class PoseMove:
    """The minimum-jerk move 10 u^3 - 15 u^4 + 6 u^5, u = t / T, from where the arm is (Flash and Hogan 1985).

    Args:
        start: (6,) positions in deg and percent at time `now`.
        goal: (6,) likewise.
        speed: greatest speed of any joint, deg/s and percent/s, > 0.
        now: s.
        tolerance: deg and percent that a joint may lag behind before the move is given up.
    """

    def __init__(self, start, goal, speed, now, tolerance=20.0):
        self._start, self._way, self._began = np.array(start, dtype=float), np.asarray(goal) - start, now
        self._tolerance = tolerance
        self.seconds = max(PEAK * float(np.abs(self._way).max()) / speed, 1e-6)

    def at(self, now):
        """(6,) positions at `now` (s), and True from the arrival on."""
        u = min(max((now - self._began) / self.seconds, 0.0), 1.0)
        return self._start + self._way * u ** 3 * (10.0 - 15.0 * u + 6.0 * u ** 2), u >= 1.0

    def command(self, now, last):
        """(9,) command at `now`, the base at rest, and True from the arrival on."""
        command = hold(last)
        command[POSITIONS], arrived = self.at(now)
        return command, arrived

    def blocked(self, commanded, measured):
        """Which joint does not follow, in words; '' where all do. Both (9,)."""
        lag = np.abs(commanded[POSITIONS] - measured[POSITIONS])
        worst = int(np.argmax(lag))
        if lag[worst] <= self._tolerance:
            return ''
        return (f'{JOINTS[worst]} does not follow: it is at {measured[worst]:.0f} and should be at '
                f'{commanded[worst]:.0f}')


def check_pose(pose, low, high):
    """A pose as (6,) array.

    Raises:
        ValueError: not six finite values, or outside low..high; names the joint.
    """
    values = np.asarray(pose, dtype=float)
    if values.shape != (len(JOINTS),) or not np.all(np.isfinite(values)):
        raise ValueError(f'a pose is {len(JOINTS)} finite values ({", ".join(JOINTS)}), got {pose!r}')
    for joint, value, least, most in zip(JOINTS, values, low, high):
        if not least <= value <= most or math.isnan(value):
            raise ValueError(f'{joint} at {value:g} lies outside {least:g} .. {most:g}')
    return values
