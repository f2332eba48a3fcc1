"""The Gaussian likelihood against torch's, and what its head learns of a known Gaussian."""

import pytest
import torch
from heads_support import random_batch, tiny_policy

from kiwi_policy.heads.bc.gaussian import (
    LOG_STD_HIGH,
    LOG_STD_LOW,
    negative_log_likelihood,
    split,
)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_negative_log_likelihood_is_that_of_torch_up_to_its_constant():
    value, mean, log_std = torch.randn(3, 5, 4, 2, dtype=torch.float64)
    normal = torch.distributions.Normal(mean, log_std.exp())
    constant = 0.5 * torch.log(torch.tensor(2 * torch.pi, dtype=torch.float64))
    torch.testing.assert_close(
        negative_log_likelihood(value, mean, log_std), -normal.log_prob(value) - constant
    )


def test_log_std_stays_within_its_bounds():
    output = torch.tensor([[0.3, -1e9], [0.7, 1e9]])
    mean, log_std = split(output)
    torch.testing.assert_close(mean, output[:, :1])
    assert log_std.flatten().tolist() == [LOG_STD_LOW, LOG_STD_HIGH]


def test_the_gaussian_head_learns_mean_and_deviation():
    """Actions of N(m, s^2), the same for every observation: the optimum of the likelihood is (m, s)."""
    policy = tiny_policy('bc', cameras=(), action_dim=2, likelihood='gaussian', state_noise=0.0).train()
    mean, std = torch.tensor([0.5, -1.0]), torch.tensor([0.1, 0.8])
    optimizer = torch.optim.Adam(policy.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=300)
    for _ in range(300):
        batch = {'observation.state': torch.randn(64, 9), 'action': mean + std * torch.randn(64, 8, 2)}
        optimizer.zero_grad()
        policy(batch)[0].backward()
        optimizer.step()
        schedule.step()
    policy.eval()
    condition = policy.condition({'observation.state': torch.randn(50, 9)})
    with torch.no_grad():
        learned_mean, log_std = split(policy.backbone.decode(condition))
    torch.testing.assert_close(learned_mean.mean(dim=(0, 1)), mean, atol=0.05, rtol=0)
    torch.testing.assert_close(log_std.exp().mean(dim=(0, 1)), std, atol=0.0, rtol=0.12)
    torch.testing.assert_close(policy.sample(condition), learned_mean)


def test_both_likelihoods_put_out_chunks_of_one_shape():
    for likelihood in ('mse', 'gaussian'):
        policy = tiny_policy('bc', likelihood=likelihood)
        assert policy.predict_action_chunk(random_batch(policy, 3)).shape == (3, 8, 9)
    with pytest.raises(ValueError, match="likelihood 'laplace' is none of mse, gaussian"):
        tiny_policy('bc', likelihood='laplace')
