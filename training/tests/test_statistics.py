"""Constant values of a dataset, which LeRobot's normalisation blows up."""

import numpy as np
import pytest
import torch
from kiwi_training.statistics import mend_constants


def stats_of(values):
    """As LeRobot keeps them, with the rounding error of its running mean."""
    return {'mean': values.mean(0) - np.array([0.0, 6e-5]), 'std': values.std(0), 'min': values.min(0), 'max': values.max(0)}


def test_a_constant_action_is_normalised_to_0_by_lerobots_act():
    from lerobot.configs import FeatureType, PolicyFeature
    from lerobot.policies.act.configuration_act import ACTConfig
    from lerobot.policies.factory import make_pre_post_processors
    values = np.column_stack([np.arange(5.0), np.full(5, -89.95438)])
    stats, constants = mend_constants({'action': stats_of(values), 'observation.state': stats_of(values)})
    assert constants == {'action': [1], 'observation.state': [1]}
    config = ACTConfig(device='cpu', chunk_size=4, n_action_steps=4,
                       input_features={'observation.state': PolicyFeature(FeatureType.STATE, (2,)),
                                       'observation.images.front': PolicyFeature(FeatureType.VISUAL, (3, 8, 8))},
                       output_features={'action': PolicyFeature(FeatureType.ACTION, (2,))})
    pre, post = make_pre_post_processors(config, dataset_stats=stats)
    batch = {'observation.state': torch.tensor(values, dtype=torch.float32),
             'action': torch.tensor(values, dtype=torch.float32),
             'observation.images.front': torch.zeros(5, 3, 8, 8)}
    actions = pre(batch)['action']
    assert actions[:, 1].abs().max() < 1e-3
    assert actions[:, 0].square().mean() == pytest.approx(1.0)
    torch.testing.assert_close(post(actions), batch['action'])


def test_what_changes_is_left_alone():
    stats = {'action': stats_of(np.random.default_rng(0).normal(size=(20, 2))), 'observation.images.front': {'mean': 1}}
    mended, constants = mend_constants(stats)
    assert constants == {} and mended == stats
