"""The expert as operator: why it takes over, when it hands back."""

import numpy as np
import pytest

from kiwi_sim.env import ForkEnv
from kiwi_sim.expert import Expert
from kiwi_sim.expert_operator import ExpertOperator, Rules


@pytest.fixture(scope='module')
def env():
    env = ForkEnv(cameras=(), time_limit=30.0)
    yield env
    env.close()


def run(env, seed, policy, rules=None, seconds=25.0):
    """An episode in which `policy(env, tick)` drives unless the operator does; returns the operator, who drove, info."""
    env.reset(seed=seed)
    operator = ExpertOperator(env.world, np.random.default_rng(seed), rules)
    drove, info, env.last = [], {}, env.world.state()
    for tick in range(int(seconds * 30)):
        action = operator.act()
        drove.append(action is not None)
        env.last = policy(env, tick) if action is None else action
        *_, info = env.step(env.last)
        if info['success'] or info['post_hit']:
            break
    return operator, np.array(drove), info


def good(env, side=None):
    expert = None

    def policy(env, _tick):
        nonlocal expert
        if expert is None or expert.done:
            expert = Expert(env.world, np.random.default_rng(2), side=side, resume=expert is not None)
        return expert.act()

    return policy


def idle(env, _tick):
    """Goes on asking for the last pose."""
    action = env.last.copy()
    action[6:] = 0.0
    return action


@pytest.mark.parametrize('side', ['left', 'right'])
@pytest.mark.parametrize('seed', range(4))
def test_a_policy_that_does_well_is_left_alone(env, side, seed):
    operator, drove, info = run(env, seed, good(env, side))
    assert info['success'] and not drove.any() and operator.reasons == []


def test_a_policy_that_does_nothing_is_helped_stage_by_stage(env):
    operator, drove, info = run(env, 0, idle, Rules(patience=1.0))
    assert info['success'] and operator.reasons[0] == 'no progress'
    assert set(operator.reasons) <= {'no progress', 'post', 'dropped'}
    first = int(np.argmax(drove))
    assert first == pytest.approx(30, abs=3), 'after its patience'
    assert not drove.all()


def test_it_stops_an_arm_on_its_way_into_the_post(env):
    def straight(env, tick):
        if tick == 0:
            straight.expert = Expert(env.world, np.random.default_rng(2), side='left')
        if not straight.expert.at_fork:
            return straight.expert.act()
        action = idle(env, tick)
        action[6] = 0.15 if tick < 140 else 0.0
        return action

    alone = run(env, 2, straight, Rules(margin=0.0, patience=100.0), 5.0)[2]
    assert alone['post_hit'], 'nobody else would have stopped it'
    operator, _, info = run(env, 2, straight)
    assert operator.reasons[0] == 'post' and not info['post_hit'] and info['success']


def test_it_comes_for_a_cube_left_behind_and_hands_back_once_it_is_lifted(env):
    def blind(env, tick):
        if tick == 0:
            blind.expert = Expert(env.world, np.random.default_rng(3), side='right')
        action = blind.expert.act()
        action[5] = 50.0
        return action

    env.reset(seed=1)
    operator = ExpertOperator(env.world, np.random.default_rng(0), Rules(margin=0.0))
    lifted_at_release = None
    was = False
    for tick in range(600):
        action = operator.act()
        if was and action is None:
            lifted_at_release = env.world.cube_position()[2]
            break
        was = action is not None
        env.step(blind(env, tick) if action is None else action)
    assert operator.reasons == ['left behind'] and lifted_at_release > 0.025
    assert operator.reason == ''


def test_random_takeovers_come_at_their_rate(env):
    count = sum(len(run(env, seed, good(env), Rules(rate=0.5), 6.0)[0].reasons) for seed in range(5))
    assert 2 <= count <= 25


@pytest.mark.parametrize('name', ['margin', 'patience', 'rate'])
def test_a_rule_out_of_bounds_is_refused(name):
    with pytest.raises(ValueError, match=name):
        Rules(**{name: -1.0})
