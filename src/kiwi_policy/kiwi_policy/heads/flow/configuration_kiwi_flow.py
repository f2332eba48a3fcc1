"""Configuration of the flow matching head."""

from dataclasses import dataclass

from lerobot.configs import PreTrainedConfig

from ..config import check_at_least, check_choice
from ..prefix_policy import PrefixConfig
from .solver import SOLVERS
from .target import TARGETS


@PreTrainedConfig.register_subclass('kiwi_flow')
@dataclass
class KiwiFlowConfig(PrefixConfig):
    """Flow matching head.

    Attributes:
        num_inference_steps: steps of the solver.
        solver: euler (one evaluation per step), midpoint (two) or heun (two, the last step one).
        prediction: what the network predicts, `sample` (the clean chunk) or `velocity`.
        draws_per_observation: (tau, noise) pairs per encoded observation in the loss.
    """

    num_inference_steps: int = 10
    solver: str = 'euler'
    prediction: str = 'sample'
    draws_per_observation: int = 2

    def __post_init__(self):
        super().__post_init__()
        check_choice('solver', self.solver, SOLVERS)
        check_choice('prediction', self.prediction, TARGETS)
        check_at_least(self, 1, 'num_inference_steps', 'draws_per_observation')
