"""What the robot does without actions: the arm and the gripper hold, the base comes to rest."""

import math

import numpy as np

from kiwi_policy.core.features import BASE


def decay_factor(elapsed, seconds, shape):
    """Factor in 0..1 on the base velocity `elapsed` s after the actions ran out.

    'linear' falls evenly, 'exponential' by exp(-5 elapsed / seconds); both are 0 from `seconds` on.
    """
    if elapsed >= seconds - 1e-6:
        return 0.0
    if elapsed <= 0.0:
        return 1.0
    if shape == 'linear':
        return 1.0 - elapsed / seconds
    if shape == 'exponential':
        return math.exp(-5.0 * elapsed / seconds)
    raise ValueError(f'decay must be linear or exponential, got {shape!r}')


def starve(last, elapsed, seconds, shape):
    """(9,) command `elapsed` s after `last`, the last command that came from a chunk."""
    command = np.array(last, dtype=float)
    command[BASE] *= decay_factor(elapsed, seconds, shape)
    return command
