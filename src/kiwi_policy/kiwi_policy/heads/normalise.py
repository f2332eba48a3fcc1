"""Floors under the standard deviations of nearly constant values.

A joint that hardly moves in the demonstrations has a tiny standard deviation, and dividing by it
blows its noise up to the size of a real motion. The floors go into the statistics before the
normaliser is built, so the checkpoint carries them and deployment normalises as training did.
"""

import numpy as np
import torch
from lerobot.utils.constants import ACTION, OBS_STATE

from kiwi_policy.core.features import NAMES, UNITS

FLOOR = {'deg': 1.0, 'percent': 1.0, 'm/s': 0.02, 'deg/s': 2.0}
"""Smallest standard deviation per unit."""

RELATIVE_FLOOR = 1e-3
"""Smallest standard deviation where units are unknown, as a share of the feature's largest."""

_FLOOR_BY_NAME = {name: FLOOR[unit] for name, unit in zip(NAMES, UNITS, strict=True)}


def floor_std(std, names=None):
    """Raise standard deviations to their floors.

    Args:
        std: (D,).
        names: the D value names where known; values of unknown names get the relative floor.

    Returns:
        (D,) float32 tensor.
    """
    std = np.asarray(std, dtype=np.float64)
    if names is not None and len(names) != len(std):
        raise ValueError(f'{len(names)} names for {len(std)} values: {list(names)}')
    relative = max(RELATIVE_FLOOR * std.max(), 1e-8)
    floors = [_FLOOR_BY_NAME.get(name, relative) for name in names or [None] * len(std)]
    return torch.from_numpy(np.maximum(std, floors)).to(torch.float32)


def floored_stats(config, dataset_stats):
    """Dataset statistics with floors under the std of state and action; the input is not changed."""
    if dataset_stats is None or not config.std_floor:
        return dataset_stats
    stats = {key: dict(value) for key, value in dataset_stats.items()}
    names = {OBS_STATE: config.state_feature_names, ACTION: config.action_feature_names}
    for key, key_names in names.items():
        if 'std' in stats.get(key, {}):
            stats[key]['std'] = floor_std(stats[key]['std'], key_names)
    return stats
