"""Several datasets trained on as one."""

import numpy as np
import pytest
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from tiny_dataset import TASK, make_tiny_dataset

from kiwi_policy.core.features import NAMES
from kiwi_training.batches import BatchReader
from kiwi_training.dataset_source import DatasetError, open_dataset
from kiwi_training.frame_cache import load_frames
from kiwi_training.joined import JoinedArray, load_joined, open_datasets
from kiwi_training.train import main
from kiwi_training.validation import split_episodes


@pytest.fixture(scope='module')
def roots(tmp_path_factory):
    folder = tmp_path_factory.mktemp('parts')
    return [make_tiny_dataset(folder / 'one', lengths=(12, 9)), make_tiny_dataset(folder / 'two', lengths=(7,), seed=5)]


def quiet(_text):
    pass


def other(root, fps=30, names=NAMES, size=(24, 32), task=TASK):
    numbers = {'dtype': 'float32', 'shape': (len(names),), 'names': list(names)}
    image = {'dtype': 'image', 'shape': (*size, 3), 'names': ['height', 'width', 'channels']}
    features = {'observation.state': numbers, 'action': numbers, 'takeover': {'dtype': 'bool', 'shape': (1,), 'names': None},
                'observation.images.front': image, 'observation.images.wrist': image}
    dataset = LeRobotDataset.create('local/other', fps, features, root=root, robot_type='lekiwi', use_videos=False)
    for _ in range(4):
        dataset.add_frame({'observation.state': np.ones(len(names), np.float32), 'takeover': np.array([True]),
                           'action': np.ones(len(names), np.float32), 'observation.images.front': np.zeros((*size, 3), np.uint8),
                           'observation.images.wrist': np.zeros((*size, 3), np.uint8), 'task': task})
    dataset.save_episode()
    dataset.finalize()
    return root


def test_batches_are_those_of_the_parts(roots, tmp_path):
    meta = open_datasets([*roots, roots[1]])
    cache = load_joined(meta, tmp_path, say=quiet)
    assert (len(cache), meta.total_episodes) == (35, 4)
    deltas = {'action': [0, 1, 2, 3, 4]}
    joined = BatchReader(cache, meta, deltas).read(np.array([3, 20, 21, 26, 30]))
    for rows, root, frames in (([0, 1], roots[0], [3, 20]), ([2, 3, 4], roots[1], [0, 5, 2])):
        part = open_dataset(root)
        alone = BatchReader(load_frames(part, tmp_path, say=quiet), part, deltas).read(np.array(frames))
        for key in ('observation.images.front', 'observation.images.wrist', 'observation.state', 'action', 'action_is_pad'):
            assert np.array_equal(joined[key][rows], alone[key]), key
    assert joined['task'] == [TASK] * 5 and joined['episode_index'].tolist() == [0, 1, 2, 2, 3]


def test_statistics_are_over_all_frames(roots, tmp_path):
    meta = open_datasets(roots)
    states = load_joined(meta, tmp_path, say=quiet).columns['observation.state']
    assert meta.stats['observation.state']['mean'] == pytest.approx(states.mean(0), abs=1e-5)
    assert meta.stats['action']['count'][0] == 28


def test_features_that_a_part_lacks_are_ignored_and_tasks_are_kept_apart(roots, tmp_path):
    meta = open_datasets([roots[0], other(tmp_path / 'other', task='fetch')])
    said = []
    cache = load_joined(meta, tmp_path / 'cache', say=said.append)
    assert meta.ignored == ['takeover'] and 'takeover' not in cache.columns and any('takeover' in text for text in said)
    assert BatchReader(cache, meta, None).read(np.array([0, 21]))['task'] == [TASK, 'fetch']


@pytest.mark.parametrize('changes, message', [
    ({'fps': 20}, 'differ in frames per second: .*one 30; .*other 20'), ({'names': ('x', 'y')}, 'differ in observation.state'),
])
def test_datasets_that_do_not_go_together_are_refused(roots, tmp_path, changes, message):
    with pytest.raises(DatasetError, match=message):
        open_datasets([roots[0], other(tmp_path / 'other', **changes)])


def test_images_of_different_sizes_must_be_resized(roots, tmp_path):
    meta = open_datasets([roots[0], other(tmp_path / 'other', size=(16, 16))])
    with pytest.raises(DatasetError, match='front 16x16 and 24x32.*--resize'):
        load_joined(meta, tmp_path / 'cache', say=quiet)
    assert load_joined(meta, tmp_path / 'cache', size=(8, 8), say=quiet).cameras['observation.images.front'].shape == (25, 3, 8, 8)


def test_every_part_keeps_an_episode_to_train_on(roots):
    assert split_episodes(open_datasets(roots), 0.4) == ([0, 2], [1])
    assert split_episodes(open_datasets([*roots, roots[0]]), 0.4) == ([0, 2, 3], [1, 4])


def test_a_joined_array_takes_rows_as_numpy_does():
    parts = [np.arange(6).reshape(3, 2), np.arange(6, 10).reshape(2, 2)]
    whole, rows = np.concatenate(parts), np.array([[4, 0], [2, 3]])
    assert np.array_equal(JoinedArray(parts).take(rows), whole.take(rows, axis=0))


def test_training_on_two_is_resumed_on_two(roots, tmp_path, capsys):
    words = ['--dataset', str(roots[0]), '--dataset', str(roots[1]), '--output', str(tmp_path / 'run'), '--cache-dir',
             str(tmp_path), '--device', 'cpu', '--batch-size', '4', '--horizon', '8', '--policy', 'kiwi_bc']
    assert main([*words, '--steps', '2']) == 0
    assert main(['--resume', str(tmp_path / 'run'), '--steps', '3']) == 0
    assert capsys.readouterr().out.count('local/one + local/two: 2 episodes to train on') == 2
