"""The frame cache: what it holds, when it is rebuilt, when it refuses."""

import json
import shutil
from collections import namedtuple

import numpy as np
import pytest
import torch
from kiwi_training import frame_cache
from kiwi_training.batches import BatchOrder, BatchReader, images_to_float, prefetched
from kiwi_training.dataset_source import DatasetError, open_dataset
from kiwi_training.frame_cache import DiskFullError, cache_bytes, cache_key, load_frames
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from tiny_dataset import FPS, TASK, make_tiny_dataset
from torch.nn import functional as F

LENGTHS = (12, 9, 15)
DELTAS = {'action': list(range(-1, 8)), 'observation.state': [-1, 0], 'observation.images.front': [-2, 0],
          'observation.images.wrist': [0]}


@pytest.fixture(scope='module', params=['image', 'video'])
def dataset(request, tmp_path_factory):
    return make_tiny_dataset(tmp_path_factory.mktemp(request.param) / 'ds', LENGTHS, video=request.param == 'video')


@pytest.fixture(scope='module')
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp('cache')


@pytest.fixture
def image_dataset(tmp_path):
    return make_tiny_dataset(tmp_path / 'ds', (5, 4))


def quiet(_):
    pass


@pytest.mark.parametrize('deltas', [None, DELTAS], ids=['plain', 'deltas'])
def test_batches_equal_lerobots_own_items(dataset, cache_dir, deltas):
    meta = open_dataset(dataset)
    cache = load_frames(meta, cache_dir, say=quiet)
    seconds = {key: [offset / FPS for offset in offsets] for key, offsets in deltas.items()} if deltas else None
    reference = LeRobotDataset('local/ds', root=dataset, delta_timestamps=seconds, video_backend='pyav')
    frames = np.array([0, 1, 11, 12, 13, 20, 35])
    batch = images_to_float(BatchReader(cache, meta, deltas).read(frames))
    for row, frame in enumerate(frames):
        item = reference[int(frame)]
        assert set(item) == set(batch)
        assert batch['task'][row] == item.pop('task') == TASK
        for key, value in item.items():
            assert batch[key].dtype == value.dtype, key
            assert torch.equal(batch[key][row], value), key


def test_padding_marks_what_lies_beyond_the_episode(dataset, cache_dir):
    meta = open_dataset(dataset)
    reader = BatchReader(load_frames(meta, cache_dir, say=quiet), meta, {'action': [-1, 0, 1]})
    batch = reader.read(np.array([0, 12, 20]))
    assert batch['action_is_pad'].tolist() == [[True, False, False], [True, False, False], [False, False, True]]
    assert torch.equal(batch['action'][1, 0], batch['action'][1, 1])
    assert not torch.equal(batch['action'][0, 1], batch['action'][0, 2])


def test_unknown_key_is_named(dataset, cache_dir):
    meta = open_dataset(dataset)
    with pytest.raises(ValueError, match='observation.stat'):
        BatchReader(load_frames(meta, cache_dir, say=quiet), meta, {'observation.stat': [0]})


def test_resized_frames_are_what_a_head_would_make_of_the_stored_ones(image_dataset, cache_dir):
    meta = open_dataset(image_dataset)
    stored = load_frames(meta, cache_dir, say=quiet).cameras['observation.images.front']
    resized = load_frames(meta, cache_dir, size=(16, 16), say=quiet).cameras['observation.images.front']
    expected = F.interpolate(torch.tensor(np.array(stored)), size=(16, 16), mode='bilinear', antialias=True)
    assert np.array_equal(resized, expected.numpy())


def test_key_follows_content_and_size_but_not_place(image_dataset, tmp_path):
    key = cache_key(open_dataset(image_dataset), None)
    assert cache_key(open_dataset(image_dataset), (16, 16)) != key
    moved = tmp_path / 'elsewhere'
    shutil.copytree(image_dataset, moved)
    assert cache_key(open_dataset(moved), None) == key
    other = make_tiny_dataset(tmp_path / 'other', (5, 4), seed=1)
    assert cache_key(open_dataset(other), None) != key


