"""policy_node and rollout_node as processes, with a small checkpoint of random weights."""

import json
import shutil
import signal
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')

from graph_support import PATIENCE, Graph, Operator, wait_for  # noqa: E402
from nodes_support import FakeInfo  # noqa: E402
from kiwi_msgs.action import RunRollouts  # noqa: E402
from kiwi_msgs.msg import ExecutorStatus as S  # noqa: E402
from rclpy.action import ActionClient  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402

from kiwi_policy.core.features import CAMERAS, NAMES  # noqa: E402
from kiwi_policy.core.parameters import ParameterError  # noqa: E402
from kiwi_policy.nodes import conversions, policy_node, policy_parameters, qos  # noqa: E402
from kiwi_policy.nodes.images import decode_rgb  # noqa: E402

HORIZON = 48


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """A flow checkpoint of the real modules with random weights, small motions around the home pose."""
    import torch
    from heads_support import lekiwi_policy
    from lerobot.policies.factory import make_pre_post_processors

    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp('checkpoint')
    policy = lekiwi_policy('flow', horizon=HORIZON, num_inference_steps=4)
    mean = torch.tensor([0.0, -30.0, 30.0, 60.0, -90.0, 40.0, 0.05, 0.0, 0.0])
    std = torch.tensor([3.0] * 6 + [0.02, 0.02, 2.0])
    stats = {key: {'mean': mean, 'std': std, 'min': mean - std, 'max': mean + std}
             for key in ('observation.state', 'action')}
    policy.eval().save_pretrained(folder)
    for processor in make_pre_post_processors(policy.config, dataset_stats=stats):
        processor.save_pretrained(folder)
    return folder


def start_policy(graph, checkpoint, *parameters):
    return graph.start('policy', 'kiwi_policy.nodes.policy_node', f'checkpoint:={checkpoint}', 'max_image_age:=3.0',
                       'max_state_age:=3.0', 'wait_for_inputs:=5.0', *parameters)


@pytest.fixture(scope='module')
def graph(tmp_path_factory, checkpoint):
    graph = Graph(tmp_path_factory.mktemp('graph'))
    graph.start_sim()
    graph.start_executor('request_timeout:=10.0', 'replan_interval:=0.4')
    start_policy(graph, checkpoint, 'sampling_seed:=7')
    yield graph
    graph.close()


@pytest.fixture(scope='module')
def operator(graph):
    operator = Operator(graph.domain)
    operator.until(lambda: operator.state() == S.IDLE and operator.heard['info'] and operator.heard['task'])
    yield operator
    operator.close()


def test_the_policy_says_what_it_is(operator):
    info = operator.heard['info'][-1]
    assert (info.head, info.horizon, info.n_action_steps) == ('kiwi_flow', HORIZON, HORIZON)
    assert info.names == list(NAMES) and info.cameras == list(CAMERAS)
    assert info.period == pytest.approx(1 / 30)
    assert info.units[0] == 'deg' and info.units[8] == 'deg/s'
    assert info.action_spread[0] == pytest.approx(3.0)
    assert 0 < info.latency_p50 <= info.latency_p95
    assert info.evaluations == 4 and len(info.checkpoint_digest) == 16


def test_the_policy_sees_what_the_training_environment_shows(operator):
    from kiwi_sim.env import ForkEnv

    newest = {}
    for camera in CAMERAS:
        operator.node.create_subscription(
            CompressedImage, f'camera/{camera}/image_raw/compressed',
            lambda message, camera=camera: newest.__setitem__(camera, bytes(message.data)), qos.CAMERA)
    assert operator.call('sim_reset', seed=5).success
    newest.clear()
    wait_for(lambda: len(newest) == len(CAMERAS))
    shown, _ = ForkEnv(image_size=(32, 32)).reset(seed=5)
    for camera in CAMERAS:
        expected = shown[f'observation.images.{camera}'].astype(int)
        seen = decode_rgb(newest[camera]).astype(int)
        swapped = seen[..., ::-1]
        assert np.abs(seen - expected).mean() < 6.0, camera
        assert np.abs(seen - expected).mean() < 0.7 * np.abs(swapped - expected).mean(), camera


