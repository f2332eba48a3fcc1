"""Chunks that must not act. Each asks for motion that the policy never asks for."""

import copy

import numpy as np

from kiwi_policy.core.features import DIM
from kiwi_policy.nodes import conversions

HOUR = 3600 * conversions.NANO
WILD = np.array([60.0, 0.0, 0.0, 0.0, 0.0, 100.0, -0.3, 0.3, -90.0])


def inject(rig, spoil):
    """Publish a spoilt copy of the newest chunk."""
    chunk = copy.deepcopy(rig.observer.chunks[-1].message)
    chunk.actions = np.tile(WILD, (len(chunk.actions) // DIM, 1)).astype(np.float32).ravel().tolist()
    chunk.chunk_id += 1000
    spoil(chunk)
    rig.observer.send(chunk)


def nan(chunk):
    """One value is no number."""
    chunk.actions[4] = float('nan')


def wrong_names(chunk):
    """Names of another robot."""
    chunk.names = [f'other_{name}' for name in chunk.names]


def wrong_shape(chunk):
    """A row is missing."""
    chunk.actions = chunk.actions[:-DIM]


def duplicate(chunk):
    """The id of the newest chunk again."""
    chunk.chunk_id -= 1000


def out_of_order(chunk):
    """The id of the chunk before the newest."""
    chunk.chunk_id -= 1001


def stale(chunk):
    """From an hour ago."""
    _shift(chunk, -HOUR)


def future(chunk):
    """From an hour ahead."""
    _shift(chunk, HOUR)


def _shift(chunk, nanoseconds):
    chunk.header.stamp = conversions.to_stamp(conversions.to_nanoseconds(chunk.header.stamp) + nanoseconds)
