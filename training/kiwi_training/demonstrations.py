"""One demonstration of the scripted expert in the simulated LeKiwi, repeatable from its seed.

The expert's clean action is what is recorded; what is executed carries autocorrelated noise, so
that the recorded states lie around the expert's path together with the actions that lead back to
it (Laskey et al. 2017, DART).
"""

from dataclasses import dataclass

import numpy as np

from kiwi_policy.core import features
from kiwi_sim.views import Views
from kiwi_sim.world import World
from kiwi_training.demo_tasks import demo_task

NOISE_SCALE = np.array([0.5, 0.5, 0.5, 0.5, 0.3, 0.0, 0.006, 0.006, 1.0])
"""Noise per control period at strength 1, in the action's units; the gripper has none."""
NOISE_MEMORY = 0.85
"""Autocorrelation from one control period to the next."""


@dataclass(frozen=True)
class Demonstration:
    """T control periods of one episode; row t pairs the observation at t with the action taken on it.

    Attributes:
        seed: seed of the world, and with it of the expert and the noise.
        side: 'left' or 'right' of the post.
        success: the task was done and the post untouched to the end.
        state: (T, 9) float32.
        action: (T, 9) float32, the expert's, without noise.
        images: dict from camera to (T, height, width, 3) uint8.
        instruction: the task in words.
    """

    seed: int
    side: str
    success: bool
    state: np.ndarray
    action: np.ndarray
    images: dict
    instruction: str

    def __len__(self):
        return len(self.state)


def check_image_size(image_size):
    """Raise ValueError where pictures of (height, width) cannot be rendered."""
    Views(World(), *image_size).close()


class Demonstrator:
    """Makes demonstrations in an environment of its own.

    Args:
        image_size: (height, width) in pixels.
        cameras: cameras to record.
        noise: strength of the noise on the executed action; 0 is none.
        time_limit: simulated s after which the expert is stopped.
        task: name of a `DemoTask`.
    """

    def __init__(
        self, image_size=(96, 96), cameras=features.CAMERAS, noise=1.0, time_limit=12.0, task='fork'
    ):
        if noise < 0:
            raise ValueError(f'noise strength {noise} is negative')
        self._task = demo_task(task)
        if self._task.rows is not None:
            time_limit = min(time_limit, self._task.rows / features.RATE_HZ)
        self._env = self._task.env(image_size=image_size, cameras=cameras, time_limit=time_limit)
        self._noise = noise

    def record(self, seed):
        """The `Demonstration` of a seed, successful or not."""
        env = self._env
        observation, expert = self._task.begin(env, seed)
        rng = np.random.default_rng([seed, 2])
        drift = np.zeros(features.DIM)
        rows, actions = [], []
        truncated = reached = False
        while not expert.done and not truncated:
            action = expert.act().astype(np.float32)
            rows.append(observation)
            actions.append(action)
            drift = NOISE_MEMORY * drift + self._noise * NOISE_SCALE * rng.normal(size=features.DIM)
            observation, _, _, truncated, info = env.step(action + drift)
            reached = reached or info['success']
        return Demonstration(
            seed=seed,
            side=expert.side,
            success=reached and not info['post_hit'],
            state=np.stack([row['observation.state'] for row in rows]),
            action=np.stack(actions),
            images={
                camera: np.stack([row[f'observation.images.{camera}'] for row in rows])
                for camera in env.cameras
            },
            instruction=self._task.instruction,
        )

    def close(self):
        """Free the graphics contexts."""
        self._env.close()
