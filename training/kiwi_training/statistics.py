"""A dataset's statistics, made fit for normalising."""

import numpy as np

KEYS = ('observation.state', 'action')


def mend_constants(stats):
    """Normalise values that never change to 0.

    LeRobot's running mean of a constant is off by a rounding error and its standard deviation is 0, so
    that (x - mean) / (std + 1e-8) makes thousands of it. Such a value gets its own mean and std 1.

    Args:
        stats: as in a dataset's metadata: key -> {mean, std, min, max, ...}; not changed.

    Returns:
        (stats, {key: indices of constant values}), the indices for what has any.
    """
    mended, constants = dict(stats), {}
    for key in KEYS:
        held = stats.get(key) or {}
        if not {'mean', 'std', 'min', 'max'} <= set(held):
            continue
        low, high = np.asarray(held['min']), np.asarray(held['max'])
        constant = low == high
        if constant.any():
            constants[key] = np.flatnonzero(constant).tolist()
            mended[key] = {**held, 'mean': np.where(constant, low, held['mean']),
                           'std': np.where(constant, 1.0, held['std'])}
    return mended, constants
