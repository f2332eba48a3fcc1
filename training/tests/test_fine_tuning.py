"""kiwi-train --init: a run begins with another checkpoint's weights and keeps its normalisation."""

import shutil

import pytest
from kiwi_training import train
from kiwi_training.fine_tuning import find_pretrained
from safetensors.torch import load_file
from tiny_dataset import make_tiny_dataset

SMALL = ('width=16', 'depth=1', 'image_size=[32,32]', 'camera_channels=[8,8,8]', 'camera_features=16', 'embedding=16')
LAST = 'checkpoints/last/pretrained_model'


@pytest.fixture(scope='module')
def home(tmp_path_factory):
    """A folder with two datasets of other statistics, `first` and `second`, and a run on the first."""
    home = tmp_path_factory.mktemp('fine')
    make_tiny_dataset(home / 'first')
    make_tiny_dataset(home / 'second', lengths=(14, 10), seed=5)
    words = ['--steps', '3', '--horizon', '8']
    for setting in SMALL:
        words += ['--set', f'policy.{setting}']
    assert train.main(['--dataset', str(home / 'first'), '--output', str(home / 'run'), *common(home), *words]) == 0
    return home


def common(home):
    return ['--cache-dir', str(home / 'cache'), '--batch-size', '8', '--log-every', '1', '--precision', 'fp32',
            '--threads', '1']


def tuned(home, output, *words):
    return train.main(['--init', str(home / 'run'), '--output', str(home / output), *common(home), *words])


def weights(folder):
    return load_file(folder / LAST / 'model.safetensors')


def normalisation(folder):
    found = sorted((folder / LAST).glob('policy_*processor_*.safetensors'))
    assert found
    return {path.name: {key: value.tolist() for key, value in load_file(path).items()} for path in found}


def test_it_begins_where_the_checkpoint_ended(home):
    assert tuned(home, 'still', '--dataset', str(home / 'second'), '--steps', '1', '--lr', '1e-12') == 0
    before, after = weights(home / 'run'), weights(home / 'still')
    assert before.keys() == after.keys()
    assert all(abs(before[key] - after[key]).max() < 1e-6 for key in before)


def test_it_learns_and_keeps_the_normalisation_of_the_checkpoint(home):
    both = ['--dataset', str(home / 'second'), '--dataset', str(home / 'first')]
    assert tuned(home, 'moved', *both, '--steps', '3', '--schedule', 'constant') == 0
    before, after = weights(home / 'run'), weights(home / 'moved')
    assert any(abs(before[key] - after[key]).max() > 1e-4 for key in before)
    assert normalisation(home / 'moved') == normalisation(home / 'run')


def test_it_can_be_resumed_without_the_checkpoint_it_began_with(home):
    shutil.copytree(home / 'run', home / 'gone')
    words = ['--init', str(home / 'gone'), '--dataset', str(home / 'second'), *common(home)]
    assert train.main([*words, '--output', str(home / 'whole'), '--steps', '4']) == 0
    assert train.main([*words, '--output', str(home / 'parts'), '--steps', '2', '--schedule', 'constant']) == 0
    shutil.rmtree(home / 'gone')
    assert train.main(['--resume', str(home / 'parts'), '--steps', '4']) == 0
    assert normalisation(home / 'parts') == normalisation(home / 'run')


def test_what_the_checkpoint_decides_cannot_be_given_beside_it(home, capsys):
    for words in (['--policy', 'kiwi_bc'], ['--horizon', '16'], ['--set', 'policy.width=32']):
        with pytest.raises(SystemExit):
            tuned(home, 'refused', '--dataset', str(home / 'second'), '--steps', '1', *words)
        assert "the policy's config is the checkpoint's" in capsys.readouterr().err


def test_a_folder_without_a_checkpoint_is_refused_by_name(home, capsys):
    words = ['--dataset', str(home / 'second'), '--output', str(home / 'refused'), '--steps', '1']
    assert train.main(['--init', str(home / 'second'), *words, *common(home)]) == 1
    assert f'{home / "second"} holds no checkpoint' in capsys.readouterr().err


@pytest.mark.parametrize('below', ['', 'checkpoints/last', LAST])
def test_a_checkpoint_is_found_from_its_run_or_below(home, below):
    assert find_pretrained(home / 'run' / below) == (home / 'run' / LAST).resolve()
