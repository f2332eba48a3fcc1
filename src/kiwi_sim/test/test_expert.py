"""The scripted expert: success on both sides, nothing before the fork tells the side."""

import numpy as np
import pytest

from kiwi_policy.core import features
from kiwi_sim.env import ForkEnv
from kiwi_sim.expert import Expert
from kiwi_sim.ik import ArmIK


@pytest.fixture(scope='module')
def env():
    return ForkEnv(cameras=())


def _run(env, seed, side):
    env.reset(seed=seed)
    expert = Expert(env.world, np.random.default_rng(7), side=side)
    states, info = [], {}
    while not expert.done:
        states.append(env.world.state())
        *_, info = env.step(expert.act())
    return np.array(states), info


@pytest.mark.parametrize('side', ['left', 'right'])
@pytest.mark.parametrize('seed', [0, 1, 2])
def test_the_expert_succeeds_on_either_side(env, seed, side):
    _, info = _run(env, seed, side)
    assert info['success']
    assert info['side'] == side
    assert not info['post_hit']
    assert info['seconds'] < 9.0


def test_up_to_the_lift_both_sides_look_the_same(env):
    left, _ = _run(env, 4, 'left')
    right, _ = _run(env, 4, 'right')
    before_fork = 77  # 2.6 s: reach, descend, close, lift
    assert left[:before_fork].tolist() == right[:before_fork].tolist()
    later = left[before_fork + 20, 0] - right[before_fork + 20, 0]
    assert abs(later) > 5.0


@pytest.mark.parametrize('seed', [0, 3, 8])
def test_the_first_way_begins_at_the_measured_joints_and_never_jumps(env, seed):
    env.reset(seed=seed)
    expert = Expert(env.world, np.random.default_rng(7))
    goals = [env.world.state()[features.POSITIONS]]
    while not expert.at_fork:
        action = expert.act()
        goals.append(action[features.POSITIONS])
        env.step(action)
    steps = np.abs(np.diff(goals, axis=0))
    assert steps[0].max() < 0.5
    assert steps[:, features.ARM].max() < 4.0


def test_the_expert_is_at_the_fork_once_the_cube_is_lifted(env):
    env.reset(seed=5)
    expert = Expert(env.world, np.random.default_rng(7))
    assert not expert.at_fork
    while not expert.at_fork:
        *_, info = env.step(expert.act())
    assert info['lifted']
    assert info['seconds'] < 3.0
    assert env.world.cube_held()
    assert info['side'] == 'none'


def test_sides_are_drawn_evenly_and_independently_of_the_start(env):
    env.reset(seed=0)
    sides = [Expert(env.world, np.random.default_rng([seed, 1])).side for seed in range(200)]
    assert 70 < sides.count('left') < 130


def test_an_unknown_side_is_refused(env):
    with pytest.raises(ValueError, match="'middle'"):
        Expert(env.world, np.random.default_rng(0), side='middle')


def test_inverse_kinematics_reaches_its_point_pointing_down(env):
    env.reset(seed=0)
    world = env.world
    ik = ArmIK(world.model)
    start = world.joint_angles()[:4]
    for point in ([0.27, 0.0, 0.05], [0.28, 0.09, 0.035], [0.30, -0.09, 0.035]):
        start = ik.solve(ik.solve(start, np.array(point)), np.array(point))
        np.testing.assert_allclose(ik.tip_at(start), point, atol=2e-3)
