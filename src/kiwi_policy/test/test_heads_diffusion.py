"""Diffusion against answers known in closed form."""

import pytest
import torch
from heads_support import random_batch, tiny_policy

from kiwi_policy.heads.backbone import Condition
from kiwi_policy.heads.diffusion.noise_schedule import training_target

MEAN, STD = torch.tensor([0.4, -0.6, 0.1]), torch.tensor([0.1, 0.3, 0.8])


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


class GaussianOracle(torch.nn.Module):
    """The optimal noise predictor for a ~ N(mean, std^2), independent values.

    a_t = sqrt(alpha_bar) a + sqrt(1 - alpha_bar) eps and eps are jointly Gaussian, so that
    E[eps | a_t] = sqrt(1 - alpha_bar) (a_t - sqrt(alpha_bar) mean) / (alpha_bar std^2 + 1 - alpha_bar).
    """

    def __init__(self, alpha_bar, mean=MEAN, std=STD):
        super().__init__()
        self.alpha_bar, self.mean, self.std = alpha_bar, mean, std

    def forward(self, chunk, tau, condition):
        steps = len(self.alpha_bar)
        timestep = torch.round((1.0 - tau) * steps).long() - 1
        alpha_bar = self.alpha_bar[timestep][:, None, None]
        spread = alpha_bar * self.std**2 + 1 - alpha_bar
        return torch.sqrt(1 - alpha_bar) * (chunk - torch.sqrt(alpha_bar) * self.mean) / spread


def blank(count):
    return Condition(torch.zeros(count, 24), torch.zeros(count, 8, 16))


def with_oracle(scheduler, steps, train_steps=100, **options):
    policy = tiny_policy(
        'diffusion', cameras=(), action_dim=3, noise_scheduler_type=scheduler, num_inference_steps=steps,
        num_train_timesteps=train_steps, clip_sample=False, **options,
    )
    policy.backbone = GaussianOracle(policy.scheduler.alphas_cumprod)
    return policy


def sampled(scheduler, steps, train_steps=100, count=3000):
    values = with_oracle(scheduler, steps, train_steps).sample(blank(count)).reshape(-1, 3)
    return values.mean(dim=0), values.std(dim=0)


@pytest.mark.parametrize(('scheduler', 'steps', 'train_steps'), [
    ('DDPM', 100, 100), ('DDPM', 50, 100), ('DDIM', 100, 100), ('DDIM', 1000, 1000),
])
def test_optimal_predictor_of_a_gaussian_gives_that_gaussian(scheduler, steps, train_steps):
    mean, std = sampled(scheduler, steps, train_steps)
    torch.testing.assert_close(mean, MEAN, atol=0.03, rtol=0)
    torch.testing.assert_close(std, STD, atol=0.02, rtol=0.05)


def test_ddim_comes_nearer_to_ddpm_with_more_steps():
    _, reference = sampled('DDPM', 1000, 1000, count=1500)
    errors = [(sampled('DDIM', steps, 1000)[1] - reference).abs().max().item() for steps in (4, 10, 100)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.03


def test_ddim_maps_noise_to_data_as_its_limit_does():
    """The limit of DDIM is an ODE; for a Gaussian it takes noise z to mean + std z."""
    policy = with_oracle('DDIM', 1000, 1000)
    noise = torch.randn(50, 8, 3)
    chunk = policy.sample(blank(50), noise=noise)
    torch.testing.assert_close(chunk, MEAN + STD * noise, atol=0.02, rtol=0.02)


def test_ddim_is_repeatable_from_its_noise_and_ddpm_is_not():
    noise = torch.randn(4, 8, 3)
    for scheduler, repeatable in (('DDIM', True), ('DDPM', False)):
        policy = with_oracle(scheduler, 10)
        first, second = (policy.sample(blank(4), noise=noise) for _ in range(2))
        assert torch.equal(first, second) is repeatable


def test_loss_of_the_optimal_predictor_is_the_conditional_variance():
    """E over t of Var[eps | a_t] = alpha_bar s^2 / (alpha_bar s^2 + 1 - alpha_bar)."""
    policy = with_oracle('DDPM', 10, draws_per_observation=4)
    loss = policy.chunk_loss(blank(5000), MEAN + STD * torch.randn(5000, 8, 3)).chunk
    alpha_bar = policy.scheduler.alphas_cumprod[:, None]
    expected = (alpha_bar * STD**2 / (alpha_bar * STD**2 + 1 - alpha_bar)).mean(dim=0)
    torch.testing.assert_close(loss.mean(dim=(0, 1)), expected, atol=0.0, rtol=0.03)


def test_targets_describe_the_same_noised_chunk():
    policy = tiny_policy('diffusion')
    chunk, noise = torch.randn(2, 5, 8, 9)
    timesteps = torch.tensor([0, 10, 50, 80, 99])
    noised = policy.scheduler.add_noise(chunk, noise, timesteps)
    alpha = torch.sqrt(policy.scheduler.alphas_cumprod[timesteps])[:, None, None]
    sigma = torch.sqrt(1 - alpha**2)
    targets = [training_target(policy.scheduler, kind, chunk, noise, timesteps)
               for kind in ('sample', 'epsilon', 'v_prediction')]
    torch.testing.assert_close(alpha * targets[0] + sigma * targets[1], noised)
    torch.testing.assert_close(alpha * noised - sigma * targets[2], targets[0], atol=1e-5, rtol=1e-4)


def test_chunks_stay_within_the_normalised_range():
    policy = tiny_policy('diffusion')
    chunk = policy.predict_action_chunk(random_batch(policy, 3))
    assert chunk.abs().max().item() <= 1.0 + 1e-5


def test_wrong_settings_are_refused_by_name():
    with pytest.raises(ValueError, match="noise_scheduler_type 'PNDM' is none of DDPM, DDIM"):
        tiny_policy('diffusion', noise_scheduler_type='PNDM')
    with pytest.raises(ValueError, match='60 does not divide num_train_timesteps 100; choose from 1, 2, 4, 5, 10, 20, 25, 50, 100'):
        tiny_policy('diffusion', num_inference_steps=60)
