"""Configuration of the diffusion head."""

from dataclasses import dataclass, field

from lerobot.configs import NormalizationMode, PreTrainedConfig

from ..config import check_at_least, check_choice
from ..prefix_policy import PrefixConfig

SCHEDULERS = ('DDPM', 'DDIM')
PREDICTIONS = ('epsilon', 'sample', 'v_prediction')


@PreTrainedConfig.register_subclass('kiwi_diffusion')
@dataclass
class KiwiDiffusionConfig(PrefixConfig):
    """Diffusion head. Actions are normalised to -1..1, the range the sampler clips to.

    Attributes:
        noise_scheduler_type: DDPM (stochastic) or DDIM (deterministic given its first noise); both
            sample from the same weights.
        num_inference_steps: denoising steps, a divisor of num_train_timesteps: diffusers takes every
            (N / n)-th timestep from 0 on, and with another n would begin far below N.
        num_train_timesteps: N, steps of the forward process.
        beta_schedule, beta_start, beta_end: its noise, as diffusers names them.
        prediction: what the network predicts: the noise (`epsilon`), the clean chunk or v.
        clip_sample: clip the clean chunk implied at every step to -1..1.
        draws_per_observation: (t, noise) pairs per encoded observation in the loss.
    """

    normalization_mapping: dict[str, NormalizationMode] = field(
        default_factory=lambda: {
            'VISUAL': NormalizationMode.IDENTITY,
            'STATE': NormalizationMode.MEAN_STD,
            'ACTION': NormalizationMode.MIN_MAX,
        }
    )
    noise_scheduler_type: str = 'DDIM'
    num_inference_steps: int = 10
    num_train_timesteps: int = 100
    beta_schedule: str = 'squaredcos_cap_v2'
    beta_start: float = 1e-4
    beta_end: float = 0.02
    prediction: str = 'epsilon'
    clip_sample: bool = True
    draws_per_observation: int = 2

    def __post_init__(self):
        super().__post_init__()
        check_choice('noise_scheduler_type', self.noise_scheduler_type, SCHEDULERS)
        check_choice('prediction', self.prediction, PREDICTIONS)
        check_at_least(
            self, 1, 'num_inference_steps', 'num_train_timesteps', 'draws_per_observation'
        )
        if self.num_train_timesteps % self.num_inference_steps:
            divisors = [n for n in range(1, self.num_train_timesteps + 1) if self.num_train_timesteps % n == 0]
            raise ValueError(
                f'num_inference_steps {self.num_inference_steps} does not divide num_train_timesteps '
                f'{self.num_train_timesteps}; choose from {", ".join(map(str, divisors))}'
            )
