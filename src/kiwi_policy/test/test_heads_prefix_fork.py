"""At a fork a chunk that continues a plan keeps to the plan's side; chunks sampled anew take either."""

import pytest
import torch
from heads_support import fork_modes, tiny_policy, train_on_fork

from kiwi_policy.heads.prefix import planned_rows

HORIZON, MIDDLE, COUNT = 8, 4, 400


@pytest.fixture(scope='module', params=[('flow', 250, {}), ('diffusion', 600, {'clip_sample': False})],
                ids=['flow', 'diffusion'])
def policy(request):
    head, steps, options = request.param
    torch.manual_seed(0)
    policy = tiny_policy(head, state_dim=2, action_dim=2, cameras=(), width=32, depth=2, embedding=64,
                         state_noise=0.0, **options)
    train_on_fork(policy, steps)
    return policy


@pytest.mark.parametrize('way, planned, share', [
    ('project', 5, 0.65), ('project', 8, 0.95), ('guidance', 5, 0.9), ('guidance', 8, 0.93),
])
@pytest.mark.parametrize('side', [0, 1])
def test_a_chunk_keeps_to_the_side_of_its_plan(policy, way, planned, share, side):
    """Three rows are certain; project needs the rest of the plan to be sure of its side, guidance does not."""
    torch.manual_seed(1)
    state = torch.zeros(COUNT, 2)
    mode = fork_modes(state[:1], HORIZON)[0, side]                          # (H, 2)
    policy.config.prefix_conditioning = way
    chunks = policy.predict_action_chunk({'observation.state': state}, plan=planned_rows(mode[:planned], 3, HORIZON))
    on_side = (chunks[:, MIDDLE:, 1].sum(dim=1) > 0) == (side == 0)
    assert float(on_side.float().mean()) > share
    missed = (chunks[:, :3] - mode[:3]).abs().amax(dim=(1, 2))
    assert float(missed.median()) < (1e-4 if way == 'project' else 0.1)
    assert float((chunks - mode).abs().amax(dim=(1, 2)).median()) < 0.2


def test_without_a_plan_both_sides_are_taken(policy):
    torch.manual_seed(1)
    free = policy.predict_action_chunk({'observation.state': torch.zeros(COUNT, 2)})
    assert 0.3 < float((free[:, MIDDLE, 1] > 0).float().mean()) < 0.7
