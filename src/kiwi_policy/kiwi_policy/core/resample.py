"""Bring a chunk of another rate onto the executor's period."""

from dataclasses import replace

import numpy as np

from kiwi_policy.core.features import GRIPPER


def resample(chunk, period):
    """Chunk with rows every `period` s over the same span of time.

    Arm and base are interpolated linearly, the gripper takes the row last due.

    Args:
        chunk: chunk of (H, 9) actions.
        period: s between the rows wanted.
    """
    span = (chunk.horizon - 1) * chunk.period
    count = int(np.floor(span / period + 1e-9)) + 1
    where = np.arange(count) * period / chunk.period        # (count,) in rows of the old chunk
    source = np.arange(chunk.horizon)
    actions = np.stack([np.interp(where, source, column) for column in np.asarray(chunk.actions).T], axis=1)
    held = np.minimum(np.floor(where + 1e-9).astype(int), chunk.horizon - 1)
    actions[:, GRIPPER] = np.asarray(chunk.actions)[held, GRIPPER]
    return replace(chunk, period=period, actions=actions)
