"""takeover_node: keys and leader become takeover/command, and what it says to the person at the terminal."""

import os
import pty
import time

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')

import rclpy  # noqa: E402
from graph_support import claim_domain  # noqa: E402
from kiwi_msgs.msg import ExecutorStatus, TakeoverCommand  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402

from kiwi_policy.core.features import JOINTS, NAMES, from_ros  # noqa: E402
from kiwi_policy.core.parameters import ParameterError  # noqa: E402
from kiwi_policy.hardware.interface import HardwareError  # noqa: E402
from kiwi_policy.hardware.leader import LeaderArm  # noqa: E402
from kiwi_policy.nodes import qos, takeover_node  # noqa: E402
from kiwi_policy.nodes.takeover_node import FAREWELLS, TakeoverNode  # noqa: E402
from kiwi_policy.nodes.terminal_keys import TerminalKeys  # noqa: E402

PATIENCE = 30.0     # s that bound a hang only
JOINT_RAD = [0.1, -1.0, 0.9, 1.0, -1.5, 0.4]
HOME = from_ros(JOINT_RAD, np.zeros(3))[:6]


class Keys:
    def __init__(self):
        self.waiting = ''

    def read(self):
        pressed, self.waiting = self.waiting, ''
        return pressed


class Leader:
    def __init__(self, pose):
        self.pose, self.closed, self.broken = np.array(pose, float), False, False

    def read(self):
        if self.broken:
            raise HardwareError('the leader arm on X does not answer: unplugged')
        return self.pose.copy()

    def close(self):
        self.closed = True


class Bench:
    """A TakeoverNode, and a node that plays the executor and hears the commands."""

    def __init__(self, leader=None, **parameters):
        self.keys, self.said, self.commands = Keys(), [], []
        domain, self._claim = claim_domain()
        rclpy.init(domain_id=domain, args=['--ros-args', *(word for name, value in parameters.items()
                                                           for word in ('-p', f'{name}:={value}'))])
        self.node = TakeoverNode(self.keys, lambda _parameters: leader, self.said.append)
        self.other = rclpy.create_node('executor')
        self.joints = self.other.create_publisher(JointState, 'joint_states', qos.STATE)
        self.status = self.other.create_publisher(ExecutorStatus, 'executor/status', qos.STATUS)
        self.other.create_subscription(TakeoverCommand, 'takeover/command', self.commands.append, 100)
        self.executor = SingleThreadedExecutor()
        for node in (self.node, self.other):
            self.executor.add_node(node)

    def until(self, done, keys='', joints=True):
        deadline = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < deadline, self.said
            self.keys.waiting += keys
            if joints:
                self.joints.publish(JointState(name=list(JOINTS), position=JOINT_RAD))
            self.executor.spin_once(timeout_sec=0.01)

    def close(self):
        self.node.close()
        self.executor.shutdown()
        self.node.destroy_node()
        self.other.destroy_node()
        rclpy.shutdown()
        self._claim.close()


@pytest.fixture
def bench():
    made = []

    def make(*arguments, **parameters):
        made.append(Bench(*arguments, **parameters))
        return made[-1]

    yield make
    for each in made:
        each.close()


def test_a_held_key_drives_from_where_the_arm_is_and_letting_go_hands_back(bench):
    table = bench(operator_name='anna', hold_time=0.3)
    table.until(lambda: len(table.commands) >= 5, 'w')
    first = table.commands[0]
    assert (first.engaged, first.operator_name, tuple(first.names)) == (True, 'anna', NAMES)
    np.testing.assert_allclose(first.values[:6], HOME, atol=1e-4)
    assert first.values[6] == pytest.approx(table.node.parameters.base_speed)
    table.until(lambda: sum(not command.engaged for command in table.commands) >= FAREWELLS)
    count = len(table.commands)
    for _ in range(10):
        table.executor.spin_once(timeout_sec=0.02)
    assert len(table.commands) == count, 'silent once it has said so'
    stamps = [command.header.stamp.sec + 1e-9 * command.header.stamp.nanosec for command in table.commands]
    assert stamps == sorted(stamps)


def test_without_joint_states_nobody_drives(bench):
    table = bench()
    table.until(lambda: table.said, 'w', joints=False)
    assert 'no joint_states' in table.said[0] and not table.commands


def test_the_state_of_the_executor_is_shown(bench):
    table = bench()

    def told():
        table.status.publish(ExecutorStatus(state=ExecutorStatus.TAKEOVER, reason='anna drives'))
        return 'TAKEOVER: anna drives' in table.said

    table.until(told)
    assert table.said.count('TAKEOVER: anna drives') == 1


def test_the_arm_approaches_the_leader_and_says_so(bench):
    leader = Leader(HOME + 20.0)
    table = bench(leader, source='leader', approach_speed=90.0)
    table.until(lambda: any('follows the leader' in text for text in table.said), 'v')
    assert any('the leader is held 20 deg or percent away' in text for text in table.said)
    table.until(lambda: np.allclose(table.commands[-1].values[:6], HOME + 20.0, atol=1e-3), 'v')
    assert np.abs(table.commands[0].values[:6] - HOME).max() < 10.0, 'no jump to the leader'
    leader.broken = True
    count = len(table.commands)
    table.until(lambda: any(not command.engaged for command in table.commands[count:]), 'v')
    assert any('does not answer: unplugged' in text for text in table.said)


def test_a_leader_needs_its_parameters_and_its_file(tmp_path):
    rclpy.init(args=['--ros-args', '-p', 'source:=leader'])
    try:
        with pytest.raises(ParameterError, match='leader_port is empty'):
            TakeoverNode(Keys())
    finally:
        rclpy.shutdown()
    with pytest.raises(HardwareError, match='is no file: lerobot-calibrate'):
        LeaderArm('/dev/nothing', str(tmp_path / 'none.json'))


def test_an_absent_leader_is_named(tmp_path):
    pytest.importorskip('lerobot')
    file = tmp_path / 'arm.json'
    file.write_text('{}')
    with pytest.raises(HardwareError, match='no leader arm on /dev/nothing'):
        LeaderArm('/dev/nothing', str(file))


def test_keys_come_one_by_one_and_the_terminal_gets_its_ways_back():
    import termios

    ours, theirs = pty.openpty()
    with os.fdopen(theirs, 'r') as terminal:
        before = termios.tcgetattr(terminal)
        with TerminalKeys(terminal) as keys:
            assert keys.read() == ''
            os.write(ours, b'w\x1b[Aw \x1bOBd\x1b[15~m')
            seen, deadline = '', time.monotonic() + PATIENCE
            while seen != 'ww dm' and time.monotonic() < deadline:
                seen += keys.read()
            assert seen == 'ww dm', 'arrow and function keys mean nothing'
        assert termios.tcgetattr(terminal) == before
    os.close(ours)


def test_a_pipe_is_no_terminal(tmp_path):
    (tmp_path / 'file').write_text('')
    with open(tmp_path / 'file') as file, pytest.raises(RuntimeError, match='in a terminal of its own'):
        TerminalKeys(file).__enter__()


def test_help_teaches(capsys):
    with pytest.raises(SystemExit):
        takeover_node.main(['--help'])
    text = capsys.readouterr().out
    assert 'space hands back' in text and 'approach_speed' in text
