"""The fork task as a gymnasium environment in simulated time, in LeRobot's LeKiwi units."""

import gymnasium
import numpy as np

from kiwi_policy.core import features
from kiwi_sim.views import Views
from kiwi_sim.world import World


class ForkEnv(gymnasium.Env):
    """Put the cube on the disc behind the post; one step is one control period of 1/30 s.

    Observation: a dict of 'observation.state' float32 (9,) and 'observation.images.<camera>' uint8
    (height, width, 3). Action: (9,) in LeRobot's units. Reward: 1 on success, else 0. The episode
    terminates on success and is truncated at the time limit. The same seed and actions give the
    same states and pictures bit for bit.

    Args:
        image_size: (height, width) in pixels.
        cameras: cameras to render, of 'front', 'wrist' and 'overview'; () renders nothing.
        time_limit: simulated s.
        spread: scatter of the starts, as a multiple of the demonstrations'.

    Raises:
        ValueError: an unknown camera, or a spread below 0.
    """

    metadata = {'render_modes': []}

    def __init__(self, image_size=(96, 96), cameras=features.CAMERAS, time_limit=15.0, spread=1.0):
        if not 0.0 <= spread < float('inf'):
            raise ValueError(f'spread must be finite and >= 0, got {spread!r}')
        self.world = World()
        known = [self.world.model.camera(i).name for i in range(self.world.model.ncam)]
        unknown = set(cameras) - set(known)
        if unknown:
            raise ValueError(f'unknown cameras {sorted(unknown)}, choose from {sorted(known)}')
        self.cameras = tuple(cameras)
        self.time_limit = time_limit
        self.spread = spread
        self._views = {}
        self._image_size = tuple(image_size)
        spaces = {'observation.state': _box(features.DIM)}
        for camera in self.cameras:
            spaces[f'observation.images.{camera}'] = gymnasium.spaces.Box(
                0, 255, (*self._image_size, 3), np.uint8
            )
        self.observation_space = gymnasium.spaces.Dict(spaces)
        self.action_space = _box(features.DIM)

    def reset(self, *, seed=None, options=None):
        """Start the episode of a seed (drawn when None); returns observation and info."""
        super().reset(seed=seed)
        if seed is None:
            seed = int(self.np_random.integers(2**31))
        self._begin(seed, options)
        return self.observe(), self._info()

    def step(self, action):
        """Apply one action (9,) for a control period.

        Raises:
            ValueError: the action has another shape or is not finite.
        """
        self.world.command(action)
        self.world.advance()
        info = self._info()
        truncated = info['seconds'] >= self.time_limit - 1e-9
        return self.observe(), float(info['success']), info['success'], truncated, info

    def observe(self):
        """The observation of this moment."""
        observation = {'observation.state': self.world.state().astype(np.float32)}
        for camera, picture in self._view(*self._image_size).render_all(self.cameras).items():
            observation[f'observation.images.{camera}'] = picture
        return observation

    def render_view(self, camera, height, width):
        """Picture (height, width, 3) uint8 RGB of any camera at any size, for videos."""
        return self._view(height, width).render(camera)

    def close(self):
        """Free the graphics contexts."""
        for view in self._views.values():
            view.close()
        self._views.clear()

    def _view(self, height, width):
        if (height, width) not in self._views:
            self._views[height, width] = Views(self.world, height, width)
        return self._views[height, width]

    def _begin(self, seed, options):
        """Bring the world to the start of an episode."""
        self.world.reset(seed, self.spread)

    def _task_state(self):
        """`TaskState` of this moment."""
        return self.world.task.state()

    def _info(self):
        state = self._task_state()
        return {
            'success': state.success,
            'post_hit': state.post_hit,
            'lifted': state.lifted,
            'side': state.side,
            'seconds': state.seconds,
            'seed': self.world.seed,
        }


def _box(dim):
    return gymnasium.spaces.Box(-np.inf, np.inf, (dim,), np.float32)
