"""Speed scale, slow moves to a pose, torque off and on."""

import numpy as np
import pytest
from core_support import PERIOD, REST, chunk, executor, tick

from kiwi_policy.core.executor import ChunkExecutor, ExecutorError, State
from kiwi_policy.core.features import BASE, POSITIONS
from kiwi_policy.core.pose_move import PEAK, PoseMove
from kiwi_policy.core.states import Source

HERE = np.array([5.0, -60.0, 50.0, 60.0, -90.0, 40.0, 0.1, -0.1, 10.0])
POSE = np.array([0.0, -98.0, 92.0, 70.0, -90.0, 5.0])


def moved(ex, ticks, follow=True, stuck=()):
    """Commands of the next ticks on a robot whose joints take their goals at once."""
    state, commands = HERE.copy(), []
    for number in range(1, ticks + 1):
        command = ex.step(tick(number), state)
        commands.append(command)
        if follow:
            held = state[list(stuck)]
            state = command.values.copy()
            state[list(stuck)] = held
    return commands


def test_a_move_is_minimum_jerk():
    move = PoseMove(np.zeros(6), np.array([30.0, -60.0, 0.0, 0.0, 0.0, 10.0]), 30.0, 0.0)
    assert move.seconds == pytest.approx(PEAK * 60.0 / 30.0)
    times = np.linspace(0.0, move.seconds, 2001)
    path = np.array([move.at(time)[0] for time in times])
    speed = np.gradient(path[:, 1], times)
    assert np.abs(speed).max() == pytest.approx(30.0, rel=1e-3)
    assert abs(speed[0]) < 0.1 and abs(speed[-1]) < 0.1
    assert move.at(move.seconds / 2)[0] == pytest.approx([15.0, -30.0, 0.0, 0.0, 0.0, 5.0])
    assert move.at(move.seconds)[1] and not move.at(0.99 * move.seconds)[1]


def test_all_joints_arrive_together_with_the_base_at_rest():
    ex = ChunkExecutor()
    ex.step(tick(0), HERE)
    seconds = ex.operator.move_to('rest', POSE, 30.0, HERE, tick(0))
    assert ex.state is State.MOVING
    commands = moved(ex, round(seconds / PERIOD) + 2)
    assert {command.source for command in commands[:-2]} == {Source.POSE}
    values = np.array([command.values for command in commands])
    assert np.all(values[:, BASE] == 0.0)
    assert np.abs(np.diff(values[:, POSITIONS], axis=0)).max() <= 30.0 * PERIOD + 1e-9
    assert values[-1, POSITIONS] == pytest.approx(POSE)
    assert ex.state is State.IDLE
    assert ex.status(tick(0)).reason == 'reached the rest pose'


def test_a_blocked_joint_ends_the_move_and_is_named():
    ex = ChunkExecutor()
    seconds = ex.operator.move_to('rest', POSE, 30.0, HERE, tick(0))
    commands = moved(ex, round(seconds / PERIOD), stuck=[1])
    assert ex.state is State.STOPPED
    assert 'moving to the rest pose given up: shoulder_lift does not follow' in ex.status(tick(0)).reason
    assert commands[-1].source is Source.HOLD
    assert abs(commands[-1].values[1] - HERE[1]) < 22.0
    assert ex.reset() and ex.state is State.IDLE


def test_a_stop_ends_a_move_where_it_is():
    ex = ChunkExecutor()
    ex.operator.move_to('rest', POSE, 30.0, HERE, tick(0))
    before = moved(ex, 20)[-1]
    ex.stop('operator')
    held = ex.step(tick(21), before.values)
    assert held.source is Source.HOLD
    assert held.values[POSITIONS] == pytest.approx(before.values[POSITIONS])


def test_what_a_move_refuses():
    ex = ChunkExecutor()
    with pytest.raises(ValueError, match=r'elbow_flex at 170 lies outside -96\.\d+ \.\. 96\.\d+'):
        ex.operator.move_to('rest', [0, 0, 170, 0, 0, 0], 30.0, HERE, tick(0))
    with pytest.raises(ValueError, match='6 finite values'):
        ex.operator.move_to('rest', [0, 0, np.nan, 0, 0, 0], 30.0, HERE, tick(0))
    with pytest.raises(ValueError, match='measured state'):
        ex.operator.move_to('rest', POSE, 30.0, np.full(9, np.nan), tick(0))
    assert ex.state is State.IDLE
    ex.operator.move_to('rest', POSE, 30.0, HERE, tick(0))
    with pytest.raises(ExecutorError, match='an episode has to wait: the executor is moving to the rest pose'):
        ex.begin('episode', HERE, tick(0))
    running = executor()
    with pytest.raises(ExecutorError, match="episode 'episode-1' is running"):
        running.operator.move_to('rest', POSE, 30.0, HERE, tick(0))


def test_nan_on_the_way_is_a_fault():
    ex = ChunkExecutor()
    ex.operator.move_to('rest', POSE, 30.0, HERE, tick(0))
    ex.step(tick(1), HERE)
    command = ex.step(tick(2), np.full(9, np.nan))
    assert ex.state is State.FAULT and command.source is Source.HOLD


def test_without_torque_nothing_is_commanded_and_nothing_begins():
    ex = ChunkExecutor()
    ex.step(tick(0), HERE)
    ex.operator.release()
    assert ex.step(tick(1), HERE).source is Source.IDLE
    for ask in (lambda: ex.begin('episode', HERE, tick(2)), ex.operator.release,
                lambda: ex.operator.move_to('rest', POSE, 30.0, HERE, tick(2))):
        with pytest.raises(ExecutorError, match='needs torque, which is released: engage it first'):
            ask()
    ex.stop()
    assert ex.state is State.LIMP
    ex.operator.engage()
    assert ex.state is State.IDLE
    with pytest.raises(ExecutorError, match='the torque is on: the executor is IDLE'):
        ex.operator.engage()


def test_the_speed_scale_counts_at_once():
    ex = executor(ramp_speed=1e9)
    far = np.tile(REST, (16, 1))
    far[:, 0], far[:, 6] = 90.0, 0.3
    ex.add(chunk(0, actions=far), tick(0))
    ex.operator.set_speed_scale(0.1)
    before = REST
    for number in range(10):
        command = ex.step(tick(number), REST).values
        assert command[0] - before[0] <= 18.0 * PERIOD + 1e-9
        assert command[6] <= 0.03 + 1e-9
        before = command
    ex.operator.set_speed_scale(1.0)
    assert ex.step(tick(10), REST).values[0] - before[0] == pytest.approx(180.0 * PERIOD)
    for scale in (0.0, 1.5, -1.0, np.nan):
        with pytest.raises(ValueError, match='speed_scale must lie in'):
            ex.operator.set_speed_scale(scale)


def test_a_derated_joint_holds_and_the_others_go_on():
    ex = executor(ramp_speed=1e9)
    far = np.tile(REST, (16, 1))
    far[:, :2], far[:, 6] = 90.0, 0.3
    ex.add(chunk(0, actions=far), tick(0))
    ex.operator.derate((0.0, 0.5, 1.0, 1.0, 1.0, 1.0), 0.0)
    for number in range(8):
        command = ex.step(tick(number), REST).values
    assert command[0] == 0.0 and command[6] == 0.0
    assert command[1] == pytest.approx(8 * 90.0 * PERIOD)