def test_remembered_digests_notice_a_changed_file(image_dataset, tmp_path):
    memo = tmp_path / 'digests.json'
    key = cache_key(open_dataset(image_dataset), None, memo)
    assert cache_key(open_dataset(image_dataset), None, memo) == key
    info = image_dataset / 'meta' / 'info.json'
    info.write_text(info.read_text() + '\n')
    assert cache_key(open_dataset(image_dataset), None, memo) != key


def test_second_start_decodes_nothing(image_dataset, tmp_path, monkeypatch):
    first = load_frames(open_dataset(image_dataset), tmp_path, say=quiet)
    monkeypatch.setattr(frame_cache, 'decoding_jobs', lambda *_: pytest.fail('decoded again'))
    assert load_frames(open_dataset(image_dataset), tmp_path, say=quiet).folder == first.folder


def test_states_its_size_and_refuses_a_full_disk(image_dataset, tmp_path, monkeypatch):
    meta = open_dataset(image_dataset)
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(frame_cache.shutil, 'disk_usage',
                        lambda _: usage(1 << 40, 0, cache_bytes(meta, None) + frame_cache.KEEP_FREE_BYTES - 1))
    said = []
    with pytest.raises(DiskFullError, match='--cache-dir'):
        load_frames(meta, tmp_path, say=said.append)
    assert '9 frames' in said[0] and 'MB' in said[0]
    assert not [path for path in (tmp_path / 'frames').iterdir() if path.is_dir()]


def test_an_interrupted_build_is_not_used(image_dataset, tmp_path, monkeypatch):
    meta = open_dataset(image_dataset)
    real = frame_cache.decoding_jobs

    def stops_halfway(*args):
        yield next(iter(real(*args)))
        raise KeyboardInterrupt

    monkeypatch.setattr(frame_cache, 'decoding_jobs', stops_halfway)
    with pytest.raises(KeyboardInterrupt):
        load_frames(meta, tmp_path, say=quiet)
    monkeypatch.undo()
    leftover = tmp_path / 'frames' / f'{cache_key(meta, None)}.partial'
    leftover.mkdir()
    (leftover / 'index.json').write_text(json.dumps({'frames': 0}))
    cache = load_frames(meta, tmp_path, say=quiet)
    assert len(cache) == meta.total_frames and not leftover.exists()


def test_missing_rows_are_reported(image_dataset, tmp_path):
    info = image_dataset / 'meta' / 'info.json'
    info.write_text(json.dumps(json.loads(info.read_text()) | {'total_frames': 10}))
    with pytest.raises(DatasetError, match='9 rows'):
        load_frames(open_dataset(image_dataset), tmp_path, say=quiet)


def test_a_folder_that_is_no_dataset_is_named(tmp_path):
    with pytest.raises(DatasetError, match='info.json'):
        open_dataset(tmp_path)


def test_order_resumes_where_it_was_and_covers_each_epoch_once(image_dataset):
    meta = open_dataset(image_dataset)

    def order():
        return BatchOrder(meta, [0, 1], batch_size=4, seed=3)

    batches = order().batches_from(0)
    whole = [next(batches) for _ in range(7)]
    assert [len(frames) for frames in whole] == [4, 4, 1, 4, 4, 1, 4]
    assert sorted(np.concatenate(whole[:3])) == sorted(np.concatenate(whole[3:6])) == list(range(9))
    later = order().batches_from(4)
    assert all(np.array_equal(next(later), frames) for frames in whole[4:])


def test_order_is_split_between_processes(image_dataset):
    meta = open_dataset(image_dataset)
    shares = [BatchOrder(meta, [0, 1], 3, 3, process=process, processes=2).batches_from(0) for process in (0, 1)]
    first = [next(share) for share in shares]
    assert not set(first[0]) & set(first[1])
    second = [next(share) for share in shares]
    assert [len(frames) for frames in second] == [3, 3]
    assert set(np.concatenate(first + second)) == set(range(9))


def test_order_leaves_out_held_episodes(image_dataset):
    batches = BatchOrder(open_dataset(image_dataset), [1], 4, 3).batches_from(0)
    assert set(next(batches)) == {5, 6, 7, 8}


def test_prefetching_keeps_order_and_raises_errors_where_they_are_met():
    def items():
        yield from range(5)
        raise OSError('the disk went away')

    received = []
    with pytest.raises(OSError, match='went away'):
        for item in prefetched(items()):
            received.append(item)
    assert received == list(range(5))
