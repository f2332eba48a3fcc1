"""Chunks sampled from one observation at the fork, and where each would lead the fingertips."""

from dataclasses import dataclass

import numpy as np

from kiwi_training.bakeoff.tasks import Result, place


@dataclass(frozen=True)
class OverlayWork:
    """The cube of one start has just been lifted; then the policy predicts `samples` times.

    Attributes:
        checkpoint, digest, sampling: which policy.
        image_size: (height, width).
        seed: of the start.
        samples: K, number of chunks.
        text: the task's text.
        device: torch device.
    """

    checkpoint: str = place()
    digest: str = ''
    sampling: tuple = ()
    image_size: tuple = (96, 96)
    seed: int = 0
    samples: int = 24
    jpeg: bool = True
    text: str = ''
    device: str = 'cpu'

    def run(self):
        """Arrays `tips` (K, H, 3) and `cube` (3,), world, m."""
        from kiwi_sim.preview import chunk_path

        from kiwi_training.bakeoff.loaded import environment, policy_of
        from kiwi_training.wire import through_jpeg
        policy = policy_of(self.checkpoint, self.digest, self.sampling, self.device)
        env = environment('forced fork', self.image_size, policy.info)
        observation, _ = env.reset(seed=self.seed)
        if hasattr(env, 'complete'):
            observation = env.complete(observation)
        history = [through_jpeg(observation) if self.jpeg else observation] * policy.info.n_obs_steps
        pose = env.world.base_pose()
        tips = [chunk_path(env.world, pose, policy.predict(history, self.text, rng=sample).actions)
                for sample in range(self.samples)]
        return Result({'samples': self.samples},
                      {'tips': np.array(tips, np.float32), 'cube': env.world.cube_position().astype(np.float32)})
