"""The behaviour cloning head: the conditional mean of the chunk, in one evaluation."""

import torch

from ..policy import KiwiPolicy, Loss
from .configuration_kiwi_bc import KiwiBcConfig
from .gaussian import negative_log_likelihood, split


class KiwiBcPolicy(KiwiPolicy):
    """Predicts the mean of a Gaussian p(chunk | observation).

    With `mse` that is E[chunk | observation], the minimiser of || a_hat - a ||^2; with `gaussian` the
    variance is learned beside it (Nix and Weigend 1994), for the loss alone. The backbone is the flow
    head's, fed with a zero chunk at tau = 0.
    """

    config_class = KiwiBcConfig
    name = 'kiwi_bc'

    def chunk_loss(self, condition, chunk):
        """Squared error, or negative log likelihood."""
        output = self._output(condition)
        if self.config.likelihood == 'mse':
            return Loss(torch.square(output - chunk))
        return Loss(negative_log_likelihood(chunk, *split(output)))

    @torch.no_grad()
    def sample(self, condition, noise=None):
        """The mean chunk (B, H, D)."""
        output = self._output(condition)
        return output if self.config.likelihood == 'mse' else split(output)[0]

    def _output(self, condition):
        return self.backbone.decode(condition)
