"""Rollouts as datasets: which ticks become frames, what is in them, and what is said of the others."""

import json
import shutil

import bag_fixture
import numpy as np
import pytest

from kiwi_policy.nodes.images import decode_rgb, encode_rgb
from kiwi_training.bags.command import main
from kiwi_training.bags.frames import Choice, FrameSource
from kiwi_training.bags.reader import Bag, BagError
from kiwi_training.bags.rollout import RecordedRollout
from kiwi_training.bags.rollout_dataset import LOG_NAME, OUTCOME
from kiwi_training.columns import read_columns
from kiwi_training.dataset_source import open_dataset
from kiwi_training.demo_dataset import dataset_features

CAMERAS = ('front', 'wrist')
WHOLE = Choice(min_frames=1)


def source_of(folder, **options):
    bag_fixture.make_rollout(folder, **options)
    return FrameSource(RecordedRollout.load(Bag(folder)), CAMERAS)


def ticks_of(episodes):
    return [[frame.tick for frame in frames] for frames in episodes]


def convert(root, *words):
    return main(['to-dataset', *map(str, words), '--output', str(root), '--images'])


@pytest.fixture(scope='module')
def runs(tmp_path_factory):
    """Three rollouts: a success, a failure that an operator tried to save, a success."""
    run = tmp_path_factory.mktemp('run')
    for number, success in enumerate((True, False, True)):
        bag_fixture.make_rollout(run / f'rollout_{number + 1:03d}', ticks=40, seed=number, success=success,
                                 takeover=None if success else (16, 36))
    return run


@pytest.fixture(scope='module')
def root(runs):
    folder = runs.parent / f'{runs.name}-dataset'
    assert convert(folder, runs) == 0
    return folder


def test_a_frame_is_the_tick_as_it_was(tmp_path):
    source = source_of(tmp_path / 'bag', ticks=30)
    [frames], counts = source.episodes(WHOLE)
    assert [frame.tick for frame in frames] == list(range(4, 30)) and (counts.before, counts.frames) == (4, 26)
    for frame, pictures in source.decoded(frames):
        assert np.array_equal(frame.state, bag_fixture.state_at(frame.tick).astype(np.float32))
        assert np.array_equal(frame.action, bag_fixture.command_at(frame.tick))
        for camera, pixels in pictures.items():
            assert np.array_equal(pixels, decode_rgb(encode_rgb(bag_fixture.picture_at(frame.tick, camera))))


def test_at_a_chunks_tick_the_images_are_those_the_policy_named(tmp_path):
    """The policy looked before the tick's own image came: the chunk names the one before."""
    folder = tmp_path / 'bag'
    bag_fixture.make_rollout(folder, ticks=30, images_behind=1)
    source = FrameSource(RecordedRollout.load(Bag(folder)), CAMERAS)
    [frames], _ = source.episodes(WHOLE)
    pictures = {frame.tick: frame.pictures['front'] for frame in frames}
    assert {tick: pictures[tick] for tick in (7, 8, 9, 16)} == {7: 7, 8: 7, 9: 9, 16: 15}


def test_missing_ticks_are_closed_up_or_end_the_episode(tmp_path):
    source = source_of(tmp_path / 'bag', ticks=40, never=(10, 20, 21, 22))
    episodes, counts = source.episodes(Choice(min_frames=1, max_gap=2))
    assert [len(frames) for frames in episodes] == [15, 17] and counts.missed == 4
    episodes, counts = source.episodes(Choice(min_frames=16, max_gap=2))
    assert [len(frames) for frames in episodes] == [17] and counts.short == 15
    assert [len(frames) for frames in source.episodes(Choice(min_frames=1, max_gap=0))[0]] == [6, 9, 17]


def test_a_lost_state_is_taken_from_the_executor(tmp_path):
    source = source_of(tmp_path / 'bag', ticks=30, drop=(12, 13))
    [frames], counts = source.episodes(WHOLE)
    assert counts.measured == 2 and len(frames) == 26
    assert np.allclose(frames[8].state, bag_fixture.state_at(12), atol=1e-5)


def test_no_frame_before_every_camera_has_shown_something_nor_while_one_is_silent(tmp_path):
    [frames], counts = source_of(tmp_path / 'late', ticks=30, camera_delay=10).episodes(WHOLE)
    assert frames[0].tick == 10 and counts.no_image == 6
    source = source_of(tmp_path / 'silent', ticks=40, blind=(10, 30))
    episodes, counts = source.episodes(Choice(min_frames=1, max_image_age=0.2))
    assert counts.old_image > 5 and len(episodes) > 1


def test_only_what_the_operator_drove(tmp_path):
    source = source_of(tmp_path / 'bag', ticks=40, takeover=(16, 30))
    episodes, counts = source.episodes(Choice(operator_only=True, min_frames=1))
    assert ticks_of(episodes) == [list(range(16, 30))] and counts.other == 22
    assert all(frame.operator for frame in episodes[0])


def test_two_interventions_are_two_episodes_however_near(tmp_path):
    source = source_of(tmp_path / 'bag', ticks=40, takeover=(10, 30), handed_back=(20,))
    episodes, _ = source.episodes(Choice(operator_only=True, min_frames=1))
    assert ticks_of(episodes) == [list(range(10, 20)), list(range(21, 30))]


