"""The base of our heads that can continue a plan: what they are configured with and called with."""

from dataclasses import dataclass

import torch

from kiwi_policy.core.prefix import CONDITIONINGS

from .config import KiwiConfig, check_choice
from .policy import KiwiPolicy
from .prefix import Steering


@dataclass
class PrefixConfig(KiwiConfig):
    """Configuration of a head that can continue a plan; its fields may be overridden when loading.

    Attributes:
        prefix_conditioning: how a chunk continues the plan it is given, one of
            `core.prefix.CONDITIONINGS`.
        prefix_overlap: rows of the plan beyond the certain ones that are continued at most, softly; None for all.
            The fewer, the sooner a chunk follows what the policy sees now.
        guidance_limit: beta of `prefix.guidance_gain`; None takes num_inference_steps.
    """

    prefix_conditioning: str = 'none'
    prefix_overlap: int | None = None
    guidance_limit: float | None = None

    def __post_init__(self):
        super().__post_init__()
        check_choice('prefix_conditioning', self.prefix_conditioning, CONDITIONINGS)
        if self.prefix_overlap is not None and self.prefix_overlap < 0:
            raise ValueError(f'prefix_overlap must be at least 0, got {self.prefix_overlap}')
        if self.guidance_limit is not None and not self.guidance_limit > 0:
            raise ValueError(f'guidance_limit must be above 0, got {self.guidance_limit}')


class PrefixPolicy(KiwiPolicy):
    """A policy whose sampler can be steered.

    Its `sample` takes `plan`, `PlannedRows` or None, beside the condition and the noise.
    """

    config_class = PrefixConfig

    @torch.no_grad()
    def predict_action_chunk(self, batch, noise=None, plan=None):
        """Normalised chunk (B, H, D) for a batch of observations, which continues `plan` where one is given."""
        self.eval()
        return self.sample(self.condition(batch), noise=noise, plan=plan)

    def steering(self, plan, bound=float('inf')):
        """`Steering` to `PlannedRows` as configured, None where nothing steers.

        Args:
            plan: `PlannedRows` or None.
            bound: the sampler clips clean chunks to -bound..bound.

        Raises:
            ValueError: the plan is of another shape than a chunk.
        """
        way = self.config.prefix_conditioning
        if plan is None or way == 'none':
            return None
        if tuple(plan.rows.shape) != (self.config.horizon, self.action_dim):
            raise ValueError(f'the plan must be of shape {(self.config.horizon, self.action_dim)}, '
                             f'got {tuple(plan.rows.shape)}')
        limit = self.config.guidance_limit or self.config.num_inference_steps
        return Steering(way, plan, limit, bound)
