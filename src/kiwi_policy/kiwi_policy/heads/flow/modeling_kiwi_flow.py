"""The flow matching head.

Training: tau ~ U[0, 1], x_0 ~ N(0, I), x_tau = (1 - tau) x_0 + tau x_1,
loss = mean || v(x_tau, tau, o) - (x_1 - x_0) ||^2. Sampling: integrate v from noise at tau = 0 to
a chunk at tau = 1. The observation is encoded once for all steps and all draws.
"""

import torch

from ..policy import Loss
from ..prefix_policy import PrefixPolicy
from .configuration_kiwi_flow import KiwiFlowConfig
from .path import straight_path
from .solver import solve
from .target import TARGETS


class KiwiFlowPolicy(PrefixPolicy):
    """Samples chunks from p(chunk | observation)."""

    config_class = KiwiFlowConfig
    name = 'kiwi_flow'

    def __init__(self, config, **kwargs):
        super().__init__(config, **kwargs)
        self.target = TARGETS[config.prediction]

    def chunk_loss(self, condition, chunk):
        """Flow matching loss, the mean of `draws_per_observation` draws."""
        draws = self.config.draws_per_observation
        x_1 = chunk.repeat(draws, 1, 1)  # (draws * B, H, D)
        tau = torch.rand(len(x_1), device=chunk.device, dtype=chunk.dtype)
        point = straight_path(torch.randn_like(x_1), x_1, tau)
        output = self.backbone(point.x, tau, condition.repeat(draws))
        return Loss(self.target.loss(output, point, x_1).unflatten(0, (draws, -1)).mean(dim=0))

    @torch.no_grad()
    def sample(self, condition, noise=None, plan=None):
        """Integrate the field from noise (B, H, D), drawn from N(0, I) unless given.

        Args:
            condition: Condition of B observations.
            noise: as above.
            plan: `PlannedRows` to continue as configured, or None.
        """
        steering = self.steering(plan)

        def velocity(x, tau):
            def network(x):
                return self.backbone(x, x.new_full((len(x),), tau), condition)

            if steering is None:
                return self.target.velocity(network(x), x, tau)
            output, shift = steering(network, lambda output, x: self.target.clean(output, x, tau), x, tau)
            return self.target.velocity(output, x, tau) + shift / (1.0 - tau)

        start = self.noise(condition, noise)
        return solve(self.config.solver, velocity, start, self.config.num_inference_steps)
