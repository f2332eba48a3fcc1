"""The tasks that the scripted expert demonstrates."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kiwi_sim.env import ForkEnv
from kiwi_sim.expert import Expert
from kiwi_sim.forced_fork import CHUNK_ROWS, FORCED_TASK, ForcedForkEnv
from kiwi_sim.task import TASK


@dataclass(frozen=True)
class DemoTask:
    """One task and how it is demonstrated.

    Attributes:
        instruction: the task in words.
        env: the environment's class.
        expert: called with the environment just reset and its seed; returns the `Expert`.
        rows: control periods of a demonstration; None lasts until the expert is done.
    """

    instruction: str
    env: type
    expert: Callable
    rows: int | None = None


TASKS = {
    'fork': DemoTask(TASK, ForkEnv, lambda env, seed: Expert(env.world, np.random.default_rng([seed, 1]))),
    'forced-fork': DemoTask(FORCED_TASK, ForcedForkEnv, lambda env, seed: env.expert, CHUNK_ROWS + 8),
}


def demo_task(name):
    """The `DemoTask` of a name.

    Raises:
        ValueError: there is none.
    """
    if name not in TASKS:
        raise ValueError(f'unknown task {name!r}, choose from {sorted(TASKS)}')
    return TASKS[name]
