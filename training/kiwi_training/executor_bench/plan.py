"""What has to be done for the table, in pieces that are kept as they are finished."""

from dataclasses import dataclass

from kiwi_training.bakeoff.tasks import Task
from kiwi_training.executor_bench.profiles import PROFILES
from kiwi_training.executor_bench.variants import VARIANTS
from kiwi_training.executor_bench.work import BenchWork, identity, runs_of

KIND = 'executors'
SHARD = 10
"""Rollouts between two savings."""
SECONDS = 0.8
"""A guess of the processor s for one rollout."""
ENSEMBLE_SECONDS = (0.3, 0.11)
"""The same for ensembles that ask at every tick: a + b / latency, at least a period of latency."""


@dataclass(frozen=True)
class Plan:
    """A benchmark.

    Attributes:
        checkpoint: folder.
        digest: of its weights.
        trials: rollouts per cell.
        seed: of the first rollout; rollout i of every cell uses seed + i.
        executors, profiles: names, in the order of the tables.
    """

    checkpoint: str
    digest: str
    trials: int = 50
    seed: int = 500000
    executors: tuple = tuple(VARIANTS)
    profiles: tuple = tuple(PROFILES)

    def tasks(self):
        """All `Task`s, first the first rollouts of every cell: what is stopped early has compared something."""
        return [self._task(executor, profile, first) for first in range(0, self.trials, SHARD)
                for profile in self.profiles for executor in self.executors]

    def runs(self, store, executor, profile):
        """The `Run`s of a cell that a store holds."""
        results = [store.load(self._task(executor, profile, first)) for first in range(0, self.trials, SHARD)]
        return [run for result in results if result is not None for run in runs_of(result)]

    def _task(self, executor, profile, first):
        seeds = tuple(self.seed + index for index in range(first, min(first + SHARD, self.trials)))
        work = BenchWork(self.checkpoint, self.digest, executor, PROFILES[profile], seeds, rules=identity(executor))
        return Task(KIND, f'{executor}-{profile}-{seeds[0]}', f'{executor} {profile}', work,
                    len(seeds) * _guess(executor, PROFILES[profile]))


def _guess(executor, profile):
    if VARIANTS[executor].config().ensemble_interval is None:
        return SECONDS
    base, per_chunk = ENSEMBLE_SECONDS
    return base + per_chunk / max(profile.latency, 1 / 30)
