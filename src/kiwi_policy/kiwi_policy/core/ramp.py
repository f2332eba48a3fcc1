"""On activation the arm moves from its measured pose to the chunk at limited speed."""

import numpy as np

from kiwi_policy.core.features import BASE, POSITIONS


def ramp_step(last, target, step):
    """One tick of the ramp.

    Args:
        last: (9,) the command before, at first the measured pose.
        target: (9,) the chunk's action for this tick.
        step: greatest move per tick, deg and percent.

    Returns:
        (9,) command with the base at rest, and True where every position has arrived.
    """
    gap = target[POSITIONS] - last[POSITIONS]
    command = np.array(last, dtype=float)
    command[POSITIONS] += np.clip(gap, -step, step)
    command[BASE] = 0.0
    return command, bool(np.all(np.abs(gap) <= step))
