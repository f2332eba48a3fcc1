"""Takeovers without a jump: the difference to the old plan is faded out over a few ticks."""

import numpy as np

from kiwi_policy.core.features import GRIPPER


class Seam:
    """Fades out the offset between the last command and the new plan.

    Let p be what the new plan held one tick ago and c the last command. With o = c - p, tick k
    after the takeover (k = 1 .. n) commands plan + o * (1 - k / n): each tick takes the plan's own
    step and one n-th of the offset. The gripper follows the new plan at once.

    Args:
        ticks: n; 0 switches the fading off.
    """

    def __init__(self, ticks):
        self._ticks = ticks
        self._offset = None
        self._step = 0

    def clear(self):
        """Forget a fade in progress."""
        self._offset = None

    def start(self, last, before):
        """Begin at a takeover, given the last command and the new plan one tick ago, both (9,)."""
        if self._ticks < 2:
            return
        self._offset = np.asarray(last, dtype=float) - before
        self._offset[GRIPPER] = 0.0
        self._step = 0

    def apply(self, planned):
        """(9,) the planned action of this tick with what is left of the offset. Call once per tick."""
        if self._offset is None:
            return planned
        self._step += 1
        if self._step >= self._ticks:
            self._offset = None
            return planned
        return planned + self._offset * (1.0 - self._step / self._ticks)
