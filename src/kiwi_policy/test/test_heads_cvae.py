"""The CVAE's latent against closed forms, and what beta does to it."""

import pytest
import torch
from heads_support import fork_batch, random_batch, tiny_policy, train_on_fork

from kiwi_policy.heads.cvae.latent import LOG_VARIANCE_BOUND, Posterior


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_kl_is_that_of_torch():
    mean, log_variance = torch.randn(2, 6, 3, dtype=torch.float64)
    posterior = torch.distributions.Normal(mean, (0.5 * log_variance).exp())
    prior = torch.distributions.Normal(torch.zeros_like(mean), torch.ones_like(mean))
    torch.testing.assert_close(
        Posterior(mean, log_variance).kl(), torch.distributions.kl_divergence(posterior, prior)
    )


def test_kl_vanishes_at_the_prior_alone():
    at_prior = Posterior(torch.zeros(1, 2), torch.zeros(1, 2)).kl()
    assert at_prior.abs().max().item() == 0.0
    assert Posterior(torch.full((1, 2), 0.1), torch.zeros(1, 2)).kl().min().item() > 0.0


def test_draws_have_the_posteriors_moments_and_gradients():
    mean = torch.tensor([[1.0, -2.0]], requires_grad=True)
    log_variance = torch.tensor([[0.0, -2.0]], requires_grad=True)
    z = Posterior(mean.expand(20_000, 2), log_variance.expand(20_000, 2)).draw()
    torch.testing.assert_close(z.mean(dim=0), mean[0], atol=0.03, rtol=0)
    torch.testing.assert_close(z.std(dim=0), (0.5 * log_variance[0]).exp(), atol=0.0, rtol=0.03)
    z.mean(dim=0).sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones(1, 2), atol=1e-3, rtol=0)
    assert log_variance.grad.abs().min().item() < 0.1  # d z / d log sigma^2 = sigma eps / 2, of mean 0


def test_the_same_noise_gives_the_same_draw():
    posterior = Posterior(torch.ones(1, 2), torch.zeros(1, 2))
    torch.testing.assert_close(posterior.draw(torch.tensor([[2.0, -1.0]])), torch.tensor([[3.0, 0.0]]))


def test_log_variance_is_bounded():
    policy = tiny_policy('cvae', cameras=())
    posterior = policy.posterior(1e9 * torch.randn(4, 8, 9), torch.randn(4, 24))
    assert posterior.log_variance.abs().max().item() <= LOG_VARIANCE_BOUND


def test_zero_is_repeatable_and_a_sample_is_not():
    policy = tiny_policy('cvae')
    torch.nn.init.normal_(policy.latent_in.weight)
    for block in policy.backbone.blocks:  # zero at the start, so that the latent has no effect
        torch.nn.init.normal_(block.modulation.weight)
    batch = random_batch(policy, 2)
    first, second = (policy.predict_action_chunk(batch) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    policy.config.latent = 'sample'
    first, second = (policy.predict_action_chunk(batch) for _ in range(2))
    assert (first - second).abs().max() > 1e-3
    z = torch.randn(2, policy.config.latent_dim)
    first, second = (policy.predict_action_chunk(batch, noise=z) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    with pytest.raises(ValueError, match=r'noise must be of shape \(2, 32\), got \(2, 8, 9\)'):
        policy.predict_action_chunk(batch, noise=torch.zeros(2, 8, 9))


def test_loss_is_reconstruction_plus_weighted_kl():
    policy = tiny_policy('cvae', kl_weight=3.0)
    with torch.no_grad():
        policy.posterior.latent_out.weight.normal_()
    loss, log = policy(random_batch(policy, 4))
    assert log['kl'] > 0
    assert loss.item() == pytest.approx(log['chunk'] + log['kl'], rel=1e-5)
    assert log['loss'] == pytest.approx(loss.item())


def kl_after_training(kl_weight):
    torch.manual_seed(0)
    policy = tiny_policy(
        'cvae', state_dim=2, action_dim=2, cameras=(), width=32, embedding=64, state_noise=0.0,
        kl_weight=kl_weight, latent_dim=4,
    )
    train_on_fork(policy, 150)
    batch = fork_batch(200, policy.config.horizon)
    with torch.no_grad():
        condition = policy.condition(batch)
        return float(policy.posterior(batch['action'], condition.embedding).kl().sum(dim=-1).mean())


def test_a_large_beta_makes_the_latent_collapse():
    """The side is one bit, 0.69 nats: a latent that keeps it costs at least that, a collapsed one nothing."""
    assert kl_after_training(0.01) > 0.6
    assert kl_after_training(10.0) < 0.05
