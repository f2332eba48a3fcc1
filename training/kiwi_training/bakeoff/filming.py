"""A film of one rollout of a row."""

from dataclasses import dataclass, field
from pathlib import Path

from kiwi_training.bakeoff.shards import RolloutWork
from kiwi_training.bakeoff.tasks import Result, place
from kiwi_training.rollouts import run_rollout


@dataclass(frozen=True)
class FilmWork:
    """Films the first rollout of `rollouts`.

    Attributes:
        path: of the MP4 file.
        rollouts: `RolloutWork`.
        height, width: in pixels.
    """

    path: str = place()
    rollouts: RolloutWork = field(default=None)
    height: int = 240
    width: int = 320

    def run(self):
        """Write the film; the record has its file name and what happens in it."""
        from kiwi_training.bakeoff.film import Film
        from kiwi_training.bakeoff.loaded import environment, policy_of
        work = self.rollouts
        policy = policy_of(work.checkpoint, work.digest, work.sampling, work.device)
        env = environment(work.task, work.image_size, policy.info)
        path = Path(self.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with Film(path, height=self.height, width=self.width) as film:
            rollout = run_rollout(env, policy, work.settings, *work.seeds[0], watch=film)
        return Result({'file': path.name, 'seed': rollout.seed, 'outcome': rollout.outcome})
