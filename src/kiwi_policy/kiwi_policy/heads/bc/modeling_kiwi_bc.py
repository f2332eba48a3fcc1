"""The behaviour cloning head: the conditional mean of the chunk, in one evaluation."""

import torch

from ..policy import KiwiPolicy
from .configuration_kiwi_bc import KiwiBcConfig


class KiwiBcPolicy(KiwiPolicy):
    """Predicts E[chunk | observation], the minimiser of || a_hat - a ||^2.

    The backbone is the flow head's, fed with a zero chunk at tau = 0, so that a comparison of the
    two compares objectives and not networks.
    """

    config_class = KiwiBcConfig
    name = 'kiwi_bc'

    def chunk_loss(self, condition, chunk):
        """Squared error (B, H, D)."""
        return torch.square(self._mean(condition) - chunk)

    @torch.no_grad()
    def sample(self, condition, noise=None):
        """The mean chunk (B, H, D); noise is accepted for the shared interface and not used."""
        return self._mean(condition)

    def _mean(self, condition):
        count = len(condition.embedding)
        blank = condition.tokens.new_zeros(count, self.config.horizon, self.action_dim)
        return self.backbone(blank, blank.new_zeros(count), condition)
