"""policy_node with a scripted policy: turns the base on a small circle and swings the arm, without torch.

While the file that the environment variable KIWI_BENCH_BROKEN names exists, every inference raises.
"""

import math
import os
import sys
import time
from dataclasses import dataclass

import numpy as np

from kiwi_policy.core.features import CAMERAS, DIM, NAMES, RATE_HZ, UNITS
from kiwi_policy.nodes import policy_node

HORIZON = 16
BASE_VELOCITY = (0.04, 0.0, 30.0)
"""m/s, m/s, deg/s: no wheel stands, and the robot stays where it is."""
SWING, SWING_PERIOD = 12.0, 3.0     # deg and s of the shoulder
BROKEN = 'KIWI_BENCH_BROKEN'


@dataclass(frozen=True)
class Info:
    """Looks like `heads.info.PolicyInfo`."""

    head: str = 'scripted'
    digest: str = '0' * 16
    names: tuple = NAMES
    units: tuple = UNITS
    period: float = 1.0 / RATE_HZ
    horizon: int = HORIZON
    n_action_steps: int = HORIZON
    n_obs_steps: int = 1
    cameras: tuple = CAMERAS
    action_spread: np.ndarray | None = None
    temporal_ensembling: bool = False
    notes: tuple = ()


@dataclass(frozen=True)
class Prediction:
    """Looks like `heads.loader`'s."""

    actions: np.ndarray
    evaluations: int = 1


class ScriptedPolicy:
    """The arm swings around the pose it first saw."""

    def __init__(self):
        self.info = Info()
        self._pose = None

    def predict(self, history, task='', rng=None, prefix=None):
        """A chunk from now on, whatever is shown."""
        if os.path.exists(os.environ.get(BROKEN, '')):
            raise RuntimeError('made to fail')
        state = history[-1]['observation.state']
        if self._pose is None and np.any(state):        # warm-up shows zeros
            self._pose = state.copy()
        actions = np.zeros((HORIZON, DIM))
        actions[:] = state if self._pose is None else self._pose
        times = time.monotonic() + np.arange(HORIZON) * self.info.period
        actions[:, 0] = SWING * np.sin(2 * math.pi * times / SWING_PERIOD)
        actions[:, 6:] = BASE_VELOCITY
        return Prediction(actions)


if __name__ == '__main__':
    sys.exit(policy_node.main(load_policy=lambda _parameters: ScriptedPolicy()))
