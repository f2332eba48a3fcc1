"""What is noted of a rollout beyond its actions: where the cube went, and where each chunk meant to go."""

import numpy as np
from kiwi_sim.preview import chunk_path, chunk_side


class CubeTrack:
    """Called with the environment after every tick; `xy` (T, 2) is the cube's way in the world, m."""

    def __init__(self):
        self._points = []

    def __call__(self, env):
        self._points.append(env.world.cube_position()[:2])

    @property
    def xy(self):
        return np.array(self._points, dtype=np.float32).reshape(-1, 2)


class SideWatch:
    """A policy that notes on which side of the post each of its chunks would lead the fingertips.

    Args:
        policy: the policy it passes everything on to; it must be shown observations with `base_pose`.
        world: of the environment.

    Attributes:
        sides: 'left', 'right' or 'none' per chunk.
    """

    def __init__(self, policy, world):
        self.info = policy.info
        self.sides = []
        self._policy, self._world = policy, world

    def predict(self, history, task='', rng=None, prefix=None):
        """As the policy's."""
        prediction = self._policy.predict(history, task, rng=rng, prefix=prefix)
        path = chunk_path(self._world, history[-1]['base_pose'], prediction.actions)
        self.sides.append(chunk_side(path, self._world.post_position()))
        return prediction


def mode_switches(sides):
    """How often a chunk meant the other side than the last chunk that meant one."""
    taken = [side for side in sides if side != 'none']
    return sum(a != b for a, b in zip(taken, taken[1:], strict=False))
