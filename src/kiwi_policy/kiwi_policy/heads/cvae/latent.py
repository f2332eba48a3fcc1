"""The Gaussian posterior q(z | chunk, observation), its sampling and its distance from the prior."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..backbone import MixerBlock

LOG_VARIANCE_BOUND = 10.0
"""Largest absolute log variance, so that an early step cannot overflow."""


@dataclass(frozen=True)
class Posterior:
    """A diagonal Gaussian over z.

    Attributes:
        mean: (B, latent_dim).
        log_variance: (B, latent_dim).
    """

    mean: Tensor
    log_variance: Tensor

    def draw(self, noise=None):
        """z = mu + sigma eps, eps ~ N(0, I): the reparameterisation of Kingma and Welling (2014)."""
        noise = torch.randn_like(self.mean) if noise is None else noise
        return self.mean + torch.exp(0.5 * self.log_variance) * noise

    def kl(self):
        """KL(q || N(0, I)) per latent value, (B, latent_dim) in nats: (mu^2 + sigma^2 - log sigma^2 - 1) / 2."""
        variance = torch.exp(self.log_variance)
        return 0.5 * (torch.square(self.mean) + variance - self.log_variance - 1.0)


class PosteriorEncoder(nn.Module):
    """Chunk and observation to q(z | chunk, observation); thrown away at deployment.

    Steps beyond an episode's end repeat its last action, so they tell z nothing new and are not masked.

    Args:
        horizon: H, steps of the chunk.
        action_dim: D, values per step.
        embedding: size of the observation's embedding.
        width, depth, expansion: as in the backbone.
        latent_dim: size of z.
    """

    def __init__(self, horizon, action_dim, embedding, width, depth, expansion, latent_dim):
        super().__init__()
        self.action_in = nn.Linear(action_dim, width)
        self.position = nn.Parameter(0.02 * torch.randn(horizon, width))
        self.blocks = nn.ModuleList(
            MixerBlock(horizon, width, embedding, expansion) for _ in range(depth)
        )
        self.norm_out = nn.LayerNorm(width)
        self.latent_out = nn.Linear(width, 2 * latent_dim)

    def forward(self, chunk, embedding):
        """Chunk (B, H, D) and embedding (B, embedding) -> Posterior."""
        tokens = self.action_in(chunk) + self.position
        for block in self.blocks:
            tokens = block(tokens, embedding)
        mean, log_variance = self.latent_out(self.norm_out(tokens).mean(dim=1)).chunk(2, dim=-1)
        return Posterior(mean, log_variance.clamp(-LOG_VARIANCE_BOUND, LOG_VARIANCE_BOUND))
