"""recorder_node as a process: what it records is what a subscriber received, and its end is always clear."""

import json
import signal
import time

import numpy as np
import pytest
from bags_support import metadata, read_with_mcap, read_with_rosbags, records_of
from graph_support import Graph, Operator, wait_for
from kiwi_msgs.msg import ChunkRequest, EpisodeResult, ExecutedAction, PolicyInfo
from recorder_support import Caller
from sensor_msgs.msg import CompressedImage
from std_srvs.srv import Trigger

from kiwi_policy.bags.recovery import recover
from kiwi_policy.nodes import qos

SMALL_DISK = ('min_free_gb:=0.0', 'reserve_mb:=0.0')
CAMERA = '/camera/front/image_raw/compressed'


class Rig:
    """recorder_node, a caller, and publishers of a few topics."""

    def __init__(self, folder):
        self.folder = folder
        self.graph = Graph(folder)
        self.caller = Caller(self.graph.domain)
        node = self.caller.node
        self.actions = node.create_publisher(ExecutedAction, 'executor/action', qos.ACTION)
        self.requests = node.create_publisher(ChunkRequest, 'chunk_request', qos.REQUEST)
        self.images = node.create_publisher(CompressedImage, CAMERA, qos.CAMERA)
        self.infos = node.create_publisher(PolicyInfo, 'policy_info', qos.LATCHED)
        self.results = node.create_publisher(EpisodeResult, 'rollout/result', qos.STATUS)
        self._count = 0

    def start_recorder(self, *parameters):
        """Start the process and wait until it hears everybody."""
        self.graph.start('recorder', 'kiwi_policy.nodes.recorder_node', *SMALL_DISK, *parameters)
        publishers = (self.actions, self.requests, self.images, self.infos, self.results)
        self.caller.until(lambda: all(publisher.get_subscription_count() >= 2 for publisher in publishers))

    def say(self, count=30, pause=0.01):
        """Publish actions and images, which come one by one."""
        for _ in range(count):
            self._count += 1
            self.actions.publish(ExecutedAction(episode_id='e1', index=self._count, command=[0.5] * 9))
            self.images.publish(CompressedImage(format='jpeg', data=bytes([self._count % 256]) * 20_000))
            time.sleep(pause)
        heard = self.caller.heard
        self.caller.until(lambda: len(heard['/executor/action']) == self._count)

    def close(self):
        self.graph.close()
        self.caller.close()


@pytest.fixture
def rig(tmp_path):
    made = Rig(tmp_path)
    yield made
    made.close()


def recorded(folder, topic):
    """Serialized messages of a topic; both readers agree."""
    rows = [row[2] for row in read_with_rosbags(folder) if row[0] == topic]
    assert rows == [row[2] for row in read_with_mcap(folder) if row[0] == topic]
    return rows


def padded(data):
    """As the network pads a message to four bytes; the recorder hears its own without that."""
    return data + bytes(-len(data) % 4)


def test_every_message_between_start_and_stop_is_there_byte_by_byte(rig):
    rig.start_recorder()
    rig.infos.publish(PolicyInfo(head='played', checkpoint_digest='0123abcd'))
    rig.caller.until(lambda: rig.caller.heard['/policy_info'])
    rig.say(5)
    folder = rig.folder / 'run' / 'bags' / 'rollout_001'
    before = len(rig.caller.heard['/executor/action'])
    answer = rig.caller.start(folder, episode_id='e1', details=json.dumps({'seed': 7, 'task': 'Put it.'}))
    assert answer.success and answer.folder == str(folder), answer.message
    rig.say(60)
    rig.results.publish(EpisodeResult(episode_id='e1', outcome='success', success=True))
    rig.caller.until(lambda: rig.caller.heard['/rollout/result'])
    answer = rig.caller.stop(outcome='success', labelled=True, rollout_success=True)
    rig.say(5)
    assert answer.success and (answer.lost == 0) == (answer.message == ''), answer.message

    heard = rig.caller.heard
    assert recorded(folder, '/executor/action') == heard['/executor/action'][before:before + 60]
    images = [message.data for topic, _, _, message in read_with_rosbags(folder) if topic == CAMERA]
    taken = [int(data[0]) for data in images]
    assert all(len(data) == 20_000 and set(data) == {data[0]} for data in images)
    assert taken == sorted(set(taken)) and set(taken) <= set(range(6, 66))     # best effort: a few may be lost
    assert len(taken) + answer.lost >= 58
    assert recorded(folder, '/policy_info') == heard['/policy_info'][:1]
    assert recorded(folder, '/rollout/result') == heard['/rollout/result']
    found = metadata(folder)
    assert found['message_count'] == answer.messages == len(read_with_rosbags(folder))
    assert found['custom_data'] == {
        'complete': answer.message or 'true', 'episode_id': 'e1', 'details': '{"seed": 7, "task": "Put it."}',
        'checkpoint_digest': '0123abcd', 'outcome': 'success', 'labelled': 'true', 'success': 'true', 'namespace': '/'}
    assert records_of(folder, 'kiwi')[-1] == found['custom_data']
    profiles = {entry['topic_metadata']['name']: entry['topic_metadata']['offered_qos_profiles'][0]
                for entry in found['topics_with_message_count'] if entry['topic_metadata']['offered_qos_profiles']}
    assert profiles[CAMERA]['reliability'] == 'best_effort'
    assert profiles['/executor/action']['reliability'] == 'reliable'
    assert profiles['/policy_info']['durability'] == 'transient_local'
    times = [row[1] for row in read_with_rosbags(folder)]
    assert times == sorted(times)


