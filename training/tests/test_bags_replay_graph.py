"""A rollout of the simulated robot, driven by the policy that ships and recorded by the recorder: it repeats exactly, and
a frame made from it is what the policy saw."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'src' / 'kiwi_policy' / 'test'))

from graph_support import Graph, Operator  # noqa: E402
from kiwi_msgs.msg import ExecutorStatus as S  # noqa: E402
from kiwi_msgs.msg import TakeoverCommand  # noqa: E402
from kiwi_msgs.srv import StartRecording, StopRecording  # noqa: E402
from rcl_interfaces.msg import Parameter, ParameterValue  # noqa: E402

from kiwi_policy.core.features import CAMERAS, NAMES  # noqa: E402
from kiwi_policy.core.journal import Kind  # noqa: E402
from kiwi_policy.core.states import Source  # noqa: E402
from kiwi_policy.nodes import qos  # noqa: E402
from kiwi_training.bags.command import main  # noqa: E402
from kiwi_training.bags import frames  # noqa: E402
from kiwi_training.bags.executor_settings import Choice  # noqa: E402
from kiwi_training.bags.reader import Bag  # noqa: E402
from kiwi_training.bags.reexecution import Recording, differences  # noqa: E402
from kiwi_training.bags.rollout import RecordedRollout  # noqa: E402
from kiwi_training.executor_bench.command import shipped_checkpoint  # noqa: E402


@pytest.fixture(scope='module')
def bag(tmp_path_factory):
    """Folder of the bag of two episodes: the first stopped by the operator, the second driven partly by one."""
    graph = Graph(tmp_path_factory.mktemp('graph'))
    folder = graph.folder / 'bags' / 'rollout_001'
    operator = None
    try:
        graph.start('sim', 'kiwi_sim.sim_node', f'port_link:={graph.bus}', 'overview_rate:=1.0', 'wire_time:=false')
        graph.start_executor('request_timeout:=10.0', 'replan_interval:=0.2', 'mode:=ensemble', 'ensemble_interval:=0.2',
                             'takeover_timeout:=1.0')
        (graph.folder / 'shown').mkdir()
        graph.environment['SHOWN'] = str(graph.folder / 'shown')
        graph.start('policy', 'remembering_policy_node', f'checkpoint:={shipped_checkpoint()}', 'max_image_age:=3.0',
                    'max_state_age:=3.0', 'wait_for_inputs:=5.0', 'denoising_steps:=1')
        graph.start('recorder', 'kiwi_policy.nodes.recorder_node', 'min_free_gb:=0.0', 'reserve_mb:=0.0')
        operator = Operator(graph.domain)
        operator._clients |= {'record': operator.node.create_client(StartRecording, 'recorder/start'),
                              'stop_recording': operator.node.create_client(StopRecording, 'recorder/stop')}
        takeover = operator.node.create_publisher(TakeoverCommand, 'takeover/command', qos.TAKEOVER)
        operator.until(lambda: operator.state() == S.IDLE and operator.heard['info'] and operator.heard['task'])
        answer = operator.call('record', folder=str(folder), episode_id='first')
        assert answer.success, answer.message
        operator.fresh('action', 30)
        _begin(operator, 'first')
        operator.fresh('chunk', 5)
        operator.fresh('action', 30)
        operator.call('set_executor', parameters=[Parameter(name='speed_scale', value=ParameterValue(type=3, double_value=0.5))])
        operator.fresh('action', 20)
        operator.call('stop')
        operator.fresh('action', 5)
        operator.call('reset')
        operator.call('move_to_start')
        operator.until(lambda: operator.state() == S.MOVING)
        operator.until(lambda: operator.state() == S.IDLE)
        _begin(operator, 'second')
        operator.until(lambda: operator.heard['action'][-1].source == Source.CHUNK)
        pose = operator.values()
        for number in range(20):
            command = TakeoverCommand(engaged=True, operator_name='hand', names=list(NAMES), values=(pose + 0.5 * number).tolist())
            command.header.stamp.sec = number
            takeover.publish(command)
            operator.fresh('action')
        takeover.publish(TakeoverCommand(engaged=False, operator_name='hand'))
        operator.until(lambda: operator.heard['action'][-1].source == Source.CHUNK)
        operator.fresh('action', 30)
        operator.call('end', reason='enough')
        operator.fresh('action', 5)
        answer = operator.call('stop_recording', outcome='timeout', labelled=True)
        assert answer.success and not answer.message, answer.message
        yield folder
    finally:
        if operator is not None:
            operator.close()
        graph.close()


def _begin(operator, episode_id):
    for _ in range(20):                 # on a loaded machine the policy is refused as too slow, then measured anew
        answer = operator.call('begin', episode_id=episode_id, task='t')
        if answer.success:
            return
        operator.fresh('action', 10)
    raise AssertionError(answer.message)


def test_the_live_configuration_gives_the_robots_commands_at_every_tick(bag):
    rollout = RecordedRollout.load(Bag(bag))
    recording = Recording(rollout)
    assert recording.gaps == []
    assert [episode.episode_id for episode in recording.episodes] == ['first', 'second']
    make = Choice('live').maker(rollout.parameters['chunk_executor_node'])
    assert make().config.mode == 'ensemble'
    for episode in recording.episodes:
        live, run = recording.live(episode), recording.run(episode, make)
        assert np.array_equal(run.commands, live.commands)
        assert differences(run, live)[1] == 0
        assert np.ptp(run.commands[:, :5], axis=0).max() > 1.0 and run.counters['accepted'] > 0
    kinds = {event.kind for events in rollout.ticks.events for event in events}
    assert kinds >= {Kind.CHUNK, Kind.BEGIN, Kind.END, Kind.STOP, Kind.RESET, Kind.MOVE, Kind.SPEED, Kind.OPERATOR}
    assert {Source.HOLD, Source.CHUNK, Source.POSE, Source.OPERATOR} <= set(rollout.ticks.sources)


def test_the_command_compares_executors_on_it(bag, tmp_path, capsys):
    path = tmp_path / 'replay.json'
    assert main(['replay', str(bag), '--set', 'mode=latest', '--set', 'seam_ticks=0', '--json', str(path)]) == 0
    print(text := capsys.readouterr().out)
    assert 'live repeats' in text
    rows = {row['executor']: row for row in json.loads(path.read_text())['executors']}
    assert rows['live']['differing_ticks'] == 0 < rows['mode=latest']['differing_ticks']
    assert rows['live']['smoothness'] == rows['robot']['smoothness'] > 0


def test_a_frame_of_a_chunks_tick_is_what_the_policy_saw(bag):
    shown = [dict(np.load(path)) for path in sorted((bag.parents[1] / 'shown').iterdir())]
    by_state = {}
    for seen in shown:
        by_state.setdefault(seen['observation.state'].tobytes(), []).append(seen)
    rollout = RecordedRollout.load(Bag(bag))
    source = frames.FrameSource(rollout, CAMERAS)
    chosen, _ = source.episodes(frames.Choice(min_frames=1))
    pictures = {int(rollout.ticks.stamps[frame.tick]): (frame, views)
                for episode in chosen for frame, views in source.decoded(episode)}
    compared = 0
    for chunk in rollout.chunks:
        if chunk.stamp not in pictures:         # the tick that asked for the first one commanded nothing yet
            continue
        frame, views = pictures[chunk.stamp]
        candidates = by_state[frame.state.tobytes()]
        assert any(all(np.array_equal(views[camera], seen[f'observation.images.{camera}']) for camera in CAMERAS)
                   for seen in candidates)
        compared += 1
    assert compared >= 10
