"""Episodes of a dataset as bags, and back."""

import re
from pathlib import Path

import bag_fixture
import numpy as np
import pytest
from lerobot.datasets.lerobot_dataset import LeRobotDataset
from tiny_dataset import TASK, make_tiny_dataset

from kiwi_policy.core.features import NAMES
from kiwi_policy.nodes.images import decode_rgb, encode_rgb
from kiwi_training.bags.command import main
from kiwi_training.bags.frames import Choice, FrameSource
from kiwi_training.bags.reader import Bag
from kiwi_training.bags.rollout import RecordedRollout
from kiwi_training.columns import read_columns
from kiwi_training.dataset_source import open_dataset


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    return make_tiny_dataset(tmp_path_factory.mktemp('tiny') / 'demos', lengths=(5, 20))


@pytest.fixture(scope='module')
def bag(root):
    folder = root.parent / 'bag'
    assert main(['from-dataset', str(root), '--episode', '1', '--output', str(folder), '--namespace', 'kiwi']) == 0
    return Bag(folder)


def stored(root, **changes):
    """A dataset of one frame whose features differ from LeKiwi's."""
    numbers = {'dtype': 'float32', 'shape': (9,), 'names': list(NAMES)}
    image = {'dtype': 'image', 'shape': (8, 8, 3), 'names': ['height', 'width', 'channels']}
    features = {'observation.state': numbers, 'action': numbers, 'observation.images.front': image,
                'observation.images.wrist': image} | changes
    features = {key: feature for key, feature in features.items() if feature}
    dataset = LeRobotDataset.create('local/other', 30, features, root=root, robot_type='other', use_videos=False)
    dataset.add_frame({key: np.zeros(feature['shape'], feature['dtype'] if feature['dtype'] == 'float32' else np.uint8)
                       for key, feature in features.items()} | {'task': TASK})
    dataset.save_episode()
    dataset.finalize()
    return root


def test_a_bag_of_an_episode_has_its_topics_types_and_services(bag):
    assert bag.topics == {'joint_states': 20, 'base_velocity': 20, 'executor/action': 20,
                          'camera/front/image_raw/compressed': 20, 'camera/wrist/image_raw/compressed': 20}
    assert (bag.namespace, bag.complete, bag.success) == ('/kiwi', 'true', None)
    assert bag.details == {'task': TASK, 'dataset': 'local/demos', 'episode': 1}
    text = (bag.folder / 'metadata.yaml').read_text()
    assert text.count('RIHS01_') == 5 and text.count('best_effort') == 2


def test_there_and_back_gives_the_same_numbers_and_the_images_through_one_jpeg(root, bag, tmp_path):
    again = tmp_path / 'again'
    assert main(['to-dataset', str(bag.folder), '--output', str(again), '--images']) == 0
    before, after = read_columns(open_dataset(root)), read_columns(open_dataset(again))
    for key in ('observation.state', 'action'):
        assert np.array_equal(after[key], before[key][5:]) and after[key].dtype == np.float32
    source = FrameSource(RecordedRollout.load(bag), ('front', 'wrist'))
    [frames], _ = source.episodes(Choice(min_frames=1))
    original = LeRobotDataset('local/demos', root=root, episodes=[1])
    for index, (_, pictures) in enumerate(source.decoded(frames)):
        for camera, pixels in pictures.items():
            wanted = original[index][f'observation.images.{camera}'].numpy().transpose(1, 2, 0) * 255
            assert np.array_equal(pixels, decode_rgb(encode_rgb(np.rint(wanted).astype(np.uint8))))


def test_what_is_known_of_the_outcome_and_of_takeovers_survives(tmp_path):
    bags = tmp_path / 'bags'
    bag_fixture.make_rollout(bags / 'one', ticks=30, success=False, takeover=(10, 20))
    assert main(['to-dataset', str(bags), '--output', str(tmp_path / 'data'), '--images']) == 0
    assert main(['from-dataset', str(tmp_path / 'data'), '--episode', '0', '--output', str(tmp_path / 'bag')]) == 0
    bag = Bag(tmp_path / 'bag')
    assert bag.success is False and bag.outcome == 'failure'
    rollout = RecordedRollout.load(bag)
    sources = rollout.ticks.sources
    assert np.flatnonzero(sources == 5).tolist() == list(range(6, 16))      # the first four ticks were idle
    source = FrameSource(rollout, ('front', 'wrist'))
    [frames], _ = source.episodes(Choice())
    for frame, pictures in source.decoded(frames):
        for camera, pixels in pictures.items():
            wanted = bag_fixture.picture_at(frame.tick + 4, camera).astype(float)
            assert np.abs(pixels - wanted).mean() < 4


@pytest.mark.parametrize('changes, message', [
    ({'action': {'dtype': 'float32', 'shape': (2,), 'names': ['x', 'y']}}, r'action is x, y \(other\); needed are the values of'),
    ({'observation.images.wrist': None}, 'has the cameras front; needed are front, wrist.*--camera OLD:=wrist'),
])
def test_another_robot_is_refused(tmp_path, capsys, changes, message):
    root = stored(tmp_path / 'other', **changes)
    assert main(['from-dataset', str(root), '--episode', '0', '--output', str(tmp_path / 'bag')]) == 1
    assert re.search(message, capsys.readouterr().err)
    assert not (tmp_path / 'bag').exists()


def test_cameras_can_be_renamed(tmp_path, capsys):
    image = {'dtype': 'image', 'shape': (8, 8, 3), 'names': ['height', 'width', 'channels']}
    root = stored(tmp_path / 'other', **{'observation.images.front': None, 'observation.images.top': image})
    words = ['from-dataset', str(root), '--episode', '0', '--output', str(tmp_path / 'bag')]
    assert main([*words, '--camera', 'up:=front']) == 1
    assert 'no camera up; it has' in capsys.readouterr().err
    assert main([*words, '--camera', 'top:=front']) == 0
    assert Bag(tmp_path / 'bag').cameras == ('front', 'wrist')


def test_an_episode_that_is_not_there_and_a_bag_that_is(root, bag, capsys, tmp_path):
    assert main(['from-dataset', str(root), '--episode', '2', '--output', str(tmp_path / 'new')]) == 1
    assert 'episodes 0 to 1, not 2' in capsys.readouterr().err
    before = sorted(path.stat().st_mtime_ns for path in bag.folder.iterdir())
    assert main(['from-dataset', str(root), '--episode', '1', '--output', str(bag.folder)]) == 1
    assert 'exists already' in capsys.readouterr().err
    assert sorted(path.stat().st_mtime_ns for path in bag.folder.iterdir()) == before


def test_a_cut_off_bag_is_recovered(root, tmp_path, capsys):
    folder = tmp_path / 'bag'
    assert main(['from-dataset', str(root), '--episode', '1', '--output', str(folder)]) == 0
    file = next(Path(folder).glob('*.mcap'))
    (folder / 'metadata.yaml').unlink()
    data = file.read_bytes()
    file.write_bytes(data[:data.index(b'serialized_metadata', len(data) // 2)])     # all messages, not the end
    assert main(['info', str(folder)]) == 1
    assert main(['recover', str(tmp_path)]) == 0
    assert Bag(folder).topics['joint_states'] == 20 and 'cut off' in Bag(folder).complete
    assert main(['recover', str(tmp_path)]) == 0
    assert 'nothing to recover' in capsys.readouterr().out
    file.write_bytes(b'')
    (folder / 'metadata.yaml').unlink()
    assert main(['recover', str(folder)]) == 1
