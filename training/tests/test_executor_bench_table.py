"""The executor benchmark's command and table."""

import json
from dataclasses import replace

import pytest
from evaluation_fakes import Track, Walker
from executor_bench_support import rolled
from kiwi_training.bakeoff.store import Store
from kiwi_training.executor_bench import command, figures
from kiwi_training.executor_bench.plan import SHARD, Plan
from kiwi_training.executor_bench.report import write_report
from kiwi_training.executor_bench.variants import REFERENCE, VARIANTS
from kiwi_training.executor_bench.work import BenchWork, identity


@pytest.fixture
def fakes(monkeypatch):
    """A benchmark whose policy and environment are the fakes."""
    monkeypatch.setattr('kiwi_training.bakeoff.loaded.policy_of', lambda *_: Walker())
    monkeypatch.setattr('kiwi_training.bakeoff.loaded.environment', lambda *_: Track(goal=10.0))


def run_command(folder, *words):
    return command.main(['--output', str(folder), '--jobs', '0', *words])


def test_the_command_writes_the_table_and_goes_on_where_it_was_left(tmp_path, fakes, capsys, monkeypatch):
    words = ('--trials', '3', '--profiles', 'drops', 'latency_0', 'latency_200')
    assert run_command(tmp_path / 'work', '--executors', 'kiwi', 'naive', *words) == 0
    assert f'report: {tmp_path / "work" / "report" / "README.md"}' in capsys.readouterr().out
    calls = []
    run = BenchWork.run
    monkeypatch.setattr(BenchWork, 'run', lambda work: calls.append(work.executor) or run(work))
    words += ('--docs', str(tmp_path / 'docs'))
    assert run_command(tmp_path / 'work', '--executors', 'latest_only', 'kiwi', *words) == 0
    assert calls == ['latest_only'] * 3
    entries = json.loads((tmp_path / 'docs' / 'bench.json').read_text())
    assert [(entry['executor'], entry['profile']) for entry in entries] == [
        (executor, profile) for profile in ('latency_0', 'latency_200', 'drops')
        for executor in ('kiwi', 'naive', 'latest_only')]
    for entry in entries:
        assert {'executor', 'profile', 'trials', 'success', 'smoothness', 'seam_ratio', 'expired_executed',
                'underruns'} <= set(entry)
        assert entry['trials'] == 3 and entry['success_low'] < entry['success'] <= entry['success_high'] == 1.0
        assert (entry['paired'] is None) == (entry['executor'] == REFERENCE)
    by_name = {(entry['executor'], entry['profile']): entry for entry in entries}
    assert by_name['naive', 'latency_200']['expired_share'] == 1.0
    assert by_name['kiwi', 'latency_200']['expired_executed'] == 0
    page = (tmp_path / 'docs' / 'README.md').read_text()
    assert '| **kiwi** | **100 %** |' in page and '### drops' in page and '](success-latency.svg)' in page
    assert (tmp_path / 'docs' / 'success-latency.svg').read_text().startswith('<?xml')


def test_more_trials_keep_the_whole_pieces(tmp_path, fakes, monkeypatch):
    words = ('--executors', 'kiwi', '--profiles', 'latency_0')
    assert run_command(tmp_path, *words, '--trials', str(SHARD)) == 0
    done = []
    run = BenchWork.run
    monkeypatch.setattr(BenchWork, 'run', lambda work: done.append(work.seeds) or run(work))
    assert run_command(tmp_path, *words, '--trials', str(SHARD + 2)) == 0
    assert done == [(500000 + SHARD, 500001 + SHARD)]


def test_a_failed_piece_is_named_and_the_others_are_reported(tmp_path, fakes, capsys, monkeypatch):
    run = BenchWork.run

    def broken(work):
        if work.executor == 'naive':
            raise ValueError('no such thing')
        return run(work)

    monkeypatch.setattr(BenchWork, 'run', broken)
    assert run_command(tmp_path, '--executors', 'kiwi', 'naive', '--profiles', 'drops', '--trials', '1') == 1
    assert 'failed: naive drops: ValueError: no such thing' in capsys.readouterr().err
    assert [entry['executor'] for entry in json.loads((tmp_path / 'report' / 'bench.json').read_text())] == ['kiwi']


@pytest.mark.parametrize('words, message', [
    (('--executors', 'kiwy'), "--executors 'kiwy' is not known. Did you mean kiwi"),
    (('--profiles', 'drop'), "--profiles 'drop' is not known. Did you mean drops"),
    (('--trials', '0'), '--trials must be at least 1, got 0'),
    (('--checkpoint', '/nowhere/at/all'), 'does not exist'),
])
def test_mistakes_are_named(tmp_path, capsys, words, message):
    assert run_command(tmp_path, *words) == 2
    assert message in capsys.readouterr().err


def test_the_checkpoint_that_ships_is_the_default():
    folder = command.shipped_checkpoint()
    assert (folder / 'model.safetensors').is_file()
    with pytest.raises(command.ArgumentError, match='--checkpoint'):
        command.shipped_checkpoint('none of that name')


def test_another_executor_is_another_result(monkeypatch):
    before = identity('kiwi')
    monkeypatch.setitem(VARIANTS, 'kiwi', replace(VARIANTS['kiwi'], settings=(('seam_ticks', 3),)))
    assert identity('kiwi') != before
    assert len({task.key for task in Plan('', 'd').tasks()}) == len(Plan('', 'd').tasks())


def test_executors_are_compared_on_the_same_starts():
    env, post = Track(goal=10.0), Track(goal=1e3, post=8.0)
    runs = {('kiwi', 'drops'): rolled('kiwi', 'drops', range(12), env),
            ('naive', 'drops'): rolled('naive', 'drops', range(12), post), ('ensemble', 'drops'): []}
    kiwi, naive = figures.entries(runs)
    assert kiwi['success'] == 1.0 and naive['success'] == 0.0
    assert naive['failures']['post_hit'] == 12
    assert naive['paired']['only_b'] == 12 and naive['paired']['p_value'] == pytest.approx(2 / 2**12)
    assert naive['differs'] is True and kiwi['differs'] is None
    assert figures.pair(runs, 'kiwi', 'naive', ['drops'])['only_a'] == 12
    assert figures.pair(runs, 'kiwi', 'ensemble', ['drops']) is None


def test_the_gate_and_the_seams_have_their_tables(tmp_path, fakes):
    assert run_command(tmp_path, '--trials', '2', '--profiles', 'latency_100',
                       '--executors', 'kiwi', 'kiwi_hard_switch', 'ensemble', 'ensemble_gated') == 0
    page = (tmp_path / 'report' / 'README.md').read_text()
    assert '## The disagreement gate' in page and '## Seams' in page
    assert 'success-latency.svg' not in page


def test_a_report_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match='no rollouts'):
        write_report(Plan('', 'd'), Store(tmp_path), tmp_path)


def test_what_cannot_be_told_is_null(tmp_path, fakes):
    assert run_command(tmp_path, '--trials', '1', '--profiles', 'latency_0', '--executors', 'kiwi') == 0
    entry, = json.loads((tmp_path / 'report' / 'bench.json').read_text(), parse_constant=pytest.fail)
    assert entry['paired'] is None and entry['differs'] is None
