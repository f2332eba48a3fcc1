"""kiwi-demos: what it records, how LeRobot reads it back, and how it goes on or refuses to."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import psutil
import pytest

from kiwi_policy.core import features
from kiwi_sim.env import ForkEnv
from kiwi_sim.forced_fork import CHUNK_ROWS, ForcedForkEnv
from kiwi_training import demos
from kiwi_training.demo_dataset import DatasetExistsError, DemoLog, DemoWriter
from kiwi_training.demo_pool import demonstrate
from kiwi_training.demo_tasks import TASKS
from kiwi_training.demonstrations import Demonstration, Demonstrator

SIZE = (48, 48)
SEED = 10000


@pytest.fixture(scope='module')
def demonstration():
    demonstrator = Demonstrator(image_size=SIZE)
    result = demonstrator.record(SEED)
    demonstrator.close()
    return result


@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
    """A dataset of two episodes, made by the command line and continued by it."""
    root = tmp_path_factory.mktemp('demos') / 'ds'
    command = ['--root', str(root), '--seed', str(SEED), '--image-size', '48x48', '--jobs', '1']
    assert demos.main([*command, '--episodes', '1']) == 0
    assert demos.main([*command, '--episodes', '2', '--resume']) == 0
    return root


def _load(root):
    from lerobot.datasets.lerobot_dataset import LeRobotDataset

    return LeRobotDataset('local/kiwi-fork', root=root, video_backend='pyav')


def test_a_demonstration_pairs_each_observation_with_the_action_taken_on_it(demonstration):
    env = ForkEnv(cameras=())
    observation, _ = env.reset(seed=SEED)
    assert demonstration.success
    assert demonstration.state[0].tolist() == observation['observation.state'].tolist()
    assert len(demonstration.state) == len(demonstration.action) == len(demonstration.images['front'])
    joints = demonstration.state[:, features.ARM]
    lead = np.abs(demonstration.action[:-1, features.ARM] - joints[1:]).mean()
    lag = np.abs(demonstration.action[1:, features.ARM] - joints[:-1]).mean()
    assert lead < lag


def test_noise_is_executed_and_not_recorded(demonstration):
    clean = next(demonstrate([SEED], jobs=1, cameras=(), noise=0.0))
    assert not np.array_equal(clean.state[:40], demonstration.state[:40])
    first = np.abs(clean.action[0] - demonstration.action[0])
    assert first.max() == 0.0
    roughness = [np.abs(np.diff(d.state[:60, :4], n=2, axis=0)).mean() for d in (clean, demonstration)]
    assert roughness[1] > 1.5 * roughness[0]
    assert np.abs(np.diff(demonstration.action[40:, 4])).max() == 0.0


def test_the_forced_fork_is_demonstrated_from_the_lift_past_one_chunk():
    demonstrations = list(demonstrate([SEED, SEED + 1], jobs=1, cameras=(), task='forced-fork'))
    assert [demonstration.side for demonstration in demonstrations] == ['left', 'right']
    env = ForcedForkEnv(cameras=())
    for demonstration in demonstrations:
        observation, _ = env.reset(seed=SEED)
        assert demonstration.success
        assert len(demonstration) == CHUNK_ROWS + 8
        assert demonstration.instruction == 'Carry the cube past the post.'
        assert demonstration.state[0].tolist() == observation['observation.state'].tolist()
        for action in demonstration.action[:CHUNK_ROWS]:
            _, _, terminated, _, info = env.step(action)
            if terminated:
                break
        assert terminated
        assert info['side'] == demonstration.side


def test_a_demonstration_of_an_unknown_task_is_refused():
    with pytest.raises(ValueError, match="'maze'.*forced-fork.*fork"):
        Demonstrator(cameras=(), task='maze')


def test_the_command_line_offers_every_task():
    for task in TASKS:
        assert demos.build_parser().parse_args(['--root', 'x', '--task', task]).task == task
    with pytest.raises(SystemExit):
        demos.build_parser().parse_args(['--root', 'x', '--task', 'maze'])


def test_workers_give_the_same_demonstrations_in_order():
    seeds = [SEED, SEED + 1, SEED + 2]
    options = {'cameras': (), 'time_limit': 0.5}
    here = list(demonstrate(seeds, jobs=1, **options))
    there = list(demonstrate(iter(seeds), jobs=2, **options))
    assert [d.seed for d in there] == seeds
    for one, two in zip(here, there):
        assert one.state.tobytes() == two.state.tobytes()
        assert one.action.tobytes() == two.action.tobytes()
        assert one.side == two.side


def test_lerobot_loads_the_dataset(recorded):
    dataset = _load(recorded)
    assert dataset.num_episodes == 2
    assert dataset.fps == 30
    assert dataset.meta.robot_type == 'lekiwi'
    for key in ('observation.state', 'action'):
        assert dataset.features[key]['shape'] == (9,)
        assert tuple(dataset.features[key]['names']) == features.NAMES
    for camera in features.CAMERAS:
        assert tuple(dataset.features[f'observation.images.{camera}']['shape']) == (*SIZE, 3)
    item = dataset[len(dataset) - 1]
    assert item['task'] == 'Put the cube on the disc.'
    assert item['observation.images.wrist'].shape == (3, *SIZE)


def test_rows_and_pictures_read_back_as_recorded(recorded, demonstration):
    dataset = _load(recorded)
    for row in (0, 70, len(demonstration) - 1):
        item = dataset[row]
        assert int(item['frame_index']) == row
        np.testing.assert_array_equal(item['observation.state'].numpy(), demonstration.state[row])
        np.testing.assert_array_equal(item['action'].numpy(), demonstration.action[row])
        for camera in features.CAMERAS:
            shown = item[f'observation.images.{camera}'].numpy().transpose(1, 2, 0) * 255
            true = demonstration.images[camera]
            errors = [np.abs(shown - true[at].astype(float)).mean() for at in range(len(true))]
            assert errors[row] < 8.0
            assert errors[row] <= min(errors) + 0.5


def test_the_log_tells_seeds_and_sides(recorded, demonstration):
    log = DemoLog.load(recorded)
    assert [episode['seed'] for episode in log.episodes] == [SEED, SEED + 1]
    assert log.episodes[0]['side'] == demonstration.side
    assert log.next_seed == SEED + 2
    assert log.options['action_noise'] == 1.0
    assert log.options['task'] == 'fork'


def test_an_existing_folder_is_refused(recorded, capsys):
    before = (recorded / 'meta/kiwi_demos.json').read_text()
    assert demos.main(['--root', str(recorded)]) == 2
    assert 'already exists' in capsys.readouterr().err
    assert (recorded / 'meta/kiwi_demos.json').read_text() == before


def test_other_options_do_not_mix(recorded, capsys):
    command = ['--root', str(recorded), '--resume', '--image-size', '48x48', '--action-noise', '0.5']
    assert demos.main(command) == 2
    assert 'action_noise 0.5 (there: 1.0)' in capsys.readouterr().err


def test_tasks_do_not_mix(recorded, capsys):
    command = ['--root', str(recorded), '--resume', '--image-size', '48x48', '--task', 'forced-fork']
    assert demos.main(command) == 2
    assert 'task forced-fork (there: fork)' in capsys.readouterr().err


def test_a_foreign_folder_is_not_resumed(tmp_path, capsys):
    assert demos.main(['--root', str(tmp_path), '--resume']) == 2
    assert 'kiwi_demos.json is missing' in capsys.readouterr().err


def test_failures_are_left_out_and_counted(tmp_path, demonstration):
    with DemoWriter('local/x', tmp_path / 'ds', {}, SEED, SIZE, video=False) as writer:
        writer.add(_cut(demonstration, SEED, 3))
        writer.leave_out(_cut(demonstration, SEED + 1, 3))
        with pytest.raises(ValueError, match='comes before'):
            writer.add(_cut(demonstration, SEED + 1, 3))
        writer.add(_cut(demonstration, SEED + 2, 4))
    log = json.loads((tmp_path / 'ds/meta/kiwi_demos.json').read_text())
    assert log['left_out'] == [SEED + 1]
    dataset = _load(tmp_path / 'ds')
    assert len(dataset) == 7
    shown = dataset[1]['observation.images.front'].numpy().transpose(1, 2, 0) * 255
    np.testing.assert_allclose(shown, demonstration.images['front'][1], atol=0.01)


def test_an_interrupted_recording_is_whole_and_goes_on(tmp_path, monkeypatch, capsys, demonstration):
    root = tmp_path / 'ds'
    command = ['--root', str(root), '--image-size', '48x48', '--images', '--episodes', '3']

    def short(seeds, jobs, **options):
        for seed in seeds:
            yield _cut(demonstration, seed, 3)
            if seed == SEED + 1:
                os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr('kiwi_training.demo_pool.demonstrate', short)
    assert demos.main(command) == 130
    assert 'with the same command and --resume' in capsys.readouterr().out
    assert _load(root).num_episodes == 2
    assert demos.main([*command, '--resume']) == 0
    assert _load(root).num_episodes == 3
    assert [episode['seed'] for episode in DemoLog.load(root).episodes] == [SEED, SEED + 1, SEED + 2]


def test_a_killed_recording_leaves_no_worker_behind(tmp_path):
    root = tmp_path / 'ds'
    code = f"from kiwi_training.demos import main; main(['--root', {str(root)!r}, '--image-size', '16x16'])"
    parent = subprocess.Popen([sys.executable, '-c', code], start_new_session=True)
    try:
        _wait_for(lambda: len(_session(parent.pid)) >= 3, seconds=90)
        parent.kill()
        parent.wait()
        _wait_for(lambda: not _session(parent.pid), seconds=30)
    finally:
        for pid in _session(parent.pid):
            os.kill(pid, signal.SIGKILL)
    assert not _session(parent.pid)


def _session(leader):
    """Processes of the session that `leader` began."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (OSError, psutil.NoSuchProcess):
            continue
    return found


