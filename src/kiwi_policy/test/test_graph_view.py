"""view_node in a real graph, on simulation and executor: what an .rrd file of it holds, and how it refuses."""

import subprocess
import sys

import numpy as np
import pytest
from graph_support import PERIOD, Graph, Operator, wait_for
from kiwi_msgs.msg import EpisodeResult, TakeoverCommand
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import String
from view_support import contents, values

from kiwi_policy.core.arm_kinematics import description_text, lekiwi
from kiwi_policy.core.features import to_ros
from kiwi_policy.nodes import process, qos
from kiwi_policy.view import names

pytest.importorskip('kiwi_sim.servos')


@pytest.fixture(scope='module')
def graph(tmp_path_factory):
    made = Graph(tmp_path_factory.mktemp('view'))
    yield made
    made.close()


@pytest.fixture(scope='module')
def operator(graph):
    made = Operator(graph.domain)
    yield made
    made.close()


@pytest.fixture(scope='module')
def shown(graph, operator):
    """(what the file holds, the operator's chunk (60, 9)) after a short episode with an operator's takeover."""
    graph.start_sim()
    graph.start_executor()
    path = graph.folder / 'run.rrd'
    graph.start('view', 'kiwi_policy.nodes.view_node', 'viewer:=none', f'save:={path}',
                'cameras:=[front, wrist, overview]')
    wait_for(lambda: 'saving to' in graph.output('view'))
    operator.until(lambda: operator.heard['joints'] and operator.heard['status'])
    takeovers = operator.node.create_publisher(TakeoverCommand, 'takeover/command', qos.STATUS)
    results = operator.node.create_publisher(EpisodeResult, 'rollout/result', qos.STATUS)
    wait_for(lambda: takeovers.get_subscription_count() and results.get_subscription_count())
    operator.play_policy(run_id=7)
    assert operator.call('begin', episode_id='episode-one').success
    operator.until(lambda: operator.heard['request'])
    operator.fresh('status')
    actions = np.tile(operator.values(), (60, 1))
    actions[:, 0] += np.linspace(0.0, 8.0, 60)
    operator.send(operator.chunk(actions, run_id=7, inference_seconds=0.05))
    operator.send(operator.chunk(np.full((60, 9), np.nan), run_id=7))
    operator.until(lambda: operator.state() == 3)
    operator.until(lambda: operator.heard['status'][-1].rejected > 0)
    takeovers.publish(TakeoverCommand(engaged=True, operator_name='keyboard'))
    results.publish(EpisodeResult(index=0, success=True, outcome='success', seconds=1.5))
    operator.fresh('action', 45)
    operator.fresh('task', 5)
    assert operator.call('end').success
    operator.until(lambda: operator.state() == 0)
    operator.fresh('status', 2)
    assert graph.end('view') == 0, graph.output('view')
    return contents(path), actions


def test_every_part_of_the_view_is_in_the_file(shown):
    found, _ = shown
    for entity in (*names.SERIES, *(f'{names.CAMERA}/{name}' for name in ('front', 'wrist', 'overview')), names.ROBOT,
                   f'{names.ROBOT}/gripper', f'{names.PLAN}/rows', f'{names.PLAN}/newest', f'{names.SERIES[0]}/plan_0',
                   names.TRAIL, names.CUBE, names.TARGET, names.STATE, names.STATUS, names.EVENTS, names.TIMING):
        assert found.get(entity), entity


def test_the_values_are_those_of_the_executor_at_its_stamps(shown, operator):
    found, _ = shown
    times, rows = values(found, names.SERIES[0], 'Scalars:scalars')
    by_time = {round(time, 4): row for time, row in zip(times, rows)}
    compared = 0
    for action in operator.heard['action']:
        row = by_time.get(round(action.header.stamp.sec + 1e-9 * action.header.stamp.nanosec, 4))
        if row is not None:
            np.testing.assert_allclose(row, [action.measured[0], action.command[0]], rtol=1e-6, atol=1e-6)
            compared += 1
    assert compared > 30


def test_the_chunk_is_ahead_of_the_arm(shown):
    found, actions = shown
    _, points = values(found, f'{names.PLAN}/rows', 'Points3D:positions')
    tips = lekiwi().tip(to_ros(actions.astype(np.float32))[0])
    steps = np.linalg.norm(np.diff(points[0], axis=0), axis=1)
    np.testing.assert_allclose(steps, np.linalg.norm(np.diff(tips, axis=0), axis=1), atol=1e-3)
    times, rows = values(found, f'{names.SERIES[0]}/plan_0', 'Scalars:scalars')
    np.testing.assert_allclose(np.diff(times), PERIOD, atol=1e-4)
    np.testing.assert_allclose(rows[:60, 0], actions[:, 0], atol=1e-3)


def test_pictures_are_the_cameras_jpegs(shown):
    found, _ = shown
    for camera in ('front', 'wrist', 'overview'):
        assert bytes(found[f'{names.CAMERA}/{camera}']['EncodedImage:blob'][0][1][0]).startswith(b'\xff\xd8')


def test_events_tell_episode_policy_refusal_operator_and_result(shown):
    found, _ = shown
    told = [(level[1][0], text[1][0]) for level, text in zip(
        found[names.EVENTS]['TextLog:level'], found[names.EVENTS]['TextLog:text'])]
    for level, words in (('INFO', 'policy played'), ('INFO', 'episode episode-one begins'), ('WARN', 'chunk refused'),
                         ('WARN', 'keyboard drives'), ('INFO', 'rollout 0: success after 1.5 s'),
                         ('INFO', 'RUNNING'), ('INFO', 'episode episode-one is over')):
        assert any(words in text and level == its for its, text in told), (words, told)


def test_the_file_opens_with_reruns_own_program(shown, graph):
    from kiwi_policy.view.viewer_process import _program

    command = [_program(), 'rrd', 'print', str(graph.folder / 'run.rrd')]
    checked = subprocess.run(command, capture_output=True, timeout=300)
    assert checked.returncode == 0, checked.stderr
    assert b'executor/events' in checked.stdout


def test_the_description_is_latched(shown, operator):
    heard = []
    latched = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    subscription = operator.node.create_subscription(String, 'robot_description', heard.append, latched)
    try:
        wait_for(lambda: heard)
        assert heard[0].data == description_text()
    finally:
        operator.node.destroy_subscription(subscription)


@pytest.mark.parametrize('parameter, text', [
    ('viewer:=window', "viewer is 'window', must be one of serve, spawn, none"),
    ('image_rate:=200.0', 'image_rate must lie in Hz, 0 .. 60'),
    ('cameras:=["a/b"]', "camera is 'a/b'"),
    ('prot:=9876', 'there is no parameter prot; did you mean port'),
    ('save:=run.bag', "save is 'run.bag'"),
])
def test_a_bad_parameter_ends_it_with_one_line(graph, parameter, text):
    ended = subprocess.run([sys.executable, '-m', 'kiwi_policy.nodes.view_node', '--ros-args', '-p', parameter],
                           env=graph.environment, capture_output=True, text=True, timeout=300)
    assert ended.returncode == process.MISCONFIGURED
    assert ended.stderr.count('\n') == 1 and ended.stderr.startswith('view_node: error: ') and text in ended.stderr
