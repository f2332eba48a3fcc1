"""The scripted expert operates simulated rollouts; what it drives becomes the data of a DAgger round."""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from kiwi_policy.core import features
from kiwi_policy.core.states import Source
from kiwi_policy.core.takeover import OperatorCommand
from kiwi_sim.expert_operator import ExpertOperator

NAME = 'expert'
PICTURES = 'observation.images.'


class Operator(Protocol):
    """Who may take over during a rollout."""

    def begin(self, env, seed):
        """An episode of `env` has been reset to the start of `seed`."""

    def offer(self, executor, now):
        """Hand an `OperatorCommand` to `executor.takeover` at the tick at `now` (s), before it steps."""

    def note(self, observation, command):
        """What the executor commanded on the observation of this tick."""


@dataclass(frozen=True)
class DrivenFrame:
    """One control tick at which an operator drove.

    Attributes:
        state, action: (9,) float32 measured, and commanded after the limits.
        operator: True.
        pictures: camera -> (height, width, 3) uint8.
    """

    state: np.ndarray
    action: np.ndarray
    pictures: dict
    operator: bool = True


@dataclass
class Stretch:
    """Consecutive ticks that an operator drove.

    Attributes:
        reason: why, as of `ExpertOperator`.
        first: number of the first tick of the episode.
        frames: `DrivenFrame`s.
    """

    reason: str
    first: int
    frames: list = field(default_factory=list)


class SimulatedOperator:
    """An `Operator` for `run_rollout`: `ExpertOperator` with a dead-man, and a memory of what it drove.

    Args:
        rules: `kiwi_sim.expert_operator.Rules`.

    Attributes:
        stretches: of the present episode, in order.
    """

    def __init__(self, rules=None):
        self._rules = rules
        self._env = self._expert = None
        self._tick = 0
        self.stretches = []

    def begin(self, env, seed):
        """See `Operator`."""
        self._env, self._tick, self.stretches = env, 0, []
        self._expert = ExpertOperator(env.world, np.random.default_rng([seed, 3]), self._rules)

    def offer(self, executor, now):
        """See `Operator`."""
        action = self._expert.act()
        executor.takeover.take(OperatorCommand(now, action is not None, NAME, features.NAMES, action), now)

    def note(self, observation, command):
        """See `Operator`."""
        if command.source is Source.OPERATOR:
            if not (self.stretches and self.stretches[-1].first + len(self.stretches[-1].frames) == self._tick):
                self.stretches.append(Stretch(self._expert.reason, self._tick))
            self.stretches[-1].frames.append(self._frame(observation, command))
        self._tick += 1

    def _frame(self, observation, command):
        complete = getattr(self._env, 'complete', None)
        seen = complete(observation) if complete else observation
        return DrivenFrame(
            seen['observation.state'], command.values.astype(np.float32),
            {key.removeprefix(PICTURES): value for key, value in seen.items() if key.startswith(PICTURES)})