def test_a_rollout_that_never_moved_gives_nothing(tmp_path):
    episodes, counts = source_of(tmp_path / 'bag', ticks=20, idle=20).episodes(WHOLE)
    assert episodes == [] and counts.before == 20


def test_a_missing_camera_is_named(tmp_path):
    folder = bag_fixture.make_rollout(tmp_path / 'bag', ticks=5, cameras=('front',))
    with pytest.raises(BagError, match='no image of camera wrist is on record; there is front'):
        FrameSource(RecordedRollout.load(Bag(folder)), CAMERAS)


def test_a_dataset_says_how_it_ended_and_who_drove(root):
    meta = open_dataset(root)
    assert meta.fps == 30 and meta.total_episodes == 3 and meta.total_frames == 3 * 36
    columns = read_columns(meta)
    by_episode = {number: columns['episode_index'] == number for number in range(3)}
    assert [bool(columns['outcome.success'][rows].all()) for rows in by_episode.values()] == [True, False, True]
    assert columns['outcome.judged'].all()
    assert np.flatnonzero(columns['takeover'][by_episode[1]]).tolist() == list(range(12, 32))
    assert not columns['takeover'][by_episode[0]].any()
    assert meta.features.keys() >= dataset_features((32, 32)).keys() | OUTCOME.keys()
    log = json.loads((root / LOG_NAME).read_text())['episodes']
    assert [entry['episode_id'] for entry in log] == ['episode-0', 'episode-1', 'episode-2']
    assert log[1]['takeover_frames'] == 20 and log[1]['outcome'] == 'timeout'


def test_converting_again_adds_only_what_is_new(root, runs, tmp_path, capsys):
    copy = shutil.copytree(root, tmp_path / 'data')
    extra = bag_fixture.make_rollout(tmp_path / 'extra', ticks=40, seed=7)
    assert convert(copy, runs, extra) == 0
    shown = capsys.readouterr().out
    assert '1 episodes, 36 frames from 1 rollouts' in shown and '3 rollouts passed over: the dataset holds them' in shown
    assert open_dataset(copy).total_episodes == 4
    assert convert(copy, runs, extra) == 0 and open_dataset(copy).total_episodes == 4


def test_rollouts_are_chosen_by_their_verdict(runs, tmp_path):
    assert convert(tmp_path / 'good', runs, '--only', 'success') == 0
    assert open_dataset(tmp_path / 'good').total_episodes == 2
    assert convert(tmp_path / 'both', runs, '--only', 'takeover', 'success') == 1     # nothing is both
    assert not (tmp_path / 'both').exists()
    assert convert(tmp_path / 'corrections', runs, '--only', 'takeover') == 0
    assert open_dataset(tmp_path / 'corrections').total_frames == 20


def test_a_dataset_that_does_not_fit_is_refused_and_left_alone(root, tmp_path, capsys):
    copy = shutil.copytree(root, tmp_path / 'data')
    before = {path: path.read_bytes() for path in copy.rglob('*') if path.is_file()}
    large = bag_fixture.make_rollout(tmp_path / 'large', ticks=30, seed=8, size=(48, 64))
    assert convert(copy, large) == 1
    assert 'observation.images.front is picture 32x32x3 there and picture 48x64x3' in capsys.readouterr().err
    slow = bag_fixture.make_rollout(tmp_path / 'slow', ticks=30, seed=9, period=50_000_000)
    assert convert(copy, slow) == 1
    assert 'it has 30 frames per second, the recording 20' in capsys.readouterr().err
    assert {path: path.read_bytes() for path in copy.rglob('*') if path.is_file()} == before
    other = tmp_path / 'other'
    other.mkdir()
    assert convert(other, large) == 1 and 'is no LeRobotDataset' in capsys.readouterr().err


def test_demonstrations_take_rollouts_without_the_extra_features(runs, tmp_path, capsys):
    from tiny_dataset import make_tiny_dataset

    demos = make_tiny_dataset(tmp_path / 'demos', lengths=(6,), size=(32, 32))
    assert convert(demos, runs) == 0
    assert 'has no outcome.judged, outcome.success, takeover: left out' in capsys.readouterr().out
    assert open_dataset(demos).total_episodes == 4


def test_a_bag_that_cannot_be_read_is_named_and_the_others_are_converted(runs, tmp_path, capsys):
    shutil.copytree(runs / 'rollout_001', tmp_path / 'bags' / 'good')
    bad = shutil.copytree(runs / 'rollout_002', tmp_path / 'bags' / 'bad')
    (bad / 'metadata.yaml').unlink()
    assert convert(tmp_path / 'data', tmp_path / 'bags') == 1
    captured = capsys.readouterr()
    assert str(bad) in captured.err and '1 episodes' in captured.out
    assert open_dataset(tmp_path / 'data').total_episodes == 1


def test_a_task_text_is_needed(tmp_path, capsys):
    folder = bag_fixture.make_rollout(tmp_path / 'bag', ticks=30, task='')
    assert convert(tmp_path / 'data', folder) == 1 and 'give one with --task' in capsys.readouterr().err
    assert convert(tmp_path / 'data', folder, '--task', 'fetch') == 0
    assert list(open_dataset(tmp_path / 'data').tasks.index) == ['fetch']
