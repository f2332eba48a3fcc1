import os
import signal
import subprocess
import sys

import pytest
from bags_support import (
    JOINTS,
    START,
    TEXT,
    joints,
    mcap_file,
    metadata,
    read_with_mcap,
    read_with_rosbags,
    records_of,
    text,
)

from kiwi_policy.bags.recovery import RecoveryError, recover
from kiwi_policy.bags.writer import BagWriter

PATIENCE = 120.0    # s; bounds hangs only


def cut_off(folder, chunks=5, per_chunk=20, compression='none'):
    """A recording whose process was killed: `chunks` flushed, and as much again as one of them not."""
    bag = BagWriter(folder, {'episode_id': 'e1', 'details': '{"seed": 3}'}, compression)
    bag.add_topic('/joint_states', JOINTS)
    bag.add_topic('/text', TEXT)
    for chunk in range(chunks + 1):
        for index in range(chunk * per_chunk, (chunk + 1) * per_chunk):
            bag.write('/joint_states', joints(index), START + index, START + index - 1, sequence=index)
        if chunk < chunks:
            bag.flush()
    saved = mcap_file(folder).read_bytes()
    bag.abandon()
    mcap_file(folder).write_bytes(saved)
    return saved


def indices(folder):
    """What the recovered bag holds; both readers agree, and the bytes are those written."""
    rows = read_with_rosbags(folder)
    assert [row[:3] for row in rows] == [row[:3] for row in read_with_mcap(folder)]
    found = [row[3].header.stamp.sec for row in rows]
    assert [row[2] for row in rows] == [joints(index) for index in found]
    assert metadata(folder)['message_count'] == len(found)
    return found


@pytest.mark.parametrize('compression', ['none', 'lz4'])
def test_all_that_was_flushed_is_recovered(tmp_path, compression):
    cut_off(tmp_path / 'bag', compression=compression)
    result = recover(tmp_path / 'bag')
    assert indices(tmp_path / 'bag') == list(range(100))
    assert (result.messages, result.bad_chunks, result.unknown) == (100, 0, 0)
    custom = metadata(tmp_path / 'bag')['custom_data']
    assert custom == {'complete': 'cut off, recovered 100 messages', 'episode_id': 'e1', 'details': '{"seed": 3}'}
    assert records_of(tmp_path / 'bag', 'kiwi')[-1] == custom
    topics = {entry['topic_metadata']['name']: entry['topic_metadata'] for entry in
              metadata(tmp_path / 'bag')['topics_with_message_count']}
    assert topics['/joint_states']['type_description_hash'].startswith('RIHS01_')
    assert sorted(path.name for path in (tmp_path / 'bag').iterdir()) == ['bag_0.mcap', 'metadata.yaml']


