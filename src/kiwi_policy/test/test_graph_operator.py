"""What an operator asks of chunk_executor_node on the simulated robot: slow moves, torque, speed; and the servos' health."""

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')

from graph_support import Graph, Operator  # noqa: E402
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue  # noqa: E402

from kiwi_policy.core.executor import State  # noqa: E402
from kiwi_policy.core.features import JOINTS  # noqa: E402

REST = np.array([0.0, -98.0, 92.0, 70.0, -90.0, 5.0])


@pytest.fixture(scope='module')
def operator(tmp_path_factory):
    graph = Graph(tmp_path_factory.mktemp('graph'))
    graph.start_sim()
    graph.start_executor('pose_speed:=60.0', 'health_rate:=30.0')
    operator = Operator(graph.domain)
    operator.until(lambda: operator.state() == State.IDLE and operator.heard['action'])
    yield operator
    operator.close()
    graph.close()


def set_speed_scale(operator, value):
    value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=value)
    return operator.call('set_executor', parameters=[Parameter(name='speed_scale', value=value)]).results[0]


def test_torque_is_released_at_rest_only_and_comes_back(operator):
    refused = operator.call('release_torque')
    assert not refused.success
    assert 'the arm would fall' in refused.message and 'move to rest first' in refused.message

    answer = operator.call('move_to_rest')
    assert answer.success and answer.message.startswith('moving to the rest pose, ')
    operator.until(lambda: operator.state() == State.MOVING)
    assert not operator.call('begin', episode_id='e', task='t').success
    operator.until(lambda: operator.state() == State.IDLE)
    assert operator.heard['status'][-1].reason == 'reached the rest pose'
    operator.until(lambda: np.abs(operator.values()[:5] - REST[:5]).max() < 5.0)

    assert operator.call('release_torque').success
    operator.until(lambda: operator.state() == State.LIMP)
    assert 'needs torque' in operator.call('move_to_start').message
    assert operator.call('engage_torque').success
    operator.until(lambda: operator.state() == State.IDLE)
    before = operator.values()[:6]
    operator.fresh('action', 15)
    assert np.abs(operator.values()[:6] - before).max() < 2.0
    assert operator.call('move_to_start').success
    operator.until(lambda: operator.state() == State.MOVING)
    assert operator.call('stop').success
    operator.until(lambda: operator.state() == State.STOPPED)
    assert operator.call('reset').success


def test_the_speed_scale_is_set_while_running_and_checked(operator):
    assert set_speed_scale(operator, 0.2).successful
    refused = set_speed_scale(operator, 1.5)
    assert not refused.successful and refused.reason
    assert set_speed_scale(operator, 1.0).successful


def test_diagnostics_tell_of_every_servo(operator):
    def servos():
        entries = [entry for message in operator.heard['diagnostics'] for entry in message.status
                   if entry.name == 'chunk_executor_node: servos']
        return {value.key: value.value for value in entries[-1].values} if entries else {}

    operator.until(lambda: len(servos()) == 10)
    assert set(JOINTS) < set(servos())
    assert 'deg C' in servos()['elbow_flex'] and 'base_left_wheel' in servos()
