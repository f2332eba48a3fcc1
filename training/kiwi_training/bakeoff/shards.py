"""A few rollouts of one row, run together and kept together."""

from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np

from kiwi_policy.core.config import ExecutorConfig
from kiwi_training.bakeoff.tasks import Result, place
from kiwi_training.evaluation import rollout_record
from kiwi_training.rollouts import Rollout, RolloutSettings, run_rollout

STATUS = ('underruns', 'starved_seconds', 'skipped', 'clamped', 'dissents', 'overlap', 'takeovers')


@dataclass(frozen=True)
class RolloutWork:
    """Rollouts of one checkpoint.

    Attributes:
        checkpoint: folder.
        digest: of its weights.
        sampling: ((name, value), ...) overrides of its sampling.
        task: 'fork' or 'forced fork'.
        executor: settings of `ExecutorConfig` that are not its defaults.
        latency: measured s that are played back.
        noise: 'chunk' or 'episode'.
        seeds: (environment seed, sampling seed) per rollout.
        time_limit, image_size, image_delay, jpeg: see `RolloutSettings`.
        text: the task's text.
        device: torch device.
        defaults: what `ExecutorConfig` has where `executor` says nothing; other defaults, other results.
    """

    checkpoint: str = place()
    digest: str = ''
    sampling: tuple = ()
    task: str = 'fork'
    executor: dict = field(default_factory=dict)
    latency: tuple = (0.0,)
    noise: str = 'chunk'
    seeds: tuple = ()
    time_limit: float = 20.0
    image_size: tuple = (96, 96)
    image_delay: int = 0
    jpeg: bool = True
    text: str = RolloutSettings.task
    device: str = 'cpu'
    defaults: str = repr(ExecutorConfig())

    @property
    def gpus(self):
        """GPUs to reserve."""
        return int(self.device.startswith('cuda'))

    @property
    def settings(self):
        """`RolloutSettings` of every rollout."""
        executor = ExecutorConfig(**self.executor, initial_latency=float(np.median(self.latency)))
        return RolloutSettings(executor, tuple(self.latency), self.time_limit, self.text, self.image_delay,
                               self.jpeg, self.noise)

    def run(self):
        """Run them; `trials_of` reads the result. Seeds whose episode cannot begin are left out and named."""
        from kiwi_training.bakeoff.loaded import UnfitStart, environment, policy_of
        from kiwi_training.bakeoff.watching import CubeTrack, SideWatch
        policy = policy_of(self.checkpoint, self.digest, self.sampling, self.device)
        settings = self.settings
        check_names(policy.info, settings.executor)
        env = environment(self.task, self.image_size, policy.info)
        rollouts, sides, tracks, unfit = [], [], [], []
        for seed, sampling_seed in self.seeds:
            watch, track = SideWatch(policy, env.world), CubeTrack()
            try:
                rollouts.append(run_rollout(env, watch, settings, seed, sampling_seed, watch=track))
            except UnfitStart:
                unfit.append(seed)
                continue
            sides.append(watch.sides)
            tracks.append(track.xy)
        packed = pack(rollouts, sides, tracks)
        return Result(packed.record | {'unfit_seeds': unfit}, packed.arrays)


def check_names(info, executor):
    """Raise ExecutorError where the policy does not command this robot at this rate."""
    from kiwi_policy.nodes.policy_check import check_policy
    check_policy(SimpleNamespace(names=info.names, period=info.period or executor.period, horizon=info.horizon), executor)


@dataclass(frozen=True)
class Trial:
    """A rollout as it is read back.

    Attributes:
        rollout: `Rollout`; its status has the fields in STATUS and `reject_counts`.
        sides: per chunk, where it would have led.
        xy: (T, 2) float32 cube in the world, m.
    """

    rollout: Rollout
    sides: tuple
    xy: np.ndarray


def pack(rollouts, sides, tracks):
    """Rollouts as a `Result`."""
    records = []
    for rollout, chosen in zip(rollouts, sides, strict=True):
        status = {name: getattr(rollout.status, name) for name in STATUS}
        records.append(rollout_record(rollout) | {
            'status': status | {'reject_counts': dict(rollout.status.reject_counts)}, 'sides': list(chosen),
            'inference_seconds': [round(second, 6) for second in rollout.inference_seconds],
            'evaluations': list(rollout.evaluations), 'ticks': len(rollout.actions)})
    arrays = {
        'actions': _joined([rollout.actions for rollout in rollouts], (0, 9), np.float32),
        'takeover': _joined([rollout.takeover for rollout in rollouts], (0,), bool),
        'sources': _joined([rollout.sources for rollout in rollouts], (0,), np.int8),
        'xy': _joined(tracks, (0, 2), np.float32),
    }
    return Result({'rollouts': records}, arrays)


def trials_of(result):
    """The `Trial`s of a `Result` of `pack`."""
    trials, start = [], 0
    for record in result.record['rollouts']:
        part = slice(start, start + record['ticks'])
        start = part.stop
        rollout = Rollout(
            record['seed'], record['sampling_seed'], record['outcome'], record['seconds'], record['side'],
            result.arrays['actions'][part], result.arrays['takeover'][part], result.arrays['sources'][part],
            tuple(record['inference_seconds']), tuple(record['evaluations']), SimpleNamespace(**record['status']))
        trials.append(Trial(rollout, tuple(record['sides']), result.arrays['xy'][part]))
    return trials


def _joined(parts, empty, kind):
    return np.concatenate([np.zeros(empty, kind), *(np.asarray(part).astype(kind) for part in parts)])
