"""Previews of chunks: forward kinematics against the simulation, and sides against hand-made ways."""

import numpy as np
import pytest

from kiwi_policy.core import features
from kiwi_sim.env import ForkEnv
from kiwi_sim.expert import Expert
from kiwi_sim.preview import chunk_path, chunk_side

POST = (0.375, 0.0)


@pytest.fixture(scope='module')
def episodes():
    """The expert on either side: actions (T, 9), base poses (T, 3), tips (T, 3) after each action, world."""
    env = ForkEnv(cameras=())
    result = {}
    for side in ('left', 'right'):
        env.reset(seed=3)
        expert = Expert(env.world, np.random.default_rng(1), side=side)
        rows = []
        while not expert.done:
            pose, action = env.world.base_pose(), expert.act()
            env.step(action)
            rows.append((action, pose, env.world.tip_position()))
        result[side] = [np.array(column) for column in zip(*rows)]
    return result, env.world


def test_a_still_chunk_stays_where_the_tip_is(episodes):
    world = episodes[1]
    before = world.data.qpos.copy(), world.data.time
    state = world.state()
    state[features.BASE] = 0.0
    path = chunk_path(world, world.base_pose(), [state] * 3)
    np.testing.assert_allclose(path, [world.tip_position()] * 3, atol=1e-3)
    assert (world.data.qpos.tolist(), world.data.time) == (before[0].tolist(), before[1])
    assert chunk_path(world.model, world.base_pose(), [state]).tolist() == path[:1].tolist()


def test_the_base_is_integrated_in_its_own_frame(episodes):
    world = episodes[1]
    action = np.zeros(9)
    still = chunk_path(world, (0, 0, 0), [action])[0]
    action[features.BASE] = (0.3, 0.0, 90.0)  # a quarter turn of radius 0.3 / (pi / 2) in 1 s
    path = chunk_path(world, (1.0, 2.0, np.pi / 2), [action] * 30)
    radius = 0.3 / (np.pi / 2)
    base = np.array([1.0 - radius, 2.0 + radius])  # heading along -x
    np.testing.assert_allclose(path[-1, :2], base - still[:2], atol=1e-3)
    assert path[-1, 2] == pytest.approx(still[2])


@pytest.mark.parametrize('side', ['left', 'right'])
def test_the_path_is_the_way_that_was_executed(episodes, side):
    (actions, poses, tips), world = episodes[0][side], episodes[1]
    path = chunk_path(world, poses[0], actions)
    assert np.linalg.norm(path - tips, axis=1)[40:].max() < 0.03
    assert np.median(np.linalg.norm(path - tips, axis=1)) < 0.012


@pytest.mark.parametrize('side', ['left', 'right'])
@pytest.mark.parametrize('horizon', [16, 64])
def test_chunks_of_the_expert_tell_its_side_around_the_fork_and_none_before_and_after(episodes, side, horizon):
    (actions, poses, _), world = episodes[0][side], episodes[1]
    told = [
        chunk_side(chunk_path(world, poses[at], actions[at:at + horizon]), world.post_position())
        for at in range(0, len(actions) - 4, 4)
    ]
    first, last = told.index(side), len(told) - 1 - told[::-1].index(side)
    assert set(told[first:last + 1]) == {side}
    assert set(told[:first]) == set(told[last + 1:]) == {'none'}
    if horizon == 64:
        assert told[77 // 4 + 1] == side


def _way(*points):
    """A way (40, 3) through points (x, y) from the post."""
    corners = np.array([(POST[0] + x, POST[1] + y, 0.04) for x, y in points])
    at = np.linspace(0, len(corners) - 1, 40)
    return np.column_stack([np.interp(at, np.arange(len(corners)), column) for column in corners.T])


@pytest.mark.parametrize(('points', 'side'), [
    ([(-0.11, 0.0), (-0.04, 0.1), (0.1, 0.1)], 'left'),
    ([(-0.11, 0.0), (-0.04, -0.1), (0.1, -0.1)], 'right'),
    ([(-0.11, 0.02), (0.1, 0.0)], 'none'),               # into the post
    ([(-0.11, 0.0), (-0.06, 0.06)], 'left'),             # ends on the way there
    ([(-0.2, 0.04), (-0.1, 0.04)], 'none'),              # has not left the cube's place
    ([(0.02, -0.1), (0.1, -0.1), (0.11, 0.0)], 'right'),  # begins beyond the post
    ([(0.11, 0.035), (0.11, 0.035)], 'none'),            # sets the cube down
    ([(-0.05, -0.1), (0.05, -0.1), (-0.05, 0.1)], 'right'),  # the first crossing counts
])
def test_sides_of_ways(points, side):
    assert chunk_side(_way(*points), POST) == side


def test_the_deadband_is_an_argument_and_one_row_is_a_way():
    way = _way((-0.1, 0.0), (0.1, 0.04))
    assert chunk_side(way, POST) == 'none'
    assert chunk_side(way, POST, deadband=0.01) == 'left'
    assert chunk_side(way[-1:, :2], POST, deadband=0.01) == 'none'
    assert chunk_side([(0.40, 0.05)], POST) == 'left'


def test_bad_shapes_are_named(episodes):
    world = episodes[1]
    with pytest.raises(ValueError, match=r'\(4, 8\)'):
        chunk_path(world, (0, 0, 0), np.zeros((4, 8)))
    with pytest.raises(ValueError, match='finite'):
        chunk_path(world, (0, 0, np.nan), np.zeros((4, 9)))
    with pytest.raises(ValueError, match=r'\(0,\)'):
        chunk_side([], POST)