def test_chunks_answer_requests_and_the_robot_moves(operator):
    place = operator.heard['task'][-1].base.x
    assert operator.call('begin', episode_id='closed', task='pick').success
    operator.until(lambda: sum(chunk.episode_id == 'closed' for chunk in operator.heard['chunk']) >= 3)
    stamps = {conversions.to_nanoseconds(m.header.stamp) for m in operator.heard['joints']}
    asked = {m.request_id: conversions.to_nanoseconds(m.header.stamp) for m in operator.heard['request']}
    chunks = [chunk for chunk in operator.heard['chunk'] if chunk.episode_id == 'closed']
    for chunk in chunks:
        stamp = conversions.to_nanoseconds(chunk.header.stamp)
        assert stamp in stamps and stamp >= asked[chunk.request_id]
        assert (chunk.horizon, chunk.evaluations, len(chunk.actions)) == (HORIZON, 4, HORIZON * 9)
        assert sorted(chunk.image_names) == sorted(CAMERAS) and min(chunk.image_ages) >= 0
    assert [chunk.chunk_id for chunk in chunks] == sorted({chunk.chunk_id for chunk in chunks})
    operator.until(lambda: operator.state() == S.RUNNING)
    operator.until(lambda: operator.heard['task'][-1].base.x - place > 0.03)
    answer = operator.call('end', reason='enough')
    assert answer.success and answer.status.accepted >= 3
    assert set(answer.status.reject_reasons) <= {'too_old'}       # a machine that is too busy makes late chunks
    assert answer.status.episode_id == 'closed'


def test_a_killed_policy_leaves_the_base_at_rest_and_the_arm_held(graph, operator, checkpoint):
    assert operator.call('begin', episode_id='orphan', task='').success
    operator.until(lambda: operator.state() == S.RUNNING)
    run = operator.heard['info'][-1].run_id
    assert graph.end('policy', signal.SIGKILL) == -signal.SIGKILL
    operator.until(lambda: operator.state() == S.STARVED)
    operator.base_rests()
    pose = operator.pose()
    operator.fresh('joints', 20)
    assert np.abs(operator.pose() - pose).max() < np.deg2rad(1.0)
    start_policy(graph, checkpoint, 'prefix_conditioning:=project', 'prefix_overlap:=5')
    operator.until(lambda: operator.state() == S.RUNNING)             # a new run_id is taken in the same episode
    assert operator.heard['action'][-1].run_id not in (0, run)
    assert operator.call('end', reason='over').success


def test_autorun_writes_everything_and_ends(graph, operator):
    process = graph.start('rollouts', 'kiwi_policy.nodes.rollout_node', 'rollouts:=2', 'time_limit:=8.0', 'seed:=30',
                          'output_dir:=out', 'video_height:=48')
    assert process.wait(PATIENCE) == 0, graph.output('rollouts')
    folder = (graph.folder / 'out' / 'latest').resolve()
    content = json.loads((folder / 'rollouts.json').read_text())
    assert content['finished_rollouts'] == 2 and content['message'] == ''
    assert (content['head'], content['evaluations_per_chunk'], content['mode']) == ('kiwi_flow', 4.0, 'latest')
    assert [episode['seed'] for episode in content['episodes']] == [30, 31]
    for episode in content['episodes']:
        assert episode['outcome'] in ('success', 'timeout', 'post_hit')
        assert episode['chunks'] > 0 and episode['ticks'] > 10 and episode['smoothness'] > 0
        assert (folder / episode['video']).stat().st_size > 500
    lines = graph.output('rollouts').strip().splitlines()
    assert lines[-1] == f'success {content["successes"]}/2'
    assert any(line.split()[:2] == ['2', '31'] for line in lines)


def test_an_interrupted_run_ends_its_episode_and_leaves_its_file_whole(graph, operator):
    graph.start('rollouts', 'kiwi_policy.nodes.rollout_node', 'rollouts:=50', 'time_limit:=1.0', 'output_dir:=cut',
                'video:=false')
    wait_for(lambda: 'rollout 1/50' in graph.output('rollouts'))
    operator.until(lambda: operator.state() in (S.WAITING, S.RAMPING, S.RUNNING))
    assert graph.end('rollouts', signal.SIGINT) == 128 + signal.SIGINT
    operator.until(lambda: operator.state() == S.IDLE)
    operator.base_rests()
    content = json.loads((graph.folder / 'cut' / 'latest' / 'rollouts.json').read_text())
    assert content['message'] == 'interrupted' and 1 <= content['finished_rollouts'] < 50
    assert len(content['episodes']) == content['finished_rollouts']
    assert 'Traceback' not in graph.output('rollouts')


