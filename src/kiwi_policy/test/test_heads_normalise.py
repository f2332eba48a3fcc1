"""Floors under the standard deviation, in the checkpoint and after it is loaded."""

import pytest
import torch
from heads_support import lekiwi_policy, lekiwi_stats
from lerobot.policies.factory import make_pre_post_processors

from kiwi_policy.core.features import NAMES
from kiwi_policy.heads.normalise import floor_std, floored_stats


def test_floors_by_unit():
    std = floor_std([0.0] * 9, NAMES)
    assert std.tolist() == pytest.approx([1.0] * 5 + [1.0, 0.02, 0.02, 2.0])


def test_what_moves_keeps_its_std():
    std = [20.0, 1.5, 30.0, 15.0, 3.0, 30.0, 0.08, 0.03, 10.0]
    assert floor_std(std, NAMES).tolist() == pytest.approx(std)


def test_unknown_names_get_a_relative_floor():
    assert floor_std([2.0, 0.0]).tolist() == pytest.approx([2.0, 0.002])
    assert floor_std([2.0, 0.0], ['arm_elbow_flex.pos', 'lift']).tolist() == pytest.approx([2.0, 0.002])


def test_names_must_match_the_values():
    with pytest.raises(ValueError, match='9 names for 3 values'):
        floor_std([1.0, 1.0, 1.0], NAMES)


def test_given_statistics_are_left_alone():
    stats = lekiwi_stats()
    floored_stats(lekiwi_policy('flow').config, stats)
    assert float(stats['action']['std'][4]) == pytest.approx(0.01)


def test_without_floors_statistics_pass_through():
    stats = lekiwi_stats()
    assert floored_stats(lekiwi_policy('flow', std_floor=False).config, stats) is stats


@pytest.mark.parametrize('head', ['bc', 'flow'])
def test_processors_floor_both_ways(head, tmp_path):
    config = lekiwi_policy(head).config
    built = make_pre_post_processors(config, dataset_stats=lekiwi_stats())
    for processor in built:
        processor.save_pretrained(tmp_path)
    loaded = make_pre_post_processors(config, pretrained_path=str(tmp_path))
    mean = lekiwi_stats()['action']['mean']
    off = mean.clone()
    off[4] += 0.5  # half a degree of a joint that stood still
    off[7] += 0.01  # m/s
    expected = torch.zeros(9)
    expected[4], expected[7] = 0.5, 0.5
    for pre, post in (built, loaded):
        batch = pre({'observation.state': off.clone(), 'action': off.clone()[None]})
        torch.testing.assert_close(batch['observation.state'][0], expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(batch['action'][0], expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(post(batch['action'])[0], off, atol=1e-4, rtol=0)