def test_parameters_of_all_nodes_stand_in_each_bag_and_live_changes_after_them(rig):
    rig.graph.start('camera', 'kiwi_policy.nodes.camera_node', 'source:=synthetic', 'rate:=5.0', 'camera:=wrist')
    rig.start_recorder('poll_interval:=0.03')
    rig.caller.until(lambda: rig.caller.heard['/camera/wrist/image_raw/compressed'])
    for index in (1, 2):
        folder = rig.folder / f'rollout_{index}'
        heard = rig.caller.heard['/recorder/parameters']
        count = len(heard)
        assert rig.caller.start(folder).success
        rig.caller.until(lambda heard=heard, count=count: len(heard) >= count + 3)
        assert rig.caller.stop().success
        events = {message.node: message for topic, _, _, message in read_with_rosbags(folder)
                  if topic == '/parameter_events'}
        assert {'/camera_node', '/recorder_node', '/recorder_caller'} <= set(events)
        values = {parameter.name: parameter.value for parameter in events['/camera_node'].new_parameters}
        assert values['rate'].double_value == 5.0 and values['camera'].string_value == 'wrist'
        own = {parameter.name: parameter.value for parameter in events['/recorder_node'].new_parameters}
        assert own['poll_interval'].double_value == 0.03


def test_wrong_calls_are_answered_in_words(rig):
    rig.start_recorder()
    assert 'nothing is being recorded' in rig.caller.stop().message
    taken = rig.folder / 'taken'
    taken.mkdir()
    assert 'taken exists already' in rig.caller.start(taken).message
    assert list(taken.iterdir()) == []
    assert 'details must be a JSON object' in rig.caller.start(rig.folder / 'a', details='[1]').message
    assert "got 'seed'" in rig.caller.start(rig.folder / 'a', details='seed').message
    assert not (rig.folder / 'a').exists()
    assert rig.caller.start(rig.folder / 'a').success
    answer = rig.caller.start(rig.folder / 'b')
    assert not answer.success and f'{rig.folder / "a"} is being recorded; call recorder/stop first' in answer.message
    assert rig.caller.stop().success
    answer = rig.caller.start('')
    assert answer.success and answer.folder.startswith(str(rig.folder / 'recordings'))
    assert rig.caller.stop().folder == answer.folder


def test_no_recording_begins_on_a_disk_that_is_nearly_full(rig):
    rig.start_recorder('min_free_gb:=9999.0')
    answer = rig.caller.start(rig.folder / 'a' / 'b')
    assert not answer.success and '9999.00 GB that are to stay free' in answer.message
    assert not (rig.folder / 'a').exists()


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_a_recorder_that_is_ended_closes_its_bag_and_says_so(rig, number):
    rig.start_recorder()
    assert rig.caller.start(rig.folder / 'bag').success
    rig.say(20)
    assert rig.graph.end('recorder', number) == 0
    assert len(recorded(rig.folder / 'bag', '/executor/action')) == 20
    complete = metadata(rig.folder / 'bag')['custom_data']['complete']
    assert complete == f'no, interrupted: the recorder was ended by {number.name}'


