"""The expert goes on from any moment of an episode."""

import numpy as np
import pytest

from kiwi_sim.env import ForkEnv
from kiwi_sim.expert import Expert
from kiwi_sim.resume import beyond_fork, carried_side

ATTEMPTS = 3


@pytest.fixture(scope='module')
def env():
    env = ForkEnv(cameras=(), time_limit=25.0)
    yield env
    env.close()


def begin(env, seed, ticks, side=None):
    """The first `ticks` of an episode by the expert; returns its last action and info."""
    env.reset(seed=seed)
    expert = Expert(env.world, np.random.default_rng([seed, 9]), side=side)
    for _ in range(ticks):
        action = expert.act()
        *_, info = env.step(action)
    return action, info


def finish(env, seed=0):
    """From here on by a new expert, which may look again; returns the experts and the final info."""
    experts = []
    for _ in range(ATTEMPTS):
        experts.append(Expert(env.world, np.random.default_rng(seed), resume=True))
        while not experts[-1].done:
            *_, truncated, info = env.step(experts[-1].act())
            if info['success'] or info['post_hit'] or truncated:
                return experts, info
    return experts, info


@pytest.mark.parametrize('ticks', [1, 30, 60, 75, 90, 110, 130, 160, 180, 200])
def test_it_takes_up_an_expert_that_stopped(env, ticks):
    begin(env, 3, ticks)
    experts, info = finish(env)
    assert info['success'] and not info['post_hit'] and len(experts) == 1


@pytest.mark.parametrize('side', ['left', 'right'])
@pytest.mark.parametrize('ticks', [115, 130, 150])
def test_it_keeps_to_the_side_the_cube_is_on(env, side, ticks):
    begin(env, 4, ticks, side)
    assert carried_side(env.world) == side
    for draw in range(4):
        assert Expert(env.world, np.random.default_rng(draw), resume=True).side == side
    _, info = finish(env)
    assert info['success'] and info['side'] == side


@pytest.mark.parametrize('ticks', [85, 105, 125, 150])
def test_a_dropped_cube_is_grasped_again(env, ticks):
    action, _ = begin(env, 5, ticks)
    for _ in range(15):
        action = action.copy()
        action[5], action[6:] = 60.0, 0.0
        *_, info = env.step(action)
    assert env.world.cube_position()[2] < 0.02, 'it fell'
    assert not info['post_hit']
    experts, info = finish(env)
    assert info['success'] and experts[0].at_fork


def test_it_comes_back_for_a_cube_left_behind(env):
    env.reset(seed=6)
    start = Expert(env.world, np.random.default_rng(1), side='left')
    for _ in range(140):
        action = start.act()
        action[5] = 50.0            # never closes
        *_, info = env.step(action)
    assert not info['lifted'] and not info['post_hit']
    assert beyond_fork(env.world, env.world.tip_position())
    _, info = finish(env)
    assert info['success'] and not info['post_hit']


def test_a_resumed_expert_begins_where_the_arm_is(env):
    for ticks in (20, 70, 120, 170):
        begin(env, 7, ticks)
        measured = env.world.state()
        action = Expert(env.world, np.random.default_rng(0), resume=True).act()
        assert np.abs(action[:5] - measured[:5]).max() < 3.0


def test_starts_of_a_wider_spread_are_no_trouble_and_of_spread_one_the_same():
    wide, plain = ForkEnv(cameras=(), spread=3.0), ForkEnv(cameras=())
    one, two = plain.reset(seed=8)[0], ForkEnv(cameras=(), spread=1.0).reset(seed=8)[0]
    assert np.array_equal(one['observation.state'], two['observation.state'])
    offsets = []
    for seed in range(40):
        wide.reset(seed=seed)
        plain.reset(seed=seed)
        middle = np.array([0.265, 0.0])
        offsets.append((wide.world.cube_position()[:2] - middle, plain.world.cube_position()[:2] - middle))
    far, near = map(np.array, zip(*offsets))
    np.testing.assert_allclose(far, 3.0 * near, atol=1e-9)
    wide.reset(seed=1)
    expert, info = Expert(wide.world, np.random.default_rng(0)), {}
    while not expert.done:
        *_, info = wide.step(expert.act())
    assert info['success']


@pytest.mark.parametrize('spread', [-1.0, float('nan'), float('inf')])
def test_a_spread_out_of_bounds_is_refused(spread):
    with pytest.raises(ValueError, match='spread'):
        ForkEnv(cameras=(), spread=spread)
