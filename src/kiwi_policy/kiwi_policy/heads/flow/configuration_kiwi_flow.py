"""Configuration of the flow matching head."""

from dataclasses import dataclass

from lerobot.configs import PreTrainedConfig

from ..config import KiwiConfig
from .solver import SOLVERS
from .target import TARGETS


@PreTrainedConfig.register_subclass('kiwi_flow')
@dataclass
class KiwiFlowConfig(KiwiConfig):
    """Flow matching head.

    Attributes:
        num_inference_steps: steps of the solver.
        solver: euler (one evaluation per step), midpoint or heun (two).
        prediction: what the network predicts, `sample` (the clean chunk) or `velocity`.
        draws_per_observation: (tau, noise) pairs per encoded observation in the loss.
    """

    num_inference_steps: int = 10
    solver: str = 'euler'
    prediction: str = 'sample'
    draws_per_observation: int = 2

    def __post_init__(self):
        super().__post_init__()
        _choose('solver', self.solver, SOLVERS)
        _choose('prediction', self.prediction, TARGETS)
        for name in ('num_inference_steps', 'draws_per_observation'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name} must be at least 1, got {getattr(self, name)}')


def _choose(name, value, choices):
    if value not in choices:
        raise ValueError(f'{name} {value!r} is none of {", ".join(choices)}')
