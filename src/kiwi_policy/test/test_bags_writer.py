import json
import os
import subprocess
import sys

import pytest
import yaml
from bags_support import (
    IMAGE,
    JOINTS,
    START,
    TEXT,
    image,
    joints,
    mcap_file,
    metadata,
    read_with_mcap,
    read_with_rosbags,
    records_of,
    text,
)
from mcap.reader import make_reader

from kiwi_policy.bags.mcap_file import FLUSH_INTERVAL
from kiwi_policy.bags.offered_qos import OfferedQos
from kiwi_policy.bags.writer import BagWriter

CAMERA = '/camera/front/image_raw/compressed'
BEST_EFFORT = OfferedQos(history='keep_last', depth=1, reliability='best_effort')


def fill(bag, count=50):
    bag.add_topic('/joint_states', JOINTS, [OfferedQos()])
    bag.add_topic(CAMERA, IMAGE, [BEST_EFFORT, OfferedQos()])
    bag.add_topic('/silent', TEXT)
    for index in range(count):
        bag.write('/joint_states', joints(index), START + index * 10**7, START + index * 10**7 - 500)
        bag.write(CAMERA, image(index), START + index * 10**7 + 3)


def written(count=50):
    return sorted([('/joint_states', START + index * 10**7, joints(index)) for index in range(count)]
                  + [(CAMERA, START + index * 10**7 + 3, image(index)) for index in range(count)],
                  key=lambda row: row[1])


@pytest.mark.parametrize('compression', ['none', 'lz4'])
def test_both_public_readers_give_back_every_byte_and_value(tmp_path, compression):
    bag = BagWriter(tmp_path / 'bag', compression=compression)
    fill(bag)
    bag.close()
    for read in (read_with_rosbags, read_with_mcap):
        rows = read(tmp_path / 'bag')
        assert [row[:3] for row in rows] == written()
        position = [list(message.position) for topic, _, _, message in rows if topic == '/joint_states']
        assert position == [[0.5 * index, -1.0] for index in range(50)]


def test_metadata_is_what_rosbag2_writes(tmp_path, monkeypatch):
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    bag = BagWriter(tmp_path / 'rollout_001', {'episode_id': 'e1', 'details': json.dumps({'seed': 7})})
    fill(bag)
    bag.close({'outcome': 'success', 'success': 'true'})
    found = metadata(tmp_path / 'rollout_001')
    assert list(found) == [
        'version', 'storage_identifier', 'duration', 'starting_time', 'message_count', 'topics_with_message_count',
        'compression_format', 'compression_mode', 'relative_file_paths', 'files', 'custom_data', 'ros_distro']
    start, duration = {'nanoseconds_since_epoch': START}, {'nanoseconds': 49 * 10**7 + 3}
    assert found | {'topics_with_message_count': None} == {
        'version': 9, 'storage_identifier': 'mcap', 'duration': duration, 'starting_time': start, 'message_count': 100,
        'topics_with_message_count': None, 'compression_format': '', 'compression_mode': '',
        'relative_file_paths': ['rollout_001_0.mcap'],
        'files': [{'path': 'rollout_001_0.mcap', 'starting_time': start, 'duration': duration, 'message_count': 100}],
        'custom_data': {'complete': 'true', 'episode_id': 'e1', 'details': '{"seed": 7}', 'outcome': 'success',
                        'success': 'true'},
        'ros_distro': 'jazzy'}
    topics = {entry['topic_metadata']['name']: entry for entry in found['topics_with_message_count']}
    assert {name: entry['message_count'] for name, entry in topics.items()} == {
        '/joint_states': 50, CAMERA: 50, '/silent': 0}
    infinite = {'sec': 9223372036, 'nsec': 854775807}
    camera = topics[CAMERA]['topic_metadata']
    assert list(camera) == ['name', 'type', 'serialization_format', 'offered_qos_profiles', 'type_description_hash']
    assert camera['offered_qos_profiles'][0] == {
        'history': 'keep_last', 'depth': 1, 'reliability': 'best_effort', 'durability': 'volatile', 'deadline': infinite,
        'lifespan': infinite, 'liveliness': 'automatic', 'liveliness_lease_duration': infinite,
        'avoid_ros_namespace_conventions': False}
    assert camera['type'] == 'sensor_msgs/msg/CompressedImage' and camera['serialization_format'] == 'cdr'
    assert topics['/silent']['topic_metadata']['offered_qos_profiles'] == []


