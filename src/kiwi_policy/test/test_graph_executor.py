"""chunk_executor_node as a process on the simulated robot, with a played policy."""

import signal

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')

from graph_support import PATIENCE, PERIOD, Graph, Operator  # noqa: E402
from kiwi_msgs.msg import ExecutorStatus as S  # noqa: E402

from kiwi_policy.nodes import conversions  # noqa: E402


@pytest.fixture(scope='module')
def graph(tmp_path_factory):
    graph = Graph(tmp_path_factory.mktemp('graph'))
    graph.start_sim()
    graph.start_executor()
    yield graph
    graph.close()


@pytest.fixture(scope='module')
def operator(graph):
    operator = Operator(graph.domain)
    operator.play_policy()
    operator.until(lambda: operator.state() == S.IDLE and operator.heard['action'])
    yield operator
    operator.close()


@pytest.fixture
def episode(operator, request):
    """A running episode; ended and reset afterwards."""
    answer = operator.call('begin', episode_id=request.node.name, task='t')
    assert answer.success, answer.message
    operator.until(lambda: operator.state() == S.WAITING)
    yield request.node.name
    operator.call('end', reason='test')
    operator.call('reset')
    operator.until(lambda: operator.state() == S.IDLE)


def drive(operator, speed=0.1, rows=300, pan=0.0):
    """A chunk from the measured pose that drives forward and turns the arm by `pan` deg."""
    actions = np.tile(operator.values(), (rows, 1))
    actions[:, 6:] = 0.0
    actions[:, 6] = speed
    actions[:, 0] += np.minimum(np.arange(rows) * 1.5, abs(pan)) * np.sign(pan)
    return operator.chunk(actions)


def test_states_are_published_in_idle_with_equal_stamps_on_the_grid(operator):
    operator.fresh('joints', 10)
    joints = [conversions.to_nanoseconds(m.header.stamp) for m in operator.heard['joints'][-8:]]
    bases = {conversions.to_nanoseconds(m.header.stamp) for m in operator.heard['base']}
    assert set(joints[:-1]) <= bases
    steps = np.diff(joints) / (PERIOD * 1e9)
    assert np.all(np.abs(steps - np.round(steps)) < 1e-3) and np.all(steps > 0.5)
    assert operator.heard['action'][-1].source == 0


def test_a_chunk_moves_the_servo_and_the_base(operator, episode):
    operator.until(lambda: operator.heard['request'])
    request = operator.heard['request'][-1]
    assert (request.episode_id, request.task) == (episode, 't')
    start, place = operator.pose(), operator.heard['task'][-1].base
    operator.send(drive(operator, pan=20.0))
    operator.until(lambda: operator.state() == S.RUNNING)
    operator.until(lambda: operator.pose()[0] - start[0] > np.deg2rad(15.0))
    operator.until(lambda: np.hypot(operator.heard['task'][-1].base.x - place.x,
                                    operator.heard['task'][-1].base.y - place.y) > 0.05)
    executed = operator.heard['action'][-1]
    assert executed.source == 3 and executed.run_id == 1 and executed.blended == 1


@pytest.mark.parametrize('fault, reason', [
    ('nan', 'not_finite'), ('names', 'wrong_names'), ('episode', 'foreign_episode'), ('future', 'future'),
    ('stale', 'too_old'), ('rows', 'wrong_shape')])
def test_a_bad_chunk_is_refused_and_counted(fault, reason, operator, episode):
    chunk = drive(operator)
    if fault == 'nan':
        chunk.actions[4] = float('nan')
    elif fault == 'names':
        chunk.names = [name.upper() for name in chunk.names]
    elif fault == 'episode':
        chunk.episode_id = 'another'
    elif fault == 'rows':
        chunk.horizon -= 1
    else:
        offset = 5_000_000_000 if fault == 'future' else -7
        chunk.header.stamp = conversions.to_stamp(operator.newest_stamp() + offset)
    operator.send(chunk)
    operator.until(lambda: reason in operator.heard['status'][-1].reject_reasons)
    status = operator.heard['status'][-1]
    assert dict(zip(status.reject_reasons, status.reject_counts)) == {reason: 1}
    assert (status.rejected, status.accepted, status.state) == (1, 0, S.WAITING)


def test_a_starved_base_comes_to_rest_and_the_arm_stays(operator, episode):
    operator.send(drive(operator, rows=150))
    operator.until(lambda: operator.state() == S.RUNNING)
    operator.until(lambda: operator.state() == S.STARVED)
    operator.base_rests()
    pose = operator.pose()
    operator.fresh('joints', 15)
    assert np.abs(operator.pose() - pose).max() < np.deg2rad(1.0)
    assert operator.heard['status'][-1].underruns == 1


