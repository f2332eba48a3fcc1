"""Policies and environments that a worker process keeps from one task to the next."""

from collections import OrderedDict

import numpy as np

from kiwi_training.evaluation import load_checkpoint

KEPT = 4
_policies, _environments = OrderedDict(), OrderedDict()


def policy_of(checkpoint, digest, sampling, device):
    """The loaded policy of a checkpoint, on one CPU thread, loaded once per process.

    Args:
        checkpoint: folder.
        digest: of its weights, which must still be the same.
        sampling: ((name, value), ...) overrides.
        device: torch device.

    Raises:
        ValueError: the checkpoint cannot be loaded, or holds other weights by now.
    """
    return _kept(_policies, (digest, sampling, device), lambda: load_apart(checkpoint, digest, sampling, device))


def load_apart(checkpoint, digest, sampling, device='cpu'):
    """The same, not kept."""
    policy = load_checkpoint(checkpoint, dict(sampling), device=device)
    if policy.info.digest != digest:
        raise ValueError(f'{checkpoint} has the digest {policy.info.digest} and had {digest} when the bake-off '
                         'began: was it trained on meanwhile? Start the bake-off again')
    return policy


def environment(task, image_size, info):
    """The simulated task, with the cameras a policy reads, rendered as seldom as its history allows."""
    from kiwi_training.frugal_env import environment_for
    return _kept(_environments, (task, image_size, tuple(info.cameras), info.n_obs_steps == 1),
                 lambda: PosedEnv(environment_for(info, image_size, task)))


def _kept(shelf, key, make):
    if key not in shelf:
        while len(shelf) >= KEPT:
            _, old = shelf.popitem(last=False)
            if hasattr(old, 'close'):
                old.close()
        shelf[key] = make()
    shelf.move_to_end(key)
    return shelf[key]


class UnfitStart(RuntimeError):
    """A seed whose episode cannot begin."""


class PosedEnv:
    """An environment whose observations carry the base's pose (3,) as `base_pose`, which no policy reads."""

    def __init__(self, env):
        self.env = env
        self.world = env.world
        if hasattr(env, 'complete'):
            self.complete = env.complete

    def reset(self, *, seed):
        """As the environment's.

        Raises:
            UnfitStart: the episode of this seed cannot begin.
        """
        try:
            observation, info = self.env.reset(seed=seed)
        except RuntimeError as error:
            raise UnfitStart(str(error)) from error
        return self._posed(observation), info

    def step(self, action):
        """As the environment's."""
        observation, *rest = self.env.step(action)
        return self._posed(observation), *rest

    def render_view(self, camera, height, width):
        """As the environment's."""
        return self.env.render_view(camera, height, width)

    def close(self):
        """Free the graphics contexts."""
        self.env.close()

    def _posed(self, observation):
        return {**observation, 'base_pose': np.array(self.world.base_pose())}
