"""Whether arm positions are in degrees or, as older LeRobot recorded them, in -100..100 of their range."""

import numpy as np

from kiwi_policy.core.features import ARM, ARM_JOINTS, JOINT_RANGE_RAD

RANGE = 'percent of range'
MARGIN = 3.0
"""deg by which a calibrated joint may reach beyond the SO-101's drawings."""
_REACH = np.abs(np.rad2deg(JOINT_RANGE_RAD[ARM])).max(axis=1)


def beyond_degrees(low, high):
    """Why actions cannot be degrees, in words; '' where they may be.

    Data in -100..100 touches its ends wherever a joint meets its stop, and elbow and wrist cannot reach
    100 degrees.

    Args:
        low, high: (9,) extremes of the training actions.
    """
    extremes = np.maximum(np.abs(low), np.abs(high))[ARM]
    if not np.all(np.isfinite(extremes)) or np.any(extremes > 100.5):
        return ''
    excess = extremes - _REACH
    worst = int(np.argmax(excess))
    if excess[worst] <= MARGIN:
        return ''
    return f'its training data moves {ARM_JOINTS[worst]} to {extremes[worst]:.0f}, and it reaches {_REACH[worst]:.0f} deg'
