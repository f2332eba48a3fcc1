"""Configuration of the behaviour cloning head."""

from dataclasses import dataclass

from lerobot.configs import PreTrainedConfig

from ..config import KiwiConfig, check_choice

LIKELIHOODS = ('mse', 'gaussian')


@PreTrainedConfig.register_subclass('kiwi_bc')
@dataclass
class KiwiBcConfig(KiwiConfig):
    """Behaviour cloning head.

    Attributes:
        likelihood: `mse` (a Gaussian of fixed variance) or `gaussian` (its variance learned, per
            value and observation). Both put out the mean.
    """

    likelihood: str = 'mse'

    def __post_init__(self):
        super().__post_init__()
        check_choice('likelihood', self.likelihood, LIKELIHOODS)

    @property
    def outputs_per_action(self):
        return 2 if self.likelihood == 'gaussian' else 1
