"""Some rollouts of one executor under one profile, done and kept together."""

import time
from dataclasses import dataclass

import numpy as np

from kiwi_policy.core.config import ExecutorConfig
from kiwi_training.bakeoff.shards import check_names, pack, trials_of
from kiwi_training.bakeoff.tasks import Result, place
from kiwi_training.executor_bench.audit import Audit
from kiwi_training.executor_bench.profiles import Link, Profile
from kiwi_training.executor_bench.variants import VARIANTS
from kiwi_training.rollouts import RolloutSettings, run_rollout

RULES = 1
"""Raised when an executor or a link comes to behave otherwise, so that old results are not taken for new ones."""


@dataclass(frozen=True)
class BenchWork:
    """Rollouts of one cell of the table.

    Attributes:
        checkpoint: folder.
        digest: of its weights.
        executor: name in VARIANTS.
        profile: `Profile`.
        seeds: of environment, sampling and link, one per rollout.
        time_limit, image_size: see `RolloutSettings`.
        rules: what the executor is; another executor, other results.
    """

    checkpoint: str = place()
    digest: str
    executor: str
    profile: Profile
    seeds: tuple
    time_limit: float = RolloutSettings.time_limit
    image_size: tuple = (96, 96)
    rules: str = ''

    def run(self):
        """Run them; `runs_of` reads the result."""
        from kiwi_training.bakeoff.loaded import environment, policy_of
        policy = policy_of(self.checkpoint, self.digest, VARIANTS[self.executor].sampling, 'cpu')
        return roll_out(self, policy, environment('fork', self.image_size, policy.info))


def identity(name):
    """What decides how the executor `name` behaves, as text."""
    return repr((RULES, VARIANTS[name], ExecutorConfig()))


def roll_out(work, policy, env):
    """The rollouts of a `BenchWork` with a loaded policy in an environment; a `Result`."""
    from kiwi_training.bakeoff.watching import SideWatch
    variant = VARIANTS[work.executor]
    config = variant.config(policy.info.period or ExecutorConfig.period)
    check_names(policy.info, config)
    settings = RolloutSettings(config, (work.profile.latency,), work.time_limit)
    rollouts, sides, more = [], [], []
    for seed in work.seeds:
        watched = SideWatch(policy, env.world) if hasattr(env, 'world') else policy
        behind, make_executor = variant.prepare(watched)
        audits = []

        def make_audited(config, make=make_executor, audits=audits):
            audits.append(Audit(make(config)))
            return audits[-1]

        began = time.process_time()
        rollouts.append(run_rollout(env, behind, settings, seed, make_executor=make_audited,
                                    network=Link(work.profile, seed, config.period)))
        sides.append(getattr(watched, 'sides', ()))
        more.append({'executed': audits[0].executed, 'expired': audits[0].expired,
                     'processor_seconds': round(time.process_time() - began, 3)})
    packed = pack(rollouts, sides, [np.empty((0, 2))] * len(rollouts))
    records = [record | added for record, added in zip(packed.record['rollouts'], more, strict=True)]
    return Result({'rollouts': records}, packed.arrays)


@dataclass(frozen=True)
class Run:
    """A rollout as it is read back.

    Attributes:
        trial: `kiwi_training.bakeoff.shards.Trial`.
        executed: ticks that ran a row of a chunk.
        expired: those whose row had been due more than one period before.
        processor_seconds: s of processor time.
    """

    trial: object
    executed: int
    expired: int
    processor_seconds: float


def runs_of(result):
    """The `Run`s of a `Result` of `roll_out`."""
    return [Run(trial, record['executed'], record['expired'], record['processor_seconds'])
            for trial, record in zip(trials_of(result), result.record['rollouts'], strict=True)]
