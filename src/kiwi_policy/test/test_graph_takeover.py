"""takeover/command to a chunk_executor_node on the simulated robot: the arm follows, silence gives it back."""

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')

from graph_support import PERIOD, Graph, Operator  # noqa: E402
from kiwi_msgs.msg import ExecutedAction, TakeoverCommand  # noqa: E402
from kiwi_msgs.msg import ExecutorStatus as S  # noqa: E402

from kiwi_policy.core.features import NAMES  # noqa: E402
from kiwi_policy.nodes import qos  # noqa: E402


@pytest.fixture(scope='module')
def operator(tmp_path_factory):
    graph = Graph(tmp_path_factory.mktemp('graph'))
    graph.start_sim()
    graph.start_executor('takeover_timeout:=1.0')
    operator = Operator(graph.domain)
    operator.play_policy()
    operator.until(lambda: operator.state() == S.IDLE and operator.heard['action'])
    yield operator
    operator.close()
    graph.close()


def test_an_operator_takes_over_drives_and_silence_hands_back(operator):
    commands = operator.node.create_publisher(TakeoverCommand, 'takeover/command', qos.OPERATOR)
    assert operator.call('begin', episode_id='takeover', task='t').success
    operator.until(lambda: operator.state() == S.WAITING)
    operator.send(operator.chunk(np.tile(operator.values() * [1, 1, 1, 1, 1, 1, 0, 0, 0], (300, 1))))
    operator.until(lambda: operator.state() == S.RUNNING)
    goal = operator.values()
    goal[0] += 20.0
    goal[6:] = 0.0

    def send():
        message = TakeoverCommand(engaged=True, operator_name='anna', names=list(NAMES),
                                  values=goal.astype(np.float32).tolist())
        message.header.stamp = operator.node.get_clock().now().to_msg()
        commands.publish(message)

    timer = operator.node.create_timer(PERIOD, send)
    operator.until(lambda: operator.state() == S.TAKEOVER)
    assert operator.heard['status'][-1].reason == 'anna drives'
    operator.until(lambda: abs(operator.values()[0] - goal[0]) < 3.0)
    assert operator.heard['action'][-1].source == ExecutedAction.SOURCE_OPERATOR
    requests = len(operator.heard['request'])
    operator.node.destroy_timer(timer)
    operator.until(lambda: operator.state() == S.WAITING)
    operator.until(lambda: len(operator.heard['request']) > requests)
    operator.fresh('action', 5)
    assert operator.heard['action'][-1].source == ExecutedAction.SOURCE_HOLD, 'the old chunk of 10 s does not go on'
    np.testing.assert_allclose(operator.heard['action'][-1].command[0], goal[0], atol=1e-3)
    operator.send(operator.chunk(np.tile(operator.values() * [1, 1, 1, 1, 1, 1, 0, 0, 0], (300, 1))))
    operator.until(lambda: operator.state() == S.RUNNING)
    assert operator.call('end', reason='test').success
