"""Bags: what is read from them, what is shown of them, and how a bad one is refused."""

import json
import re
import shutil

import bag_fixture
import numpy as np
import pytest

from kiwi_policy.core.states import Source
from kiwi_training.bags.command import COMMANDS, main
from kiwi_training.bags.reader import Bag, BagError, find_bags
from kiwi_training.bags.rollout import RecordedRollout


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return bag_fixture.make_rollout(tmp_path_factory.mktemp('run') / 'bags' / 'rollout_001', ticks=40, seed=3,
                                    namespace='/kiwi')


@pytest.fixture(scope='module')
def rollout(folder):
    return RecordedRollout.load(Bag(folder))


def edited(folder, tmp_path, old, new):
    """A copy of the bag with other metadata."""
    copy = shutil.copytree(folder, tmp_path / 'copy')
    path = copy / 'metadata.yaml'
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return copy


def test_a_bag_says_what_the_metadata_say(folder):
    bag = Bag(folder)
    assert (bag.outcome, bag.success, bag.complete, bag.namespace) == ('success', True, 'true', '/kiwi')
    assert bag.details == {'seed': 3, 'task': 'put the cube on the disc', 'index': 3}
    assert bag.topics['joint_states'] == bag.topics['executor/action'] == 40
    assert bag.topics['parameter_events'] == 2 and bag.cameras == ('front', 'wrist')
    assert bag.seconds == pytest.approx(40 / 30 + 0.01, abs=1e-3)


def test_records_come_in_log_time_order_under_relative_names(folder):
    records = list(Bag(folder).records())
    times = [record.log_time for record in records]
    assert times == sorted(times) and len(times) == sum(Bag(folder).topics.values())
    assert {record.topic for record in records} == set(Bag(folder).topics)


def test_raw_records_are_the_same_messages_as_bytes(folder):
    bag = Bag(folder)
    pairs = list(zip(bag.records('joint_states'), bag.raw('joint_states'), strict=True))
    assert len(pairs) == 40
    for record, raw in pairs:
        again = bag_fixture.STORE.deserialize_cdr(raw.message, 'sensor_msgs/msg/JointState')
        assert raw.log_time == record.log_time and np.array_equal(again.position, record.message.position)


def test_ticks_are_what_the_executor_did(rollout):
    ticks = rollout.ticks
    assert ticks.commands.shape == ticks.measured.shape == (40, 9)
    assert np.array_equal(ticks.commands[7], bag_fixture.command_at(7))
    assert ticks.sources[3] == Source.HOLD and ticks.sources[4] == Source.CHUNK
    assert ticks.received[1] == ((bag_fixture.RUN, 1),) and ticks.received[2] == ()
    assert ticks.period == pytest.approx(1 / 30, abs=1e-6)
    assert ticks.seconds[30] == pytest.approx(30 * bag_fixture.PERIOD_NS / 1e9)


def test_chunks_keep_their_time_and_their_images(rollout):
    second = rollout.chunks[1]
    assert second.chunk.stamp == pytest.approx(8 * bag_fixture.PERIOD_NS / 1e9)
    assert second.chunk.actions.shape == (bag_fixture.HORIZON, 9)
    images = {stamp: data for stamp, _, data in rollout.images('wrist')}
    assert images[second.image_stamps[second.image_names.index('wrist')]].startswith(b'\xff\xd8')


def test_parameters_are_those_of_the_start_and_changes_follow(rollout):
    assert rollout.parameters['chunk_executor_node'] == {'mode': 'latest', 'rate': 30.0, 'speed_scale': 0.5}
    assert [change[1:] for change in rollout.parameter_changes] == [('chunk_executor_node', 'rate', 20.0)]


def test_the_verdict_and_the_task_are_on_record(rollout):
    assert rollout.result.success and rollout.task == 'put the cube on the disc'


def test_an_unlabelled_bag_is_neither_success_nor_failure(folder, tmp_path):
    assert Bag(edited(folder, tmp_path, "labelled: 'true'", "labelled: 'false'")).success is None


def test_a_bag_without_metadata_is_incomplete_and_the_remedy_is_named(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / 'cut')
    (copy / 'metadata.yaml').unlink()
    with pytest.raises(BagError, match=f'did not end.*kiwi-bags recover {re.escape(str(copy))}'):
        Bag(copy)
    assert find_bags([tmp_path]) == [copy]


@pytest.mark.parametrize('cut', [0.95, 0.5, 0.0])
def test_a_file_cut_off_is_named(folder, tmp_path, cut):
    copy = shutil.copytree(folder, tmp_path / 'cut')
    file = next(copy.glob('*.mcap'))
    file.write_bytes(file.read_bytes()[:int(file.stat().st_size * cut)])
    with pytest.raises(BagError, match=re.escape(str(copy))):
        list(Bag(copy).records())


@pytest.mark.parametrize('old, new', [
    ('rosbag2_bagfile_information', 'other'), ('nanoseconds_since_epoch', 'x'), ('rollout_001.mcap', 'gone.mcap'),
    ('rosbag2_bagfile_information:', '{['),
])
def test_senseless_metadata_are_refused(folder, tmp_path, old, new):
    with pytest.raises(BagError, match='metadata.yaml'):
        Bag(edited(folder, tmp_path, old, new))


def test_bags_are_found_in_the_order_of_their_numbers(tmp_path):
    for number in (10, 2, 1):
        (tmp_path / f'rollout_{number}').mkdir()
        (tmp_path / f'rollout_{number}' / 'metadata.yaml').touch()
    assert [path.name for path in find_bags([tmp_path])] == ['rollout_1', 'rollout_2', 'rollout_10']
    with pytest.raises(BagError, match='does not exist'):
        find_bags([tmp_path / 'nowhere'])


def test_info_shows_a_bag_topic_by_topic(folder, capsys):
    assert main(['info', str(folder)]) == 0
    shown = capsys.readouterr().out
    assert re.search(r'outcome +success\n', shown)
    assert re.search(r'joint_states +40 +\d+\.\d +sensor_msgs/msg/JointState', shown)


def test_info_of_several_names_the_broken_one_and_fails(folder, tmp_path, capsys):
    shutil.copytree(folder, tmp_path / 'good')
    shutil.copytree(folder, tmp_path / 'bad')
    (tmp_path / 'bad' / 'metadata.yaml').unlink()
    assert main(['info', str(tmp_path)]) == 1
    captured = capsys.readouterr()
    assert '1 bag, 1 of 1 judged a success' in captured.out and str(tmp_path / 'bad') in captured.err


def test_info_as_json(folder, capsys):
    assert main(['info', '--json', str(folder)]) == 0
    [facts] = json.loads(capsys.readouterr().out)
    assert facts['success'] is True and facts['topics']['action_chunk']['messages'] == 5


def test_every_command_teaches_itself(capsys):
    for argv in (['--help'], *([name, '--help'] for name in COMMANDS)):
        with pytest.raises(SystemExit) as ended:
            main(argv)
        shown = capsys.readouterr().out
        assert ended.value.code == 0 and 'examples:' in shown and 'exit status:' in shown