def test_of_a_chunk_cut_in_the_middle_the_messages_before_the_cut_are_recovered(tmp_path):
    whole = cut_off(tmp_path / 'bag')
    chunk = len(whole) // 5
    mcap_file(tmp_path / 'bag').write_bytes(whole[:len(whole) - chunk // 2])
    recover(tmp_path / 'bag')
    found = indices(tmp_path / 'bag')
    assert found == list(range(len(found))) and 80 < len(found) < 100


def test_a_file_cut_anywhere_gives_a_bag_or_says_why_not(tmp_path):
    whole = cut_off(tmp_path / 'bag', chunks=2, per_chunk=3)
    last = 0
    for length in range(0, len(whole) + 1, 7):
        folder = tmp_path / f'cut_{length}'
        folder.mkdir()
        (folder / 'x_0.mcap').write_bytes(whole[:length])
        if length < 8:
            with pytest.raises(RecoveryError, match=r'does not begin as an MCAP file'):
                recover(folder)
            assert (folder / 'x_0.mcap').read_bytes() == whole[:length]
            continue
        count = recover(folder).messages
        assert metadata(folder)['message_count'] == count >= last
        last = count
    assert last == 6


def test_damage_within_costs_only_its_chunk(tmp_path):
    whole = bytearray(cut_off(tmp_path / 'bag'))
    whole[whole.index(joints(50)) + 30] ^= 0xFF
    mcap_file(tmp_path / 'bag').write_bytes(whole)
    result = recover(tmp_path / 'bag')
    assert result.bad_chunks == 1
    assert indices(tmp_path / 'bag') == [*range(40), *range(60, 100)]


def test_zeros_that_a_power_loss_left_end_the_file(tmp_path):
    whole = cut_off(tmp_path / 'bag')
    mcap_file(tmp_path / 'bag').write_bytes(whole + bytes(5000))
    assert recover(tmp_path / 'bag').messages == 100


def test_a_file_that_was_finished_lacks_only_its_metadata(tmp_path):
    bag = BagWriter(tmp_path / 'bag')
    bag.add_topic('/text', TEXT)
    bag.write('/text', text('one'), START)
    bag.close({'outcome': 'success'})
    expected = metadata(tmp_path / 'bag')
    (tmp_path / 'bag' / 'metadata.yaml').unlink()
    assert recover(tmp_path / 'bag').complete == 'true'
    assert metadata(tmp_path / 'bag') == expected


def test_the_old_file_is_kept_until_the_new_one_is_on_the_disk(tmp_path, monkeypatch):
    whole = cut_off(tmp_path / 'bag')

    def full(descriptor):
        raise OSError(28, 'No space left on device')

    monkeypatch.setattr(os, 'fsync', full)
    with pytest.raises(OSError, match='No space left'):
        recover(tmp_path / 'bag')
    assert [path.name for path in (tmp_path / 'bag').iterdir()] == ['bag_0.mcap']
    assert mcap_file(tmp_path / 'bag').read_bytes() == whole
    monkeypatch.undo()
    assert recover(tmp_path / 'bag').messages == 100


def test_progress_is_told_of_a_long_file(tmp_path, monkeypatch):
    cut_off(tmp_path / 'bag')
    times = iter(range(10**6))
    monkeypatch.setattr('kiwi_policy.bags.recovery.time.monotonic', lambda: float(2 * next(times)))
    told = []
    recover(tmp_path / 'bag', lambda done, total: told.append((done, total)))
    assert told and all(0 < done <= total for done, total in told) and told == sorted(told)


@pytest.mark.parametrize(('make', 'words'), [
    (lambda folder: None, 'is no folder'),
    (lambda folder: folder.mkdir(), 'must hold one MCAP file, it holds 0'),
    (lambda folder: BagWriter(folder).close(), 'nothing to recover'),
])
def test_what_cannot_be_recovered_is_said(tmp_path, make, words):
    make(tmp_path / 'bag')
    with pytest.raises(RecoveryError, match=words) as error:
        recover(tmp_path / 'bag')
    assert str(tmp_path / 'bag') in str(error.value)


RECORD = '''
import sys, time
from bags_support import START, joints
from kiwi_policy.bags.writer import BagWriter
bag = BagWriter(sys.argv[1])
bag.add_topic('/joint_states', 'sensor_msgs/msg/JointState')
index = 0
while True:
    bag.write('/joint_states', joints(index), time.time_ns())
    bag.flush_when_due(time.monotonic())
    print(index, flush=True)
    index += 1
    time.sleep(0.02)
'''


def test_after_kill_all_but_the_last_second_is_there(tmp_path):
    environment = os.environ | {'PYTHONPATH': os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen([sys.executable, '-c', RECORD, str(tmp_path / 'bag')], stdout=subprocess.PIPE, text=True,
                               env=environment)
    try:
        said = [int(process.stdout.readline()) for _ in range(150)]
        process.send_signal(signal.SIGKILL)
        said += [int(line) for line in process.stdout.read().splitlines()]
    finally:
        process.kill()
        process.wait(PATIENCE)
    recover(tmp_path / 'bag')
    found = indices(tmp_path / 'bag')
    assert found == list(range(len(found)))
    in_a_second = 1.0 / 0.02
    assert len(said) - len(found) <= in_a_second + 1 and len(found) >= in_a_second
