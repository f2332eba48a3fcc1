"""The configuration of a bake-off: what it says, what is refused, the ones that ship."""

import tomllib
from pathlib import Path

import pytest
from bakeoff_support import TABLE, config
from kiwi_training.bakeoff import command
from kiwi_training.bakeoff.config import BakeoffConfig, read_config
from kiwi_training.bakeoff.example import EXAMPLE
from kiwi_training.bakeoff.names import slug
from kiwi_training.bakeoff.sections import interval_rows
from kiwi_training.bakeoff.tables import ConfigError, read_table

SHIPPED = sorted((Path(__file__).parents[1] / 'bakeoff').glob('*.toml'))


@pytest.mark.parametrize('changes, words', [
    ({'datset': 'x'}, ["'datset'", 'Did you mean dataset']),
    ({'rollouts': {'trails': 3}}, ["'trails'", 'Did you mean trials']),
    ({'rollouts': {'trials': '3'}}, ['trials', 'whole number', "'3'"]),
    ({'rollouts': {'trials': True}}, ['trials', 'whole number', 'True']),
    ({'rollouts': {'trials': -1}}, ['trials', 'at least 0', '-1']),
    ({'rollouts': {'image_size': [96]}}, ['image_size', '[height, width]']),
    ({'executors': {'modes': ['lates']}}, ["'lates'", 'ensemble newest']),
    ({'requery': {'rows': ['flow 4'], 'intervals': ['H/x']}}, ["'H/x'"]),
    ({'requery': {'rows': ['flow 4'], 'intervals': ['H/0']}}, ["'H/0'"]),
    ({'requery': {'rows': ['flow 4'], 'intervals': ['0']}}, ["'0'"]),
    ({'requery': {'trials': 3}}, ['lacks rows']),
    ({'coverage': {'rows': ['flow4']}}, ["'flow4'", 'Did you mean flow 4']),
    ({'decision': {'reference': 'fow 4'}}, ['flow 4']),
    ({'decision': {'pairs': [['flow 4']]}}, ['not a pair']),
    ({'heads': []}, ['no [[heads]]']),
    ({'heads': [{'name': 'a', 'policy': 'kiwi_bc'}, {'name': 'A', 'policy': 'kiwi_bc'}]}, ["two heads", "'A'"]),
    ({'heads': [{'name': 'a', 'policy': 'p', 'seeds': [1, 1]}]}, ['seeds', 'different']),
    ({'heads': [{'name': 'a', 'policy': 'p', 'steps': 1, 'minutes': 2.0}]}, ['steps and minutes']),
    ({'heads': [{'name': '+', 'policy': 'p'}]}, ['needs a letter']),
    ({'training': {'seeds': [7]}}, ['neither steps nor minutes']),
    ({'latent': {'heads': ['cvae']}}, ["'cvae'"]),
])
def test_what_is_wrong_is_named_with_what_would_do(changes, words):
    with pytest.raises(ConfigError) as error:
        config(**changes)
    assert all(word in str(error.value) for word in words), str(error.value)


def test_a_missing_table_switches_its_set_off_and_the_rest_has_defaults():
    made = config()
    assert made.coverage is None and made.control is None
    assert config(coverage={}).coverage.trials == 50
    assert [row.name for _, row in made.rows] == ['bc', 'flow 4', 'flow 10']
    assert made.heads[0].rows[0].sampling == {}
    assert made.seeds(made.heads[0]) == (7,) and made.seeds(made.heads[1]) == (7, 8)


def test_datasets_are_found_beside_the_configuration(tmp_path):
    (tmp_path / 'demos').mkdir()
    path = tmp_path / 'bakeoff.toml'
    text = "dataset = '{}'\n[training]\nsteps = 1\n[[heads]]\nname = 'a'\npolicy = 'kiwi_bc'\n"
    path.write_text(text.format('demos'))
    assert read_config(path)[0].dataset == str(tmp_path / 'demos')
    path.write_text(text.format('owner/name'))
    assert read_config(path)[0].dataset == 'owner/name'


def test_files_that_are_no_configuration_are_refused(tmp_path):
    with pytest.raises(ConfigError, match='cannot be read'):
        read_config(tmp_path / 'none.toml')
    (tmp_path / 'bad.toml').write_text('a = = b')
    with pytest.raises(ConfigError, match='no TOML'):
        read_config(tmp_path / 'bad.toml')


@pytest.mark.parametrize('text', [EXAMPLE, *(path.read_text() for path in SHIPPED)],
                         ids=['example', *(path.stem for path in SHIPPED)])
def test_the_example_and_the_shipped_configurations_can_be_read(text):
    made = read_table(BakeoffConfig, tomllib.loads(text), 'test')
    assert made.heads and made.title


def test_the_example_is_printed(capsys):
    assert command.main(['--example']) == 0
    assert capsys.readouterr().out == EXAMPLE


def test_a_wrong_configuration_ends_the_command_with_every_problem(tmp_path, capsys):
    path = tmp_path / 'bad.toml'
    path.write_text("dataset = 'd'\n[[heads]]\nname = 'a'\npolicy = 'p'\n[coverage]\nrows = ['b']\n")
    assert command.main([str(path)]) == 2
    said = capsys.readouterr().err
    assert 'neither steps nor minutes' in said and "'b'" in said


def test_only_names_that_exist_are_taken(tmp_path, capsys):
    path = tmp_path / 'c.toml'
    path.write_text("dataset = 'd'\n[training]\nsteps = 1\n[[heads]]\nname = 'flow'\npolicy = 'kiwi_flow'\n")
    assert command.main([str(path), '--only', 'flwo']) == 2
    assert 'Did you mean flow' in capsys.readouterr().err


@pytest.mark.parametrize('interval, rows', [('1', 1), ('H', 32), ('H/2', 16), ('H/4', 8), ('H/64', 1), ('5', 5)])
def test_intervals_in_parts_of_a_chunk(interval, rows):
    assert interval_rows(interval, 32) == rows


def test_labels_become_file_names():
    assert slug('cvae z=0') == 'cvae-z-0' and slug('flow Euler 10') == 'flow-euler-10'
    assert TABLE['heads'][0]['name'] == slug('bc')
