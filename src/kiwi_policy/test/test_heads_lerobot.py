"""The heads as LeRobot finds, builds and trains them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from heads_support import FRONT, TINY, lekiwi_stats, random_batch
from lerobot.configs import PreTrainedConfig
from lerobot.configs.parser import load_plugin
from lerobot.policies.factory import get_policy_class, make_policy, make_policy_config

from kiwi_policy.core.features import NAMES

NINE = {'dtype': 'float32', 'shape': (9,), 'names': list(NAMES)}
IMAGE = {'dtype': 'image', 'shape': (48, 64, 3), 'names': ['height', 'width', 'channels']}
META = SimpleNamespace(
    features={'observation.state': NINE, 'action': NINE, FRONT: IMAGE},
    stats={key: {name: np.asarray(value) for name, value in stats.items()}
           for key, stats in lekiwi_stats().items()},
    fps=30,
)


HEADS = ('kiwi_bc', 'kiwi_cvae', 'kiwi_diffusion', 'kiwi_flow')


@pytest.fixture(params=HEADS)
def policy(request):
    return make_policy(make_policy_config(request.param, **TINY), ds_meta=META)


def test_the_plugin_registers_all_types():
    load_plugin('kiwi_policy.heads')
    assert set(HEADS) <= set(PreTrainedConfig.get_known_choices())
    for name in HEADS:
        assert get_policy_class(name).name == name


def test_rate_and_names_come_from_the_dataset(policy):
    assert policy.config.fps == 30.0
    assert policy.config.action_feature_names == list(NAMES)
    assert policy.config.state_feature_names == list(NAMES)
    assert policy.cameras == (FRONT,)


def test_presets_train(policy):
    torch.manual_seed(0)
    optimizer = policy.config.get_optimizer_preset().build(policy.get_optim_params())
    schedule = policy.config.get_scheduler_preset().build(optimizer, 1000)
    batch = random_batch(policy, 4, image_size=(48, 64))
    policy.train()
    before = [p.detach().clone() for p in policy.parameters()]
    for _ in range(2):
        loss, log = policy(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    assert isinstance(log['loss'], float)
    assert any(not torch.equal(a, b) for a, b in zip(before, policy.parameters(), strict=True))
    warmup = policy.config.scheduler_warmup_steps
    assert schedule.get_last_lr()[0] == pytest.approx(2 / warmup * policy.config.optimizer_lr)


def test_the_chunk_is_the_window_asked_of_the_dataset(policy):
    assert policy.config.action_delta_indices == list(range(8))
    assert policy.config.observation_delta_indices is None
    assert policy.config.n_action_steps == 8


def test_default_networks_fit_the_size_of_a_shipped_checkpoint():
    for name in ('kiwi_bc', 'kiwi_flow'):
        cameras = {FRONT: IMAGE, 'observation.images.wrist': IMAGE}
        meta = SimpleNamespace(features=META.features | cameras, stats=META.stats, fps=30)
        policy = make_policy(make_policy_config(name, device='cpu'), ds_meta=meta)
        assert sum(p.numel() for p in policy.parameters()) <= 2_400_000