def test_mcap_file_is_what_rosbag2_writes(tmp_path):
    bag = BagWriter(tmp_path / 'bag', {'episode_id': 'e1'})
    fill(bag)
    bag.close()
    with open(mcap_file(tmp_path / 'bag'), 'rb') as file:
        reader = make_reader(file)
        assert reader.get_header().profile == 'ros2'
        summary = reader.get_summary()
        first = next(reader.iter_messages(topics=['/joint_states']))[2]
    channels = {channel.topic: channel for channel in summary.channels.values()}
    assert set(channels) == {'/joint_states', CAMERA, '/silent'}
    channel = channels[CAMERA]
    schema = summary.schemas[channel.schema_id]
    assert (channel.message_encoding, schema.encoding, schema.name) == ('cdr', 'ros2msg', IMAGE)
    assert list(channel.metadata) == ['offered_qos_profiles', 'topic_type_hash']
    assert channel.metadata['topic_type_hash'].startswith('RIHS01_')
    assert channel.metadata['offered_qos_profiles'].splitlines()[:6] == [
        '- history: keep_last', '  depth: 1', '  reliability: best_effort', '  durability: volatile', '  deadline:',
        '    sec: 9223372036']
    assert channels['/silent'].metadata['offered_qos_profiles'] == '[]'
    assert (first.log_time, first.publish_time) == (START, START - 500)
    kiwi, rosbag2 = records_of(tmp_path / 'bag', 'kiwi'), records_of(tmp_path / 'bag', 'rosbag2')
    assert [record['complete'] for record in kiwi] == ['no, the recording was cut off', 'true']
    assert kiwi[-1]['episode_id'] == 'e1'
    assert yaml.safe_load(rosbag2[-1]['serialized_metadata']) == metadata(tmp_path / 'bag')


def test_a_bag_without_messages_can_be_read(tmp_path):
    bag = BagWriter(tmp_path / 'bag')
    bag.close()
    assert metadata(tmp_path / 'bag')['message_count'] == 0
    assert read_with_mcap(tmp_path / 'bag') == []


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / 'bag').mkdir()
    (tmp_path / 'bag' / 'mine').write_text('kept')
    with pytest.raises(FileExistsError, match='bag exists already'):
        BagWriter(tmp_path / 'bag')
    assert [path.name for path in (tmp_path / 'bag').iterdir()] == ['mine']


def test_a_bag_that_is_not_closed_has_no_metadata(tmp_path):
    bag = BagWriter(tmp_path / 'bag')
    fill(bag)
    bag.abandon()
    assert not (tmp_path / 'bag' / 'metadata.yaml').exists()


def test_wrong_use_is_named(tmp_path):
    bag = BagWriter(tmp_path / 'bag')
    bag.add_topic('/a', TEXT)
    bag.add_topic('/a', TEXT)
    with pytest.raises(ValueError, match='/a holds std_msgs/msg/String, it cannot take std_msgs/msg/Header'):
        bag.add_topic('/a', 'std_msgs/msg/Header')
    with pytest.raises(KeyError, match='/b'):
        bag.write('/b', text(''), START)
    with pytest.raises(ValueError, match='compression is .gzip.; it may be none, lz4, zstd'):
        BagWriter(tmp_path / 'other', compression='gzip')
    with pytest.raises(ValueError, match='seed of the recording must be a text, got 7'):
        BagWriter(tmp_path / 'other', {'seed': 7})
    assert not (tmp_path / 'other').exists()
    bag.close()


def test_what_is_flushed_is_in_the_file_for_others(tmp_path):
    bag = BagWriter(tmp_path / 'bag')
    bag.add_topic('/a', TEXT)
    size = mcap_file(tmp_path / 'bag').stat().st_size
    bag.flush_when_due(10.0)
    bag.write('/a', text('one'), START)
    bag.flush_when_due(10.0 + 0.9 * FLUSH_INTERVAL)
    assert mcap_file(tmp_path / 'bag').stat().st_size == size
    bag.flush_when_due(10.0 + 1.1 * FLUSH_INTERVAL)
    assert mcap_file(tmp_path / 'bag').stat().st_size > size
    bag.close()


HALF_AN_HOUR = '''
import re, sys
from kiwi_policy.bags.writer import BagWriter
bag = BagWriter(sys.argv[1])
topics = [f'/topic_{i}' for i in range(16)]
for topic in topics:
    bag.add_topic(topic, 'std_msgs/msg/String')
def peak():
    return int(re.search(r'VmHWM:\\s*(\\d+)', open('/proc/self/status').read())[1])
message, picture = bytes(60), bytes(600)
seconds = int(sys.argv[2])
for second in range(seconds):
    for tick in range(30):
        for index, topic in enumerate(topics):
            bag.write(topic, picture if index < 3 else message, (second * 30 + tick) * 33_333_333)
    bag.flush_when_due(float(second))
    if second == seconds // 10:
        early = peak()
bag.close()
print(early, peak(), bag.messages)
'''


def test_memory_does_not_grow_with_the_recording(tmp_path):
    """Half an hour at full rate, as fast as it goes; what grows is the index of one chunk per second."""
    seconds = 1800
    output = subprocess.run([sys.executable, '-c', HALF_AN_HOUR, str(tmp_path / 'bag'), str(seconds)], check=True,
                            capture_output=True, text=True, env=environment()).stdout
    early, late, messages = map(int, output.split())
    assert messages == seconds * 30 * 16
    assert late - early < 16 * 1024, f'{(late - early) / 1024:.1f} MB more after {seconds} s than after a tenth'
    assert metadata(tmp_path / 'bag')['message_count'] == messages


def environment():
    return os.environ | {'PYTHONPATH': os.pathsep.join(path for path in sys.path if path)}