def test_after_kill_all_but_the_last_second_is_recovered(rig):
    rig.start_recorder()
    folder = rig.folder / 'bag'
    assert rig.caller.start(folder, episode_id='e1').success
    started = time.monotonic()
    sent = []
    while time.monotonic() - started < 4.0:
        rig.say(1, 0.02)
        sent.append(time.time_ns())
    killed = time.time_ns()
    rig.graph.end('recorder', signal.SIGKILL)
    assert not (folder / 'metadata.yaml').exists()
    recover(folder)
    actions = [row for row in read_with_rosbags(folder) if row[0] == '/executor/action']
    heard = rig.caller.heard['/executor/action']
    assert [row[2] for row in actions] == heard[:len(actions)] and actions
    found = metadata(folder)
    assert found['custom_data']['complete'] == f'cut off, recovered {found["message_count"]} messages'
    late = sum(killed - stamp < 10**9 for stamp in sent)
    assert len(heard) - len(actions) <= late + 5


def test_a_recorder_that_cannot_write_says_so_and_the_robot_goes_on_or_stops(rig):
    stops = []

    def on_stop(_request, response):
        stops.append(time.monotonic())
        response.success = True
        return response

    rig.caller.node.create_service(Trigger, 'executor/stop', on_stop)
    limit = 'import resource, runpy; resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000)); ' \
            'runpy.run_module("kiwi_policy.nodes.recorder_node", run_name="__main__")'
    for on_failure in ('continue', 'stop'):
        (rig.folder / 'limited.py').write_text(limit)
        rig.graph.environment['PYTHONPATH'] += f':{rig.folder}'
        rig.graph.start(on_failure, 'limited', *SMALL_DISK, f'on_failure:={on_failure}')
        rig.caller.until(lambda: rig.actions.get_subscription_count() >= 2)
        folder = rig.folder / f'bag_{on_failure}'
        assert rig.caller.start(folder).success
        rig.say(150, 0.02)
        wait_for(lambda name=on_failure: 'cannot be written' in rig.graph.output(name))
        if on_failure == 'stop':
            wait_for(lambda: stops)
        assert len(stops) == (on_failure == 'stop')
        answer = rig.caller.stop(outcome='success')
        assert not answer.success and 'File too large' in answer.message
        assert f'kiwi-bags recover {folder}' in answer.message
        assert answer.lost > 0 and not (folder / 'metadata.yaml').exists()
        assert recover(folder).messages > 0
        assert rig.caller.start(rig.folder / f'next_{on_failure}').success
        assert rig.caller.stop().success
        assert rig.graph.end(on_failure) == 0
        rig.caller.until(lambda: rig.actions.get_subscription_count() == 1)


def test_a_rollout_of_the_real_executor_in_simulation_is_there_byte_by_byte(tmp_path):
    graph = Graph(tmp_path)
    caller, operator = Caller(graph.domain), Operator(graph.domain)
    try:
        graph.start('recorder', 'kiwi_policy.nodes.recorder_node', *SMALL_DISK)
        graph.start_sim()
        graph.start_executor('replan_interval:=1.0')
        operator.play_policy()
        operator.until(lambda: operator.heard['joints'] and operator.heard['task'] and operator.heard['action'])
        folder = tmp_path / 'bags' / 'rollout_001'
        assert caller.start(folder, episode_id='e1', details='{"seed": 1}').success
        assert operator.call('begin', episode_id='e1', task='pick').success
        operator.fresh('request')
        operator.send(operator.chunk(np.tile(operator.values(), (60, 1)), episode_id='e1'))
        operator.fresh('action', 60)
        assert operator.call('end', reason='done').success
        answer = caller.stop(outcome='success', labelled=True, rollout_success=True)
        assert answer.success
        counts = {}
        for topic in ('/executor/action', '/executor/status', '/joint_states', '/base_velocity', '/chunk_request',
                      '/action_chunk', '/sim/task_state', '/diagnostics', '/policy_info', CAMERA,
                      '/camera/wrist/image_raw/compressed', '/camera/overview/image_raw/compressed'):
            rows = recorded(folder, topic)
            counts[topic] = len(rows)
            assert rows, topic
            heard = caller.heard[topic]
            if topic == '/diagnostics':         # of several nodes, whose order is each reader's own
                rows = set(map(padded, rows))
                caller.until(lambda heard=heard, rows=rows: rows <= set(map(padded, heard)))
            elif 'camera' not in topic:         # a best effort reader may miss what the other one has
                first = heard.index(rows[0])
                caller.until(lambda heard=heard, end=first + len(rows): len(heard) >= end)
                assert rows == heard[first:first + len(rows)], topic
        assert counts['/executor/action'] >= 60 and counts['/action_chunk'] == counts['/policy_info'] == 1
        values = {message.node for topic, _, _, message in read_with_rosbags(folder) if topic == '/parameter_events'}
        assert {'/chunk_executor_node', '/sim_node', '/recorder_node'} <= values
    finally:
        operator.close()
        caller.close()
        graph.close()
