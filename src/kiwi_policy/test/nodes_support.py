"""Fakes for the tests of the nodes: a robot, a policy."""

import threading
from dataclasses import dataclass

import numpy as np

from kiwi_policy.core.features import CAMERAS, NAMES, UNITS
from kiwi_policy.hardware.interface import HardwareError

HOME = np.array([0.0, -20.0, 30.0, 60.0, -90.0, 40.0, 0.0, 0.0, 0.0])


class FakeRobot:
    """A robot whose joints jump to their goals; records every call. Implements `Hardware`."""

    def __init__(self):
        self.calls = []
        self.state = HOME.copy()
        self.broken = threading.Event()
        self.health, self.limp = None, False
        self.connected = False

    def connect(self):
        self.calls.append(('connect', None))
        self._check()
        self.connected = True

    def read(self):
        self._check()
        self.calls.append(('read', None))
        return self.state.copy()

    def write(self, action):
        self._check()
        self.calls.append(('write', np.array(action)))
        self.state[:] = action

    def hold(self):
        self._check()
        self.calls.append(('hold', None))
        self.state[6:] = 0.0

    def release(self):
        self._check()
        self.calls.append(('release', None))
        self.limp = True

    def engage(self):
        self._check()
        self.calls.append(('engage', None))
        self.limp = False

    def next_health(self):
        self._check()
        return self.health

    def close(self):
        self.calls.append(('close', None))
        self.connected = False

    def names(self):
        """Names of the calls, reads left out."""
        return [name for name, _ in self.calls if name != 'read']

    def _check(self):
        if self.broken.is_set():
            raise HardwareError('the cable is out')


@dataclass(frozen=True)
class FakeInfo:
    """Looks like `heads.info.PolicyInfo`."""

    head: str = 'fake'
    digest: str = '0123456789abcdef'
    names: tuple = NAMES
    units: tuple = UNITS
    period: float | None = 1.0 / 30.0
    horizon: int = 16
    n_action_steps: int = 16
    n_obs_steps: int = 2
    cameras: tuple = CAMERAS
    action_spread: np.ndarray | None = None
    temporal_ensembling: bool = False
    notes: tuple = ()


@dataclass(frozen=True)
class FakePrediction:
    actions: np.ndarray
    evaluations: int | None


class FakePolicy:
    """Remembers what it was shown and returns the newest state, repeated."""

    def __init__(self, info=None, evaluations=10):
        self.info = info or FakeInfo()
        self.shown, self.prefixes = [], []
        self._evaluations = evaluations

    def predict(self, history, task='', rng=None, prefix=None):
        self.shown.append((history, task, rng))
        self.prefixes.append(prefix)
        actions = np.tile(history[-1]['observation.state'], (self.info.horizon, 1))
        return FakePrediction(actions, self._evaluations)
