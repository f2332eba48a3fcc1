"""The expert operates simulated rollouts: through the executor, and what it drove becomes a dataset."""

import json

import numpy as np
import pytest
from kiwi_training import takeover_rounds
from kiwi_training.bags.rollout_dataset import LOG_NAME
from kiwi_training.dataset_source import open_dataset
from kiwi_training.frugal_env import FrugalForkEnv
from kiwi_training.rollouts import RolloutSettings, run_rollout
from kiwi_training.takeovers import SimulatedOperator

from kiwi_policy.core.executor import ExecutorConfig
from kiwi_policy.core.features import BASE, DIM, NAMES, POSITIONS
from kiwi_policy.core.limits import Limits
from kiwi_policy.core.states import Source
from kiwi_sim.expert_operator import Rules


class Still:
    """A policy that wants to stay where it is."""

    def __init__(self, cameras=()):
        from types import SimpleNamespace
        self.info = SimpleNamespace(names=NAMES, period=1 / 30, horizon=16, n_action_steps=16, action_spread=np.full(DIM, 50.0),
                                    cameras=cameras, n_obs_steps=1, fps=30.0)
        self.seen = []

    def predict(self, history, task='', rng=None, prefix=None):
        from types import SimpleNamespace
        self.seen.append(sorted(history[-1]))
        rows = np.tile(history[-1]['observation.state'], (16, 1))
        rows[:, BASE] = 0.0
        return SimpleNamespace(actions=rows, evaluations=1)


def rollout(latency=0.0, cameras=(), seed=3):
    env = FrugalForkEnv(image_size=(24, 32), cameras=cameras)
    operator, policy = SimulatedOperator(Rules(patience=1.0)), Still(cameras)
    settings = RolloutSettings(ExecutorConfig(initial_latency=latency), latency, 25.0)
    return run_rollout(env, policy, settings, seed, operator=operator), operator, policy


@pytest.mark.parametrize('latency', [0.0, 0.2])
def test_a_hopeless_policy_succeeds_with_help_and_the_executor_says_who_drove(latency):
    done, operator, _ = rollout(latency)
    assert done.outcome == 'success'
    driven = done.sources == Source.OPERATOR
    assert driven.sum() == sum(len(stretch.frames) for stretch in operator.stretches)
    assert done.status.operator_takeovers == len(operator.stretches)
    assert done.status.operator_seconds == pytest.approx(driven.sum() / 30)
    for stretch in operator.stretches:
        assert driven[stretch.first:stretch.first + len(stretch.frames)].all() and stretch.reason
        actions = done.actions[stretch.first:stretch.first + len(stretch.frames)]
        np.testing.assert_allclose([frame.action for frame in stretch.frames], actions, atol=1e-5)


def test_neither_taking_over_nor_handing_back_exceeds_the_limits():
    done, _, _ = rollout(0.2)
    limits = Limits()
    steps = np.abs(np.diff(done.actions, axis=0))
    assert np.all(steps[:, POSITIONS] <= np.array(limits.joint_speed) / 30 + 1e-6)
    driven = np.flatnonzero(np.diff((done.sources == Source.OPERATOR).astype(int)))
    assert len(driven) >= 2
    assert np.all(steps[driven][:, BASE] <= np.array(limits.base_acceleration) / 30 + 1e-6)


def test_the_same_seed_is_operated_the_same():
    one, two = rollout()[0], rollout()[0]
    assert np.array_equal(one.actions, two.actions)


def test_frames_have_the_pictures_of_their_tick():
    done, operator, policy = rollout(cameras=('front', 'wrist'))
    frame = operator.stretches[0].frames[0]
    assert {name: picture.shape for name, picture in frame.pictures.items()} == {'front': (24, 32, 3), 'wrist': (24, 32, 3)}
    assert frame.state.dtype == frame.action.dtype == np.float32
    assert 'observation.images.front' in policy.seen[0]


def test_the_command_writes_a_dataset_of_takeovers(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr('kiwi_training.evaluation.load_checkpoint', lambda *_: Still(('front', 'wrist')))
    root = tmp_path / 'corrections'
    words = [str(tmp_path), '--root', str(root), '--rollouts', '1', '--seed', '3', '--patience', '1', '--image-size', '32x32']
    assert takeover_rounds.main(words) == 0
    said = capsys.readouterr().out
    assert '1 rollouts in' in said and 'no progress' in said
    meta = open_dataset(root)
    assert meta.total_episodes >= 1 and set(meta.camera_keys) == {'observation.images.front', 'observation.images.wrist'}
    log = json.loads((root / LOG_NAME).read_text())['episodes']
    assert sum(entry['frames'] for entry in log) == meta.total_frames
    assert {'reason', 'first', 'last', 'success'} <= set(log[0])
    assert takeover_rounds.main([*words[:3], '--rollouts', '1', '--seed', '4', '--patience', '1', '--image-size', '32x32']) == 0
    assert open_dataset(root).total_episodes > meta.total_episodes, 'appended'


def test_wrong_usage_is_named(tmp_path, capsys):
    assert takeover_rounds.main([str(tmp_path / 'none'), '--root', str(tmp_path / 'x')]) == 2
    assert 'no checkpoint folder' in capsys.readouterr().err
    assert takeover_rounds.main([str(tmp_path), '--root', str(tmp_path / 'x'), '--rollouts', '0']) == 2
    assert '--rollouts must be at least 1' in capsys.readouterr().err
