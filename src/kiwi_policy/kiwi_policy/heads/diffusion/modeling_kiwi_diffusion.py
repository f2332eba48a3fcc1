"""The diffusion head.

Forward process, t = 0 .. N - 1: a_t = sqrt(alpha_bar_t) a + sqrt(1 - alpha_bar_t) eps, eps ~ N(0, I).
Training: loss = mean || eps_theta(a_t, t, o) - eps ||^2 (Ho et al. 2020, equation 14). Sampling walks
n of the N steps back from noise to a chunk, from t = (n - 1) floor(N / n) to 0 (diffusers' `leading` spacing).
The observation is encoded once for all steps and all draws.
"""

import math

import torch

from ..policy import Loss
from ..prefix_policy import PrefixPolicy
from .configuration_kiwi_diffusion import KiwiDiffusionConfig
from .noise_schedule import clean_chunk, make_scheduler, output_shift, training_target


class KiwiDiffusionPolicy(PrefixPolicy):
    """Samples chunks from p(chunk | observation)."""

    config_class = KiwiDiffusionConfig
    name = 'kiwi_diffusion'

    def __init__(self, config, **kwargs):
        super().__init__(config, **kwargs)
        self.scheduler = make_scheduler(config)

    def chunk_loss(self, condition, chunk):
        """Denoising loss, the mean of `draws_per_observation` draws."""
        draws = self.config.draws_per_observation
        chunk = chunk.repeat(draws, 1, 1)  # (draws * B, H, D)
        noise = torch.randn_like(chunk)
        timesteps = torch.randint(self.config.num_train_timesteps, (len(chunk),), device=chunk.device)
        noised = self.scheduler.add_noise(chunk, noise, timesteps)
        output = self.backbone(noised, self._tau(timesteps), condition.repeat(draws))
        target = training_target(self.scheduler, self.config.prediction, chunk, noise, timesteps)
        return Loss(torch.square(output - target).unflatten(0, (draws, -1)).mean(dim=0))

    @torch.no_grad()
    def sample(self, condition, noise=None, plan=None):
        """Denoise from noise (B, H, D), drawn from N(0, I) unless given.

        Args:
            condition: Condition of B observations.
            noise: as above.
            plan: `PlannedRows` to continue as configured, or None.
        """
        chunk = self.noise(condition, noise)
        scheduler = self.scheduler
        clipped = scheduler.config.clip_sample
        steering = self.steering(plan, bound=scheduler.config.clip_sample_range if clipped else math.inf)
        scheduler.set_timesteps(self.config.num_inference_steps, device=chunk.device)
        for timestep in scheduler.timesteps:
            tau = self._tau(timestep.expand(len(chunk)))

            def network(x, tau=tau):
                return self.backbone(x, tau, condition)

            output = network(chunk) if steering is None else self._steered(steering, network, chunk, timestep)
            chunk = scheduler.step(output, timestep, chunk).prev_sample
        return chunk

    def _steered(self, steering, network, chunk, timestep):
        """The output at a_t = alpha a + sigma eps, changed so that it implies the steered clean chunk.

        a_t / (alpha + sigma) lies on the straight path at tau = alpha / (alpha + sigma).
        """
        alpha_bar = float(self.scheduler.alphas_cumprod[timestep])
        alpha, sigma = math.sqrt(alpha_bar), math.sqrt(1.0 - alpha_bar)
        kind, scale = self.config.prediction, alpha + sigma
        output, shift = steering(network, lambda output, x: clean_chunk(kind, output, x, alpha, sigma), chunk,
                                 alpha / scale, scale)
        return output + output_shift(kind, shift, alpha, sigma)

    def _tau(self, timesteps):
        """The backbone's time: 0 for pure noise, towards 1 for data."""
        return 1.0 - (timesteps.to(torch.float32) + 1.0) / self.config.num_train_timesteps
