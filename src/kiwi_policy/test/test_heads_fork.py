"""A fork with two ways past: the mean squared error runs into the middle, the flow does not."""

import pytest
import torch
from heads_support import fork_modes, tiny_policy, train_on_fork

HORIZON, MIDDLE = 8, 4


def trained(head, steps=250, **options):
    torch.manual_seed(0)
    policy = tiny_policy(
        head, state_dim=2, action_dim=2, cameras=(), width=32, depth=2, embedding=64, state_noise=0.0,
        **options,
    )
    train_on_fork(policy, steps)
    state = torch.randn(300, 2)
    chunks = policy.predict_action_chunk({'observation.state': state})  # (300, H, 2)
    distance = (chunks[:, None] - fork_modes(state, HORIZON)).abs().amax(dim=(2, 3))  # (300, 2)
    return chunks, distance


@pytest.mark.parametrize('likelihood', ['mse', 'gaussian'])
def test_the_mean_of_a_gaussian_collapses_to_the_middle(likelihood):
    chunks, distance = trained('bc', likelihood=likelihood)
    assert float(chunks[:, MIDDLE, 1].abs().mean()) < 0.3
    assert float(distance.amin(dim=1).median()) > 0.8


@pytest.mark.parametrize(('head', 'steps', 'options'), [
    ('flow', 250, {}),
    ('diffusion', 600, {'clip_sample': False}),
    ('cvae', 250, {'latent': 'sample', 'kl_weight': 0.03, 'latent_dim': 1}),
])
def test_a_head_with_a_distribution_keeps_both_ways(head, steps, options):
    chunks, distance = trained(head, steps, **options)
    left = float((chunks[:, MIDDLE, 1] > 0).float().mean())
    assert 0.3 < left < 0.7
    nearest = distance.amin(dim=1)
    assert float(nearest.median()) < 0.15
    assert float((nearest < 0.4).float().mean()) > 0.85
