"""The world's physics as servos see it."""

import threading

import numpy as np
import pytest

from kiwi_policy.core import features
from kiwi_sim.kinematics import body_to_wheel_raw
from kiwi_sim.views import Views
from kiwi_sim.world import START_POSE, World


@pytest.fixture
def world():
    world = World()
    world.reset(1)
    return world


def _advance(world, seconds):
    world.advance(round(seconds * 480))


def test_reset_is_decided_by_the_seed():
    first, second = World(), World()
    first.reset(5)
    second.reset(4)
    _advance(second, 0.2)
    second.reset(5)
    assert first.data.qpos.tolist() == second.data.qpos.tolist()
    assert first.target_position().tolist() == second.target_position().tolist()
    second.reset(6)
    assert first.data.qpos.tolist() != second.data.qpos.tolist()


def test_the_way_time_is_cut_changes_nothing(world):
    other = World()
    other.reset(1)
    action = world.state() + [5, 5, -5, 3, 2, 10, 0.1, 0.05, 20.0]
    for each in (world, other):
        each.command(action)
    world.advance(48)
    for _ in range(48):
        other.advance(1)
    assert world.data.qpos.tolist() == other.data.qpos.tolist()


def test_the_arm_holds_its_start_pose(world):
    before = world.joint_angles().copy()
    _advance(world, 1.0)
    assert np.abs(world.joint_angles() - before).max() < 0.02
    assert np.abs(before - START_POSE).max() <= 0.03


def test_the_arm_follows_its_goal(world):
    goal = world.state()
    goal[features.ARM] += [10, 8, -8, 5, -5]
    goal[5] = 60.0
    world.command(goal)
    _advance(world, 1.0)
    np.testing.assert_allclose(world.state()[features.ARM], goal[features.ARM], atol=1.0)
    assert world.state()[5] == pytest.approx(60.0, abs=2.0)


@pytest.mark.parametrize('velocity', [(0.15, 0.0, 0.0), (0.0, -0.12, 0.0), (0.0, 0.0, 40.0), (0.1, 0.05, -30.0)])
def test_the_base_follows_its_velocity_in_its_own_frame(world, velocity):
    action = world.state()
    action[features.BASE] = velocity
    world.command(action)
    _advance(world, 0.5)
    np.testing.assert_allclose(world.state()[6:8], velocity[:2], atol=0.01)
    assert world.state()[8] == pytest.approx(velocity[2], abs=2.0)


def test_the_base_moves_as_far_as_it_is_told(world):
    action = world.state()
    x, y, yaw = world.base_pose()
    action[features.BASE] = (0.1, 0.0, 0.0)
    world.command(action)
    _advance(world, 1.0)
    moved = world.base_pose()[:2] - (x, y)
    assert moved @ (np.cos(yaw), np.sin(yaw)) == pytest.approx(0.1, abs=0.005)


def test_servo_goals_and_commands_are_the_same_thing(world):
    other = World()
    other.reset(1)
    action = world.state() + [5, 5, -5, 3, 2, 10, 0.1, 0.05, 20.0]
    world.command(action)
    raw = other.units.encode(action)
    for servo_id in range(1, 7):
        other.set_goal_position(servo_id, int(raw[servo_id - 1]))
    for servo_id, speed in zip((7, 8, 9), body_to_wheel_raw(action[features.BASE])):
        other.set_goal_velocity(servo_id, int(speed))
    for each in (world, other):
        _advance(each, 0.3)
    assert world.data.qpos.tolist() == other.data.qpos.tolist()


def test_servos_and_state_read_the_same_numbers(world):
    action = world.state() + [5, 5, -5, 3, 2, 10, 0.1, 0.05, 20.0]
    world.command(action)
    _advance(world, 0.2)
    readings = [world.read_servo(servo_id) for servo_id in range(1, 10)]
    raw = [reading.position for reading in readings[:6]] + [reading.velocity for reading in readings[6:]]
    assert world.units.decode(raw).tolist() == world.state().tolist()
    assert readings[0].velocity > 0
    assert abs(readings[1].load) > 0


def test_wheel_positions_count_the_turns(world):
    world.set_goal_velocity(8, 1000)
    before = world.read_servo(8).position
    _advance(world, 1.0)
    travelled = (world.read_servo(8).position - before) % 4096
    assert travelled == pytest.approx(1000, rel=0.05)


def test_without_torque_the_arm_sags_and_the_wheels_stand(world):
    for servo_id in range(1, 10):
        world.set_torque(servo_id, False)
    world.set_goal_velocity(8, 1000)
    tip = world.tip_position()[2]
    pose = world.base_pose()
    _advance(world, 1.5)
    assert world.tip_position()[2] < tip - 0.02
    assert np.abs(world.base_pose()[:2] - pose[:2]).max() < 0.01
    for servo_id in range(1, 10):
        world.set_torque(servo_id, True)
    _advance(world, 1.0)
    assert world.tip_position()[2] == pytest.approx(tip, abs=0.01)


def test_reset_stops_what_was_moving(world):
    world.command([*world.state()[:6], 0.2, 0.0, 30.0])
    _advance(world, 0.5)
    world.reset(1)
    pose = world.base_pose()
    _advance(world, 0.5)
    np.testing.assert_allclose(world.base_pose(), pose, atol=2e-3)


def test_unknown_servos_are_refused(world):
    with pytest.raises(ValueError, match='1..9'):
        world.read_servo(10)
    with pytest.raises(ValueError, match='is a wheel'):
        world.set_goal_position(7, 2048)
    with pytest.raises(ValueError, match='is an arm servo'):
        world.set_goal_velocity(1, 10)


def test_the_models_joint_ranges_are_the_features_ranges(world):
    ranges = np.array([world.model.joint(name).range for name in features.JOINTS])
    np.testing.assert_allclose(ranges, features.JOINT_RANGE_RAD, atol=1e-9)


def test_a_view_belongs_to_one_thread(world):
    view = Views(world, 48, 64)
    assert view.render('front').shape == (48, 64, 3)
    errors = []

    def elsewhere():
        try:
            view.render('front')
        except RuntimeError as error:
            errors.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    view.close()
    assert len(errors) == 1


def test_a_view_of_impossible_size_is_refused(world):
    with pytest.raises(ValueError, match='481x96'):
        Views(world, 481, 96)
