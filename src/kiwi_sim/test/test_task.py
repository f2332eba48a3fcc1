"""The judge of the fork task on states made by hand."""

import numpy as np
import pytest

from kiwi_sim.expert import Expert
from kiwi_sim.world import World


@pytest.fixture
def world():
    world = World()
    world.reset(1)
    return world


def _place_cube(world, x, y, z=0.0151):
    joint = world.model.joint('cube')
    start = joint.qposadr[0]
    world.data.qpos[start:start + 7] = (x, y, z, 1, 0, 0, 0)
    world.data.qvel[joint.dofadr[0]:joint.dofadr[0] + 6] = 0


def _place_on_disc(world, off=0.0):
    x, y = world.target_position()
    _place_cube(world, x + off, y)


def test_a_resting_cube_on_the_disc_succeeds_after_a_while(world):
    _place_on_disc(world)
    for _ in range(3):
        world.advance(16)
    assert not world.task.state().success
    for _ in range(20):
        world.advance(16)
    state = world.task.state()
    assert state.success
    assert not state.post_hit


@pytest.mark.parametrize(('off', 'success'), [(0.025, True), (0.035, False), (-0.035, False)])
def test_the_radius_decides(world, off, success):
    _place_on_disc(world, off)
    for _ in range(20):
        world.advance(16)
    assert world.task.state().success is success


def test_a_moving_cube_does_not_succeed(world):
    dof = world.model.joint('cube').dofadr[0]
    for _ in range(200):
        _place_on_disc(world)
        world.data.qvel[dof] = 0.1
        world.advance(4)
    assert not world.task.state().success


def test_a_cube_in_the_air_over_the_disc_is_lifted_and_no_success(world):
    x, y = world.target_position()
    _place_cube(world, x, y, z=0.05)
    world.advance(1)
    assert world.task.state().lifted
    assert not world.task.state().success


def test_success_waits_until_the_cube_is_let_go_and_the_hand_is_away(world):
    expert = Expert(world, np.random.default_rng(0), side='left')
    grip_closed = 10.0

    def act_until(stop):
        while not stop():
            action = expert.act()
            world.command(action)
            world.advance()
        return action

    def hold(action):
        for _ in range(30):
            world.command(action)
            world.advance()

    act_until(lambda: world.state()[5] < grip_closed + 15 and world.task.state().side == 'left')
    action = act_until(lambda: world.task.state().lifted and _low_over_disc(world))
    hold(action)
    assert world.cube_held()
    assert not world.task.state().success
    action = act_until(lambda: world.state()[5] > 45)
    action[6:] = 0
    hold(action)
    assert not world.cube_held()
    assert not world.task.state().success
    act_until(lambda: expert.done)
    hold(world.state())
    assert world.task.state().success


def _low_over_disc(world):
    cube = world.cube_position()
    return np.linalg.norm(cube[:2] - world.target_position()) < 0.015 and cube[2] < 0.0205


def test_touching_the_post_is_remembered_and_forbids_success(world):
    x, y = world.post_position()
    _place_cube(world, x - 0.026, y)
    world.advance(16)
    assert world.task.state().post_hit
    _place_on_disc(world)
    for _ in range(20):
        world.advance(16)
    assert world.task.state().post_hit
    assert not world.task.state().success


@pytest.mark.parametrize(('y', 'side'), [(0.09, 'left'), (-0.09, 'right')])
def test_the_side_is_where_the_cube_first_passes(world, y, side):
    assert world.task.state().side == 'none'
    _place_cube(world, 0.40, y)
    world.advance(1)
    _place_cube(world, 0.40, -y)
    world.advance(1)
    assert world.task.state().side == side


def test_reset_forgets(world):
    x, y = world.post_position()
    _place_cube(world, x - 0.026, y)
    world.advance(16)
    world.reset(1)
    state = world.task.state()
    assert (state.success, state.post_hit, state.lifted, state.side, state.seconds) == (
        False, False, False, 'none', 0.0,
    )
