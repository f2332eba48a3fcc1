"""Configuration of the CVAE head."""

from dataclasses import dataclass

from lerobot.configs import PreTrainedConfig

from ..config import KiwiConfig, check_at_least, check_choice

LATENTS = ('zero', 'sample')


@PreTrainedConfig.register_subclass('kiwi_cvae')
@dataclass
class KiwiCvaeConfig(KiwiConfig):
    """CVAE head.

    Attributes:
        latent: z at deployment, `zero` (the prior's mean, as ACT) or `sample` (z ~ N(0, I)).
        latent_dim: size of z.
        kl_weight: beta, the weight of the KL divergence summed over z, beside the mean absolute error
            of a normalised action value. ACT's 10 makes z collapse on all but tiny chunks.
        posterior_depth: blocks of the posterior's network, which only training uses.
    """

    latent: str = 'zero'
    latent_dim: int = 32
    kl_weight: float = 10.0
    posterior_depth: int = 2

    def __post_init__(self):
        super().__post_init__()
        check_choice('latent', self.latent, LATENTS)
        check_at_least(self, 1, 'latent_dim', 'posterior_depth')
        check_at_least(self, 0.0, 'kl_weight')
