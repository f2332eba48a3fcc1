"""Small things that stand for a bake-off's large ones."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from evaluation_fakes import Walker
from kiwi_policy.core.features import DIM, NAMES
from kiwi_training.bakeoff.config import BakeoffConfig
from kiwi_training.bakeoff.inspection import Inspected
from kiwi_training.bakeoff.plan import Known
from kiwi_training.bakeoff.shards import Trial
from kiwi_training.bakeoff.tables import read_table
from kiwi_training.bakeoff.tasks import Result, Task, place
from kiwi_training.rollouts import Rollout

TABLE = {
    'dataset': 'demos',
    'training': {'steps': 10, 'seeds': [7]},
    'heads': [
        {'name': 'bc', 'policy': 'kiwi_bc'},
        {'name': 'flow', 'policy': 'kiwi_flow', 'seeds': [7, 8], 'rows': [
            {'name': 'flow 4', 'sampling': {'num_inference_steps': 4}},
            {'name': 'flow 10', 'sampling': {'num_inference_steps': 10}, 'trials': 20}]},
    ],
    'rollouts': {'trials': 50, 'extra_seed_trials': 30, 'seed': 1000, 'shard': 20},
}


def config(**tables):
    """A `BakeoffConfig` of `TABLE` with tables changed or added."""
    return read_table(BakeoffConfig, TABLE | tables, 'test.toml:')


def known(conf, digest='d', seconds=(0.05, 0.1), **changes):
    """As if everything had been trained and measured."""
    checkpoints = {(head.name, seed, control): Inspected(f'/runs/{head.name}', f'{digest}-{head.name}-{seed}-{control}',
                                                         head.policy, 64 if control else 32, 32, 1 / 30)
                   for head in conf.heads for seed in conf.seeds(head) for control in (False, True)}
    latencies = {row.name: {'seconds': list(seconds), 'evaluations': 4.0, 'parameters': 1000, 'session': 'now'}
                 for _, row in conf.rows}
    return Known(**{'checkpoints': checkpoints, 'latencies': latencies} | changes)


def trial(seed, success=True, side='left', sides=(), ticks=6):
    """A finished rollout that panned steadily."""
    actions = np.zeros((ticks, DIM), np.float32)
    actions[:, 0] = np.arange(ticks)
    status = SimpleNamespace(underruns=0, starved_seconds=0.0, skipped=1, clamped=0, dissents=0, overlap=1.0,
                             takeovers=1, reject_counts={})
    takeover = np.arange(ticks) == 2
    rollout = Rollout(seed, seed, 'success' if success else 'timeout', ticks / 30, side, actions, takeover,
                      np.full(ticks, 3), (0.1,), (4,), status)
    return Trial(rollout, tuple(sides), np.column_stack([np.arange(ticks), np.zeros(ticks)]).astype(np.float32))


@dataclass(frozen=True)
class Doubled:
    """Work that doubles a number, after leaving a file for each time it was done."""

    folder: str = place()
    number: int = 0

    def run(self):
        Path(self.folder, f'{self.number}-{time.monotonic_ns()}').touch()
        return Result({'twice': 2 * self.number, 'process': os.getpid()}, {'array': np.full(3, self.number)})


@dataclass(frozen=True)
class Failing:
    """Work that raises."""

    def run(self):
        raise ValueError('the tyre is flat\nand there is no spare')


@dataclass(frozen=True)
class Dying:
    """Work whose process ends at once."""

    def run(self):
        os._exit(3)


@dataclass(frozen=True)
class Sleeping:
    """Work that says it has begun and then takes for ever."""

    folder: str = place()

    def run(self):
        Path(self.folder, f'sleeping-{os.getpid()}').touch()
        time.sleep(1000)


def task(work, name='task'):
    """A `Task` of any work."""
    return Task('things', name, name, work, 1.0)


class Watcher:
    """Remembers what was started."""

    def __init__(self):
        self.started_tasks = []

    def started(self, task):
        self.started_tasks.append(task.name)

    def tick(self):
        pass


def named_walker():
    """A `Walker` whose info is complete."""
    walker = Walker()
    walker.info.names = NAMES
    return walker
