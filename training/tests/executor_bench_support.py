"""Chunks and rollouts shared by the tests of the executor benchmark."""

from dataclasses import replace

import numpy as np
from evaluation_fakes import HORIZON, PERIOD, Track, Walker
from kiwi_policy.core.chunk import Chunk
from kiwi_policy.core.features import DIM, NAMES
from kiwi_policy.core.limits import Limits
from kiwi_training.executor_bench.profiles import PROFILES
from kiwi_training.executor_bench.work import BenchWork, roll_out, runs_of

BOUNDLESS = Limits(low=(-1e6,) * 6, high=(1e6,) * 6, joint_speed=(1e9,) * 6, base_speed=(1e6,) * 3,
                   base_acceleration=(1e9,) * 3)


def chunk(tick=0, number=1, actions=None, horizon=HORIZON):
    """A chunk stamped with a tick; its actions are zero unless given."""
    actions = np.zeros((horizon, DIM)) if actions is None else actions
    return Chunk(tick * PERIOD, PERIOD, actions, NAMES, 1, number, 'e')


def rolled(executor, profile=None, seeds=(0, 1, 2), env=None, policy=None, **changes):
    """`Run`s of an executor with the fakes."""
    profile = replace(PROFILES['latency_100'], **changes) if profile is None else PROFILES[profile]
    work = BenchWork('', '', executor, profile, tuple(seeds), 12.0)
    return runs_of(roll_out(work, policy or Walker(), env or Track()))
