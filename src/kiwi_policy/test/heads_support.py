"""Small policies of ours and a fork to learn, for the tests of the heads."""

import math

import torch
from lerobot.configs import FeatureType, PolicyFeature

from kiwi_policy.core.features import DIM, NAMES
from kiwi_policy.heads.bc.configuration_kiwi_bc import KiwiBcConfig
from kiwi_policy.heads.bc.modeling_kiwi_bc import KiwiBcPolicy
from kiwi_policy.heads.cvae.configuration_kiwi_cvae import KiwiCvaeConfig
from kiwi_policy.heads.cvae.modeling_kiwi_cvae import KiwiCvaePolicy
from kiwi_policy.heads.diffusion.configuration_kiwi_diffusion import KiwiDiffusionConfig
from kiwi_policy.heads.diffusion.modeling_kiwi_diffusion import KiwiDiffusionPolicy
from kiwi_policy.heads.flow.configuration_kiwi_flow import KiwiFlowConfig
from kiwi_policy.heads.flow.modeling_kiwi_flow import KiwiFlowPolicy

FRONT, WRIST = 'observation.images.front', 'observation.images.wrist'
POLICIES = {
    'bc': (KiwiBcConfig, KiwiBcPolicy),
    'cvae': (KiwiCvaeConfig, KiwiCvaePolicy),
    'diffusion': (KiwiDiffusionConfig, KiwiDiffusionPolicy),
    'flow': (KiwiFlowConfig, KiwiFlowPolicy),
}

TINY = dict(
    device='cpu', horizon=8, width=16, depth=1, embedding=24,
    image_size=(32, 32), camera_channels=(4, 4, 4), camera_features=8,
)


def tiny_policy(head, state_dim=DIM, action_dim=DIM, cameras=(FRONT, WRIST), **options):
    """A policy of the real modules, small enough for milliseconds."""
    config_class, policy_class = POLICIES[head]
    features = {'observation.state': PolicyFeature(FeatureType.STATE, (state_dim,))}
    features |= {key: PolicyFeature(FeatureType.VISUAL, (3, 32, 32)) for key in cameras}
    config = config_class(
        input_features=features,
        output_features={'action': PolicyFeature(FeatureType.ACTION, (action_dim,))},
        **(TINY | options),
    )
    return policy_class(config)


def lekiwi_policy(head, **options):
    """A tiny policy that knows the names of LeKiwi's values and its rate."""
    names = list(NAMES)
    return tiny_policy(
        head, fps=30.0, state_feature_names=names, action_feature_names=names, **options
    )


def random_batch(policy, count, image_size=(32, 32)):
    """A normalised training batch with uint8 images."""
    config = policy.config
    batch = {
        'observation.state': torch.randn(count, config.robot_state_feature.shape[0]),
        'action': torch.randn(count, config.horizon, config.action_feature.shape[0]),
        'action_is_pad': torch.zeros(count, config.horizon, dtype=torch.bool),
    }
    for key in config.image_features:
        batch[key] = torch.randint(0, 256, (count, 3, *image_size), dtype=torch.uint8)
    return batch


def lekiwi_stats():
    """Statistics of the nine values; arm_wrist_roll.pos and y.vel are nearly constant."""
    std = torch.tensor([20.0, 25.0, 30.0, 15.0, 0.01, 30.0, 0.08, 0.0, 10.0])
    mean = torch.tensor([1.0, -20.0, 30.0, 60.0, -90.0, 40.0, 0.05, 0.0, 0.0])
    stats = {'mean': mean, 'std': std, 'min': mean - 2 * std, 'max': mean + 2 * std}
    return {key: {name: value.clone() for name, value in stats.items()}
            for key in ('observation.state', 'action')}


def fork_modes(state, horizon):
    """Both ways past an obstacle, (B, 2, horizon, 2): x forward, y to the left or to the right."""
    time = torch.linspace(0, 1, horizon)
    x = 2 * time - 1 + 0.3 * state[:, 1:]
    y = torch.sin(math.pi * time) * (1.2 + 0.2 * state[:, :1])
    return torch.stack([torch.stack([x, y], dim=-1), torch.stack([x, -y], dim=-1)], dim=1)


def fork_batch(count, horizon):
    """Demonstrations of the fork, the side drawn with nothing in the state that predicts it."""
    state = torch.randn(count, 2)
    side = torch.randint(0, 2, (count,))
    chunk = fork_modes(state, horizon)[torch.arange(count), side]
    return {'observation.state': state, 'action': chunk}


def train_on_fork(policy, steps, batch_size=64, lr=5e-3):
    """Train in place for a few seconds."""
    optimizer = torch.optim.AdamW(policy.get_optim_params(), lr, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps)
    policy.train()
    for _ in range(steps):
        loss, _ = policy(fork_batch(batch_size, policy.config.horizon))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    policy.eval()