def _wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.2)


def test_bad_arguments_are_named(capsys):
    for arguments, message in (
        (['--root', 'x', '--image-size', '96'], "'96' is not HEIGHTxWIDTH"),
        (['--root', 'x', '--episodes', '0'], '0 is not at least 1'),
        (['--root', 'x', '--action-noise', '-1'], '-1 is not a finite number of at least 0'),
        ([], '--root'),
    ):
        with pytest.raises(SystemExit):
            demos.main(arguments)
        assert message in capsys.readouterr().err


def test_what_cannot_be_recorded_is_said_and_leaves_no_folder(tmp_path, capsys):
    root = tmp_path / 'ds'
    for options, message in (
        (['--image-size', '4000x96'], 'picture size 4000x96'),
        (['--video-codec', 'nonsense'], "Invalid vcodec 'nonsense'"),
    ):
        assert demos.main(['--root', str(root), *options]) == 2
        error = capsys.readouterr().err
        assert error.startswith('kiwi-demos: ') and message in error
        assert not root.exists()


def test_failures_without_end_are_given_up(tmp_path, monkeypatch, capsys, demonstration):
    failed = replace(_cut(demonstration, SEED, 3), success=False)
    monkeypatch.setattr('kiwi_training.demo_pool.demonstrate',
                        lambda seeds, jobs, **_: (replace(failed, seed=seed) for seed in seeds))
    assert demos.main(['--root', str(tmp_path / 'ds'), '--image-size', '48x48', '--images']) == 1
    assert 'kiwi-demos: 25 demonstrations in a row failed' in capsys.readouterr().err


def test_a_writer_does_not_overwrite(tmp_path):
    with pytest.raises(DatasetExistsError, match='already exists'):
        DemoWriter('local/x', tmp_path, {}, 0, SIZE)


def _cut(demonstration, seed, rows):
    return Demonstration(
        seed=seed,
        side=demonstration.side,
        success=demonstration.success,
        state=demonstration.state[:rows],
        action=demonstration.action[:rows],
        images={camera: pictures[:rows] for camera, pictures in demonstration.images.items()},
        instruction=demonstration.instruction,
    )