def test_a_stop_is_latched_until_reset(operator, episode):
    operator.send(drive(operator))
    operator.until(lambda: operator.state() == S.RUNNING)
    assert operator.call('stop').success
    operator.until(lambda: operator.state() == S.STOPPED)
    operator.base_rests()
    operator.send(drive(operator))
    operator.until(lambda: 'inactive' in operator.heard['status'][-1].reject_reasons)
    operator.call('end', reason='over')
    refused = operator.call('begin', episode_id='next', task='')
    assert not refused.success and 'reset it first' in refused.message
    assert operator.state() == S.STOPPED
    assert operator.call('reset').success
    assert not operator.call('reset').success
    assert operator.call('begin', episode_id='next', task='').success


@pytest.mark.parametrize('changes, text', [
    ({'latency_p95': 9.0}, 'use fewer denoising steps'),
    ({'period': 0.05}, 'trained at 20.00 Hz, the executor runs at 30.00 Hz: set rate'),
])
def test_a_policy_that_does_not_fit_is_refused_with_the_knob(changes, text, operator):
    operator.play_policy(**changes)
    operator.fresh('joints', 3)
    refused = operator.call('begin', episode_id='e', task='')
    operator.play_policy()
    operator.fresh('joints', 3)
    assert not refused.success and text in refused.message
    assert operator.state() == S.IDLE


def test_a_refusal_for_a_slow_policy_passes_when_the_policy_is_fast_again(operator):
    operator.play_policy(latency_p95=9.0)
    operator.fresh('joints', 3)
    assert not operator.call('begin', episode_id='slow', task='').success
    operator.play_policy()
    operator.fresh('joints', 3)
    assert operator.call('begin', episode_id='fast', task='').success
    assert operator.call('end', reason='over').success


def test_deactivation_brings_the_base_to_rest(graph, operator):
    from lifecycle_msgs.msg import Transition
    from lifecycle_msgs.srv import ChangeState

    assert operator.call('begin', episode_id='managed', task='').success
    operator.until(lambda: operator.heard['status'][-1].episode_id == 'managed')
    operator.send(drive(operator))
    operator.until(lambda: operator.state() == S.RUNNING)
    operator._clients['change'] = operator.node.create_client(ChangeState, 'chunk_executor_node/change_state')
    assert operator.call('change', transition=Transition(id=Transition.TRANSITION_DEACTIVATE)).success
    operator.base_rests()
    silent = operator.call('begin', episode_id='x', task='')
    assert not silent.success and 'not active' in silent.message
    assert operator.call('change', transition=Transition(id=Transition.TRANSITION_ACTIVATE)).success
    operator.fresh('joints', 5)


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_signal_brings_the_base_to_rest_and_ends_the_process(number, graph, operator):
    if 'executor' not in graph.processes:
        graph.start_executor()
        operator.heard['status'].clear()
    operator.until(lambda: operator.state() == S.IDLE)
    operator.fresh('joints', 3)
    assert operator.call('begin', episode_id=f's{number}', task='').success
    operator.until(lambda: operator.heard['status'][-1].episode_id == f's{number}')
    operator.send(drive(operator))
    operator.until(lambda: operator.state() == S.RUNNING)
    held = operator.values()[:6]
    assert graph.end('executor', number) == 0
    operator.base_rests()
    from kiwi_policy.hardware.lekiwi import LeKiwiHardware
    from kiwi_sim.servos import CALIBRATION_PATH

    robot = LeKiwiHardware(graph.bus, CALIBRATION_PATH, reply_timeout=0.5, guardian_timeout=0)
    robot.connect()
    try:
        assert np.abs(robot.read()[:6] - held).max() < 3.0         # no servo let go
        assert np.abs(robot.read()[6:]).max() < 1e-6
    finally:
        robot.close()
    assert 'Traceback' not in graph.output('executor')


def test_a_missing_robot_is_one_clear_line(graph, tmp_path):
    other = Graph(tmp_path)
    process = other.start('lost', 'kiwi_policy.nodes.chunk_executor_node', f'robot_port:={tmp_path}/none',
                          f'calibration:={tmp_path}/none.json', 'connect_timeout:=0.0')
    assert process.wait(PATIENCE) == 1
    assert 'chunk_executor_node: error: no calibration file' in other.output('lost')
    wrong = other.start('wrong', 'kiwi_policy.nodes.chunk_executor_node', 'mode:=fast')
    assert wrong.wait(PATIENCE) == 2
    assert "parameter mode is 'fast', must be one of sync, latest, ensemble" in other.output('wrong')
    unknown = other.start('unknown', 'kiwi_policy.nodes.chunk_executor_node', 'mod:=sync')
    assert unknown.wait(PATIENCE) == 2
    assert 'there is no parameter mod; did you mean mode?' in other.output('unknown')
    assert 'Traceback' not in other.output('lost') + other.output('wrong') + other.output('unknown')
