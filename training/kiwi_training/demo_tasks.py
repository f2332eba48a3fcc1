"""The tasks that the scripted expert demonstrates."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kiwi_sim.env import ForkEnv
from kiwi_sim.expert import SIDES, Expert
from kiwi_sim.forced_fork import CHUNK_ROWS, FORCED_TASK, ForcedForkEnv
from kiwi_sim.task import TASK


@dataclass(frozen=True)
class DemoTask:
    """One task and how it is demonstrated.

    Attributes:
        instruction: the task in words.
        env: the environment's class.
        begin: called with the environment and a demonstration's seed; returns the first observation and
            the `Expert`.
        rows: control periods of a demonstration; None lasts until the expert is done.
    """

    instruction: str
    env: type
    begin: Callable
    rows: int | None = None


def _begin_fork(env, seed):
    """The start of the seed; the side is drawn."""
    observation, _ = env.reset(seed=seed)
    return observation, Expert(env.world, np.random.default_rng([seed, 1]))


def _begin_forced_fork(env, seed):
    """The start of the seed rounded down to even, which goes left; the odd seed after it goes right.

    With each start demonstrated on either side, not even memory of the starts breaks the tie.
    """
    observation, _ = env.reset(seed=seed - seed % 2, options={'side': SIDES[seed % 2]})
    return observation, env.expert


TASKS = {
    'fork': DemoTask(TASK, ForkEnv, _begin_fork),
    'forced-fork': DemoTask(FORCED_TASK, ForcedForkEnv, _begin_forced_fork, CHUNK_ROWS + 8),
}


def demo_task(name):
    """The `DemoTask` of a name.

    Raises:
        ValueError: there is none.
    """
    if name not in TASKS:
        raise ValueError(f'unknown task {name!r}, choose from {sorted(TASKS)}')
    return TASKS[name]
