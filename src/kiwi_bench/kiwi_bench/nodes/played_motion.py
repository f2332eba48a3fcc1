"""The motion that a played policy asks for: every joint and the base swing about where they were."""

import numpy as np

from kiwi_policy.core.features import BASE

SWING = np.array([15.0, 6.0, 6.0, 10.0, 15.0, 10.0, 0.08, 0.05, 15.0])      # deg, percent, m/s, m/s, deg/s
HERTZ = np.array([0.20, 0.15, 0.25, 0.30, 0.20, 0.25, 0.20, 0.15, 0.10])
EASE = 2.0      # s until the swing is full


def swing(centre, seconds):
    """Actions (T, 9) at `seconds` (T,) s after the start, about the pose `centre` (9,); smooth, and at rest at 0."""
    seconds = np.asarray(seconds, dtype=float)[:, None]
    about = np.array(centre, dtype=float)
    about[BASE] = 0.0
    share = np.clip(seconds / EASE, 0.0, 1.0)
    return about + share * SWING * np.sin(2.0 * np.pi * HERTZ * seconds)
