"""The forward process and its samplers: diffusers' DDPM and DDIM schedulers, built from our configuration."""

from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

SCHEDULERS = {'DDPM': DDPMScheduler, 'DDIM': DDIMScheduler}


def make_scheduler(config):
    """The scheduler a KiwiDiffusionConfig names."""
    return SCHEDULERS[config.noise_scheduler_type](
        num_train_timesteps=config.num_train_timesteps,
        beta_schedule=config.beta_schedule,
        beta_start=config.beta_start,
        beta_end=config.beta_end,
        prediction_type=config.prediction,
        clip_sample=config.clip_sample,
        clip_sample_range=1.0,
    )


def training_target(scheduler, prediction, chunk, noise, timesteps):
    """What the network should predict, (B, H, D), for a chunk noised at (B,) timesteps."""
    if prediction == 'epsilon':
        return noise
    if prediction == 'sample':
        return chunk
    return scheduler.get_velocity(chunk, noise, timesteps)


def clean_chunk(prediction, output, x, alpha, sigma):
    """The clean chunk (B, H, D) that an output implies at x = alpha a + sigma eps; alpha, sigma floats or (1,)."""
    if prediction == 'epsilon':
        return (x - sigma * output) / alpha
    if prediction == 'sample':
        return output
    return alpha * x - sigma * output


def output_shift(prediction, shift, alpha, sigma):
    """What to add to an output so that the clean chunk it implies moves by `shift`."""
    if prediction == 'epsilon':
        return -alpha / sigma * shift
    if prediction == 'sample':
        return shift
    return -shift / sigma
