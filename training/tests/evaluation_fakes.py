"""A policy and an environment small enough to reason about, for tests of the harness."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from kiwi_policy.core.features import DIM, NAMES

HORIZON = 16
PERIOD = 1.0 / 30.0


@dataclass(frozen=True)
class Prediction:
    actions: np.ndarray
    evaluations: int


class Walker:
    """Pans to the goal it sees at one degree a tick, choosing a side at random where there is none.

    Remembers the histories and prefixes it was given.
    """

    def __init__(self, n_obs_steps=1, seconds=0.0):
        self.info = SimpleNamespace(names=NAMES, period=PERIOD, horizon=HORIZON, n_action_steps=HORIZON,
                                    action_spread=np.full(DIM, 50.0), cameras=(), n_obs_steps=n_obs_steps)
        self.calls = []
        self._seconds = seconds

    def predict(self, history, task='', rng=None, prefix=None):
        self.calls.append((history, task, prefix))
        time.sleep(self._seconds)
        pan = float(history[-1]['observation.state'][0])
        way = np.sign(pan) if abs(pan) > 0.5 else np.random.default_rng(rng).choice([-1.0, 1.0])
        actions = np.zeros((HORIZON, DIM))
        actions[:, 0] = pan + way * np.arange(1, HORIZON + 1)
        return Prediction(actions.astype(np.float32), 10)


class Track:
    """Follows commands exactly. Success at +-goal degrees of pan; a touch at +-post, where given."""

    def __init__(self, goal=40.0, post=None):
        self._goal, self._post = goal, post
        self.commands = []

    def reset(self, *, seed):
        self._state = np.zeros(DIM, dtype=np.float32)
        self._ticks = 0
        self.seed = seed
        return self._observation(), self._info()

    def step(self, action):
        self.commands.append(np.array(action))
        self._state = np.array(action, dtype=np.float32)
        self._ticks += 1
        info = self._info()
        return self._observation(), 0.0, info['success'], False, info

    def _observation(self):
        return {'observation.state': self._state.copy(), 'tick': self._ticks}

    def _info(self):
        pan = float(self._state[0])
        return {'success': abs(pan) >= self._goal, 'post_hit': self._post is not None and abs(pan) >= self._post,
                'lifted': abs(pan) > 1.0, 'side': 'right' if pan > 1 else 'left' if pan < -1 else 'none',
                'seconds': self._ticks * PERIOD}


def make_walker(checkpoint, sampling):
    return Walker(**sampling)


def make_track(image_size, info):
    return Track()


def make_broken(checkpoint, sampling):
    raise ValueError(f'nothing in {checkpoint}')


def make_dying(checkpoint, sampling):
    os._exit(3)


def make_sleeper(checkpoint, sampling):
    """A policy that takes forever; its process leaves a file named after it in the checkpoint's folder."""
    (Path(checkpoint) / f'worker-{os.getpid()}').touch()
    return Walker(seconds=1000.0)
