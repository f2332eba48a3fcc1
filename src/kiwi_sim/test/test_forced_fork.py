"""The forced fork: where it begins, what counts as success, and that the mean of both ways fails."""

import numpy as np
import pytest

from kiwi_sim.forced_fork import CHUNK_ROWS, ForcedForkEnv


@pytest.fixture(scope='module')
def env():
    return ForcedForkEnv(cameras=())


def _chunk(env, seed, side, rows=CHUNK_ROWS):
    """What the expert does in the first rows, and the info after each."""
    env.reset(seed=seed, options={'side': side})
    actions, infos = [], []
    for _ in range(rows):
        actions.append(env.expert.act())
        infos.append(env.step(actions[-1])[4])
    return np.array(actions), infos


def _run(env, seed, actions):
    env.reset(seed=seed)
    for action in actions:
        _, reward, terminated, truncated, info = env.step(action)
        if terminated or truncated:
            break
    return reward, terminated, truncated, info


def test_an_episode_begins_with_the_cube_lifted_before_the_post(env):
    for seed in range(3):
        observation, info = env.reset(seed=seed)
        assert info == {
            'success': False, 'post_hit': False, 'lifted': True, 'side': 'none', 'seconds': 0.0, 'seed': seed,
        }
        assert set(observation) == {'observation.state'}
        x, y, z = env.world.cube_position()
        assert env.world.post_position()[0] - x > 0.08
        assert z > 0.025
        assert env.world.cube_held()


def test_nothing_at_the_start_tells_the_side(env):
    states = []
    for side in ('left', 'right'):
        env.reset(seed=2, options={'side': side})
        assert env.expert.side == side
        states.append(env.world.data.qpos.tobytes() + env.world.data.qvel.tobytes())
    assert states[0] == states[1]


def test_the_same_seed_gives_the_same_episode(env):
    first, second = env, ForcedForkEnv(cameras=())
    second.reset(seed=9)
    one, two = first.reset(seed=4)[0], second.reset(seed=4)[0]
    for _ in range(10):
        assert one['observation.state'].tobytes() == two['observation.state'].tobytes()
        one, two = first.step(one['observation.state'])[0], second.step(two['observation.state'])[0]
    assert first.expert.side == second.expert.side


@pytest.mark.parametrize('side', ['left', 'right'])
def test_the_expert_passes_open_loop_within_one_chunk(env, side):
    actions, _ = _chunk(env, 1, side)
    reward, terminated, _, info = _run(env, 1, actions)
    assert (reward, terminated) == (1.0, True)
    assert info['side'] == side
    assert info['seconds'] < 53 / 30


def test_the_mean_of_both_ways_hits_the_post(env):
    left, _ = _chunk(env, 1, 'left')
    right, _ = _chunk(env, 1, 'right')
    reward, terminated, truncated, info = _run(env, 1, (left + right) / 2)
    assert info['post_hit']
    assert not info['success']
    assert (reward, terminated, truncated) == (0.0, False, True)


def test_the_cube_must_be_beyond_the_post_and_carried(env):
    _, infos = _chunk(env, 0, 'left', rows=60)
    passed = [info['side'] != 'none' for info in infos]
    success = [info['success'] for info in infos]
    assert passed.index(True) < success.index(True)
    drop = env.world.state()
    drop[5] = 60.0
    for _ in range(15):
        *_, info = env.step(drop)
    assert not info['success']


def test_a_failed_approach_is_an_error(env, monkeypatch):
    monkeypatch.setattr(env.world, 'cube_held', lambda: False)
    with pytest.raises(RuntimeError, match='approach of seed 3'):
        env.reset(seed=3)


def test_unknown_options_are_refused(env):
    with pytest.raises(ValueError, match="'middle'"):
        env.reset(seed=0, options={'side': 'middle'})
    with pytest.raises(ValueError, match='speed.*choose from.*side'):
        env.reset(seed=0, options={'speed': 2})
