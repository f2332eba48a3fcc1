"""The report of rollouts that rollout_node recorded."""

import numpy as np
import pytest
from kiwi_policy.nodes.episode_log import EpisodeSummary
from kiwi_policy.nodes.results import RunResults
from kiwi_training.bakeoff.report import report_rollouts, summary_of_rollouts


class Log:
    """What `RunResults` asks of an EpisodeLog."""

    def __init__(self, latency):
        self.latencies, self.evaluations = (latency, 2 * latency), (10, 10)

    def executed(self):
        return np.linspace(0, 1, 20)[:, None] * np.ones(9), np.arange(20) % 8 == 0


def record(folder, outcomes, sim=True, head='kiwi_flow', latency=0.05):
    """rollouts.json of rollout_node with one episode per outcome; returns its path."""
    folder.mkdir()
    results = RunResults(folder, {'started': '2026-01-01T00:00:00+00:00', 'head': head, 'mode': 'latest', 'sim': sim,
                                  'checkpoint': '/somewhere', 'checkpoint_digest': 'abc', 'task': 'Put it there.',
                                  'versions': {'torch': '2'}})
    for index, outcome in enumerate(outcomes):
        results.add(EpisodeSummary(
            index, f'e{index}', 1000 + index if sim else 0, outcome == 'success', outcome, 7.0 + index, 0.3,
            ('left', 'right')[index % 2] if sim else 'none', 20, 10.0, latency, 2 * latency, 0.1, 0.2, 1, 100, 0, 0, 18,
            200, {}, 1.0, 0.03, 0.01, 0.03, 1.0, 29.0, f'rollout_{index + 1:03d}.mp4'), Log(latency))
    results.finish()
    return results.path


def test_recorded_rollouts_give_the_same_rows(tmp_path):
    path = record(tmp_path / 'flow', ['timeout', 'success', 'success', 'cube fell'], latency=0.05)
    row = summary_of_rollouts({'my flow': path})['rows'][0]
    assert row['head'] == 'my flow' and row['policy'] == 'kiwi_flow' and row['stock'] is False
    assert (row['trials'], row['successes'], row['success']) == (4, 2, 0.5)
    assert row['success_low'] == pytest.approx(0.150, abs=1e-3) and row['failures'] == {'timeout': 1, 'cube fell': 1}
    assert row['latency_p50_ms'] == pytest.approx(75.0) and row['evals_per_chunk'] == 10.0
    assert row['seconds'] == pytest.approx(8.5) and row['underruns'] == 4
    assert row['left_share'] is None, 'these are different starts'
    assert 'left 2, right 2' in row['note']
    assert summary_of_rollouts({'act': record(tmp_path / 'act', ['success'], head='act')})['rows'][0]['stock']


def test_runs_of_one_simulation_are_paired_and_real_ones_are_not(tmp_path):
    a = record(tmp_path / 'a', ['success'] * 6)
    b = record(tmp_path / 'b', ['timeout'] * 6)
    pair, = summary_of_rollouts({'a': a, 'b': b})['pairs']
    assert (pair['trials'], pair['both'], pair['only_a'], pair['only_b'], pair['neither']) == (6, 0, 6, 0, 0)
    assert pair['p_value'] == pytest.approx(2 / 64)
    c = record(tmp_path / 'c', ['success'] * 6, sim=False)
    assert summary_of_rollouts({'a': a, 'c': c})['pairs'] == []


def test_a_report_of_a_real_robot_with_its_film(tmp_path):
    a = record(tmp_path / 'a', ['timeout', 'success'], sim=False)
    (tmp_path / 'a' / 'rollout_001.mp4').write_bytes(b'failed')
    (tmp_path / 'a' / 'rollout_002.mp4').write_bytes(b'succeeded')
    page = report_rollouts({'a/b': a, 'act': record(tmp_path / 'b', [], sim=False, head='act')}, tmp_path / 'out')
    content = page.read_text()
    assert content.count('<video') == 1 and (tmp_path / 'out' / 'films' / 'a-b.mp4').read_bytes() == b'succeeded'
    text = (tmp_path / 'out' / 'report' / 'report.md').read_text()
    assert 'Executor modes: every rollout ran in one mode' in text and 'Decision: no rule was applied' in text
    assert 'real robot, judged by its operator' in text


@pytest.mark.parametrize('content, message', [
    (None, 'no rollouts at'), ('x', 'no JSON'), ('{}', 'no list of episodes'), ('[]', 'no list of episodes')])
def test_what_is_no_record_of_rollouts_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / 'rollouts.json').write_text(content)
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        summary_of_rollouts({'flow': tmp_path / 'rollouts.json'})


def test_without_rollouts_there_is_nothing_to_report():
    with pytest.raises(ValueError, match='NAME='):
        summary_of_rollouts({})