def test_the_action_server_runs_reports_and_refuses_a_second_goal(graph, operator):
    graph.start('server', 'kiwi_policy.nodes.rollout_node', 'output_dir:=acted', 'video:=false')
    client = ActionClient(operator.node, RunRollouts, 'run_rollouts')
    assert client.wait_for_server(PATIENCE)
    feedback = []
    goal = RunRollouts.Goal(rollouts=2, time_limit=1.0, seed=60)
    handle = accepted(client, goal, lambda message: feedback.append(message.feedback))
    assert not done(client.send_goal_async(goal)).accepted
    result = done(handle.get_result_async()).result
    assert [episode.seed for episode in result.episodes] == [60, 61]
    assert 0 <= result.success_low <= result.success_high <= 1
    assert json.loads(open(result.results_file).read())['finished_rollouts'] == 2
    assert [message.index for message in feedback] == [0, 1] and feedback[1].rollouts == 2
    client.destroy()
    assert graph.end('server') == 0


def accepted(client, goal, on_feedback):
    """Handle of a goal that the server took. A server that has not yet discovered the client loses its answer."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        answered = threading.Event()
        future = client.send_goal_async(goal, feedback_callback=on_feedback)
        future.add_done_callback(lambda _, answered=answered: answered.set())
        if answered.wait(10.0) and future.result().accepted:
            return future.result()
    raise AssertionError('the server took no goal')


def done(future):
    """Result of a future that another thread's spinning completes."""
    event = threading.Event()
    future.add_done_callback(lambda _: event.set())
    assert event.wait(PATIENCE)
    return future.result()


@pytest.mark.parametrize('what, text', [
    ('pickled', 'no model.safetensors: pickled weights can run code'), ('steps', 'n_action_steps 4 is below half'),
    ('unnamed', 'parameter checkpoint is empty')])
def test_a_wrong_checkpoint_is_refused(what, text, checkpoint, tmp_path):
    folder = tmp_path / 'checkpoint'
    shutil.copytree(checkpoint, folder)
    if what == 'pickled':
        (folder / 'model.safetensors').rename(folder / 'pytorch_model.bin')
    if what == 'steps':
        config = json.loads((folder / 'config.json').read_text())
        (folder / 'config.json').write_text(json.dumps(config | {'n_action_steps': 4}))
    parameters = {parameter.name: parameter.default for parameter in policy_parameters.TABLE}
    parameters |= {'checkpoint': '' if what == 'unnamed' else str(folder), 'torch_threads': 0}
    with pytest.raises(ValueError, match=text):
        policy_node.load(SimpleNamespace(**parameters))
    if what == 'steps':
        loaded = policy_node.load(SimpleNamespace(**parameters | {'allow_short_action_steps': True}))
        assert loaded.info.n_action_steps == 4


@pytest.mark.parametrize('set_to, conditioning, overlap', [
    ({}, 'none', None), ({'prefix_overlap': 4}, 'none', None), ({'prefix_conditioning': 'project'}, 'project', None),
    ({'prefix_conditioning': 'guidance', 'prefix_overlap': 0}, 'guidance', 0)])
def test_the_prefix_parameters_reach_the_policy(set_to, conditioning, overlap, checkpoint):
    parameters = {parameter.name: parameter.default for parameter in policy_parameters.TABLE}
    parameters |= {'checkpoint': str(checkpoint), 'torch_threads': 0} | set_to
    loaded = policy_node.load(SimpleNamespace(**parameters))
    assert loaded.info.prefix_conditioning == conditioning
    assert loaded.policy.config.prefix_overlap == overlap


def test_a_missing_checkpoint_is_one_clear_line(tmp_path):
    graph = Graph(tmp_path)
    assert start_policy(graph, tmp_path / 'nowhere').wait(PATIENCE) == 2
    output = graph.output('policy')
    assert output.startswith('policy_node: error: checkpoint ') and 'does not exist' in output
    assert output.count('\n') == 1


@pytest.mark.parametrize('saved, wanted, period', [(None, 0.05, 0.05), (1 / 30, 0.0, 1 / 30), (0.05, 0.05, 0.05)])
def test_the_period_comes_from_the_checkpoint_or_the_parameter(saved, wanted, period):
    assert policy_node.chunk_period(FakeInfo(period=saved), wanted) == period


@pytest.mark.parametrize('saved, wanted, text', [(None, 0.0, 'set parameter period'), (1 / 30, 0.05, 'leave it at 0')])
def test_a_period_that_is_missing_or_differs_is_refused(saved, wanted, text):
    with pytest.raises(ParameterError, match=text):
        policy_node.chunk_period(FakeInfo(period=saved), wanted)
