"""The CVAE head: chunks decoded from an observation and a latent z, in one evaluation.

Training maximises the evidence lower bound with a weight beta on its second term,
loss = mean | a_hat(z, o) - a | + beta KL(q(z | a, o) || N(0, I)), z ~ q (Zhao et al. 2023, algorithm 1;
Higgins et al. 2017 for beta).
"""

import torch
from torch import nn

from ..policy import KiwiPolicy, Loss, standard_normal
from .configuration_kiwi_cvae import KiwiCvaeConfig
from .latent import PosteriorEncoder


class KiwiCvaePolicy(KiwiPolicy):
    """Decodes a chunk from z = 0, or from z ~ N(0, I)."""

    config_class = KiwiCvaeConfig
    name = 'kiwi_cvae'

    def __init__(self, config, **kwargs):
        super().__init__(config, **kwargs)
        self.posterior = PosteriorEncoder(
            config.horizon, self.action_dim, config.embedding,
            config.width, config.posterior_depth, config.expansion, config.latent_dim,
        )
        self.latent_in = nn.Linear(config.latent_dim, config.embedding)

    def chunk_loss(self, condition, chunk):
        """Absolute error of the reconstruction; the weighted KL divergence is the term `kl`."""
        posterior = self.posterior(chunk, condition.embedding)
        kl = posterior.kl().sum(dim=-1).mean()
        error = torch.abs(self.decode(condition, posterior.draw()) - chunk)
        return Loss(error, {'kl': self.config.kl_weight * kl})

    @torch.no_grad()
    def sample(self, condition, noise=None):
        """The chunk (B, H, D) of z; noise is z itself, (B, latent_dim), and makes it a sample."""
        shape = (len(condition.embedding), self.config.latent_dim)
        if noise is None and self.config.latent == 'zero':
            return self.decode(condition, condition.embedding.new_zeros(shape))
        return self.decode(condition, standard_normal(shape, condition, noise))

    def decode(self, condition, z):
        """Condition of B observations and z (B, latent_dim) -> normalised chunks (B, H, D)."""
        return self.backbone.decode(
            self.backbone.condition(condition.embedding + self.latent_in(z))
        )
