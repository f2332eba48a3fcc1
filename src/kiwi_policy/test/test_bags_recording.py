import threading
from collections import Counter, namedtuple

import pytest
from bags_support import START, TEXT, metadata, read_with_rosbags, text

from kiwi_policy.bags import recording as module
from kiwi_policy.bags.definitions import definition
from kiwi_policy.bags.recording import DiskLowError, Item, Recording, check_space
from kiwi_policy.bags.recovery import recover

Usage = namedtuple('Usage', 'total used free')


def item(index, size=10):
    return Item('/text', text(f'{index}'.rjust(size)), START + index, START + index, index)


def make(folder, **changes):
    heard = {'failures': [], 'warnings': []}
    recording = Recording(folder, {'episode_id': 'e1'}, **({
        'queue_bytes': 10**6, 'reserve': 0, 'on_failure': heard['failures'].append,
        'warn': heard['warnings'].append} | changes))
    recording.add_topic('/text', definition(TEXT))
    return recording, heard


def test_all_that_was_offered_is_in_the_bag(tmp_path):
    recording, heard = make(tmp_path / 'bag')
    for index in range(200):
        recording.offer([item(2 * index), item(2 * index + 1)])
    closed = recording.close({'outcome': 'success'})
    assert (closed.messages, closed.lost, closed.complete, closed.closed) == (400, Counter(), 'true', True)
    assert [int(row[3].data) for row in read_with_rosbags(tmp_path / 'bag')] == list(range(400))
    assert metadata(tmp_path / 'bag')['custom_data'] == {'complete': 'true', 'episode_id': 'e1', 'outcome': 'success'}
    assert recording.close() == closed and heard == {'failures': [], 'warnings': []}


def test_lost_messages_make_a_bag_incomplete(tmp_path):
    recording, _ = make(tmp_path / 'bag')
    recording.offer([item(0)])
    closed = recording.close({}, '', Counter({'/text': 2, '/camera': 1}))
    assert closed.complete == 'no, lost 3 messages: 2 of /text, 1 of /camera'
    assert metadata(tmp_path / 'bag')['custom_data']['complete'] == closed.complete


def test_a_full_queue_drops_counts_and_says_so_once(tmp_path, monkeypatch):
    slow = threading.Event()
    monkeypatch.setattr(module.BagWriter, 'flush_when_due', lambda self, now: slow.wait(60.0))
    recording, heard = make(tmp_path / 'bag', queue_bytes=10_000)
    for index in range(300):
        recording.offer([item(index, 100)])
    assert recording.queued <= 10_000
    slow.set()
    closed = recording.close()
    assert closed.messages + closed.lost['/text'] == 300 and closed.lost['/text'] > 50
    assert len(heard['warnings']) == 1 and 'the disk is too slow' in heard['warnings'][0]


def test_a_write_error_ends_the_recording_and_what_was_flushed_is_recovered(tmp_path, monkeypatch):
    recording, heard = make(tmp_path / 'bag')
    recording.offer([item(index) for index in range(50)])
    wait_until(lambda: recording.messages == 50)
    recording._writer.flush()
    monkeypatch.setattr(module.BagWriter, 'flush_when_due', full_disk)
    wait_until(lambda: heard['failures'])
    recording.offer([item(50)])
    closed = recording.close({'outcome': 'success'})
    assert not closed.closed and closed.lost == Counter({'/text': 1})
    assert 'No space left on device' in closed.complete and str(tmp_path / 'bag') in closed.complete
    assert len(heard['failures']) == 1 and not (tmp_path / 'bag' / 'metadata.yaml').exists()
    assert recover(tmp_path / 'bag').messages == 50


def test_a_disk_that_runs_low_closes_the_bag_while_it_still_can_be(tmp_path, monkeypatch):
    recording, heard = make(tmp_path / 'bag', reserve=10**6)
    recording.offer([item(index) for index in range(50)])
    wait_until(lambda: recording.messages == 50)
    monkeypatch.setattr(module.shutil, 'disk_usage', lambda place: Usage(10**9, 10**9, 999))
    wait_until(lambda: heard['failures'])
    closed = recording.close()
    assert closed.closed and 'to stay free' in closed.complete
    assert len(read_with_rosbags(tmp_path / 'bag')) == 50
    assert metadata(tmp_path / 'bag')['custom_data']['complete'] == closed.complete


def test_too_little_space_is_said_in_figures(tmp_path, monkeypatch):
    monkeypatch.setattr(module.shutil, 'disk_usage', lambda place: Usage(10**12, 0, 5 * 10**8))
    with pytest.raises(DiskLowError, match=r'0.50 GB are free at .*, less than the 1.00 GB'):
        check_space(tmp_path / 'not' / 'there', 1e9)
    check_space(tmp_path, 1e8)


def full_disk(self, now):
    raise OSError(28, 'No space left on device')


def wait_until(condition):
    for _ in range(6000):
        if condition():
            return
        threading.Event().wait(0.02)
    raise AssertionError('the condition was not met in time')
