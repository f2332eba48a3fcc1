"""The diffusion head.

Forward process, t = 0 .. N - 1: a_t = sqrt(alpha_bar_t) a + sqrt(1 - alpha_bar_t) eps, eps ~ N(0, I).
Training: loss = mean || eps_theta(a_t, t, o) - eps ||^2 (Ho et al. 2020, equation 14). Sampling walks
n of the N steps back from noise to a chunk, from t = (n - 1) floor(N / n) to 0 (diffusers' `leading` spacing).
The observation is encoded once for all steps and all draws.
"""

import torch

from ..policy import KiwiPolicy, Loss
from .configuration_kiwi_diffusion import KiwiDiffusionConfig
from .noise_schedule import make_scheduler, training_target


class KiwiDiffusionPolicy(KiwiPolicy):
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
    def sample(self, condition, noise=None):
        """Denoise from noise (B, H, D), drawn from N(0, I) unless given."""
        chunk = self.noise(condition, noise)
        self.scheduler.set_timesteps(self.config.num_inference_steps, device=chunk.device)
        for timestep in self.scheduler.timesteps:
            tau = self._tau(timestep.expand(len(chunk)))
            output = self.backbone(chunk, tau, condition)
            chunk = self.scheduler.step(output, timestep, chunk).prev_sample
        return chunk

    def _tau(self, timesteps):
        """The backbone's time: 0 for pure noise, towards 1 for data."""
        return 1.0 - (timesteps.to(torch.float32) + 1.0) / self.config.num_train_timesteps
