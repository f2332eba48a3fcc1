"""A summary from rollouts that rollout_node recorded, so that a real robot gets the same report."""

import json
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from kiwi_policy.core.metrics import wilson_interval
from kiwi_training.bakeoff.figures import compared
from kiwi_training.bakeoff.report.writing import write_report

HEADER = ('started', 'finished', 'rollouts', 'seed', 'time_limit', 'task', 'sim', 'mode', 'head', 'checkpoint_digest',
          'horizon', 'n_action_steps', 'period', 'cameras', 'message')


def summary_of_rollouts(rollouts):
    """A summary (see `write_report`) of recorded rollouts.

    Args:
        rollouts: head's name -> path of a rollouts.json.

    Returns:
        dict with one row per head; what rollout_node does not record is None.

    Raises:
        FileNotFoundError, ValueError: a file is missing or is none of rollout_node's.
    """
    if not rollouts:
        raise ValueError('no rollouts given: NAME=path/to/rollouts.json')
    records = {str(name): _read(path) for name, path in rollouts.items()}
    newest = max((str(record.get('finished') or record.get('started') or '') for record in records.values()))
    versions = {}
    for record in records.values():
        versions |= record.get('versions') or {}
    return {
        'title': 'Action heads: recorded rollouts',
        'created': newest or datetime.now(UTC).isoformat(timespec='seconds'),
        'config': {name: {key: record.get(key) for key in HEADER} for name, record in records.items()},
        'versions': versions, 'machine': None,
        'rows': [_row(name, record) for name, record in records.items()],
        'executors': [], 'requery': [], 'noise': [], 'control': [], 'latent': [], 'pairs': _pairs(records),
        'decision': None, 'scene': None,
    }


def report_rollouts(rollouts, output):
    """Write summary.json, a film per head and the report of recorded rollouts.

    Args:
        rollouts: head's name -> path of a rollouts.json; films lie beside it.
        output: folder, made where it is missing.

    Returns:
        Path of index.html.

    Raises:
        FileNotFoundError, ValueError: as for `summary_of_rollouts`.
    """
    output = Path(output)
    summary = summary_of_rollouts(rollouts)
    films = output / 'films'
    films.mkdir(parents=True, exist_ok=True)
    for row, path in zip(summary['rows'], rollouts.values()):
        film = _film(_read(path), Path(path).parent)
        if film is not None:
            row['film'] = re.sub(r'[^A-Za-z0-9.-]+', '-', row['head']) + '.mp4'
            shutil.copyfile(film, films / row['film'])
    (output / 'summary.json').write_text(json.dumps(summary, indent=2, allow_nan=False) + '\n', encoding='utf-8')
    return write_report(output, output / 'report')


def _read(path):
    path = Path(path)
    try:
        record = json.loads(path.read_text(encoding='utf-8'), parse_constant=lambda _name: None)
    except FileNotFoundError:
        raise FileNotFoundError(f'no rollouts at {path}') from None
    except ValueError as error:
        raise ValueError(f'{path} is no JSON: {error}') from None
    if not isinstance(record, dict) or not isinstance(record.get('episodes'), list):
        raise ValueError(f'{path} is no rollouts.json of rollout_node: it has no list of episodes')
    return record


def _row(name, record):
    episodes = record['episodes']
    successes = sum(bool(episode.get('success')) for episode in episodes)
    low, high = wilson_interval(successes, len(episodes))
    failures = {}
    for episode in episodes:
        if not episode.get('success'):
            outcome = str(episode.get('outcome') or 'failure')
            failures[outcome] = failures.get(outcome, 0) + 1
    policy = record.get('head')
    return {
        'head': name, 'family': name, 'policy': policy, 'stock': bool(policy) and not str(policy).startswith('kiwi_'),
        'note': _note(record), 'sampling': None, 'task': record.get('task'), 'executor': record.get('mode'),
        'trials': len(episodes), 'successes': successes, 'success': successes / len(episodes) if episodes else None,
        'success_low': low if episodes else None, 'success_high': high if episodes else None,
        'smoothness': record.get('smoothness'), 'smoothness_successes': record.get('smoothness_successes'),
        'seam_ratio': record.get('seam_ratio'), 'evals_per_chunk': record.get('evaluations_per_chunk'),
        'latency_p50_ms': _milli(record.get('latency_p50')), 'latency_p95_ms': _milli(record.get('latency_p95')),
        'underruns': record.get('underruns'), 'skipped': record.get('skipped'), 'dissents': None,
        'seconds': _mean([episode.get('seconds') for episode in episodes if episode.get('success')]),
        'failures': failures, 'left_share': None, 'side_entropy': None, 'coverage_trials': None,
        'parameters': None, 'train_minutes': None, 'train_steps': None, 'train_seeds': [],
        'digest': record.get('checkpoint_digest'), 'per_seed': [], 'path_key': None, 'overlay_key': None, 'film': None,
    }


def _note(record):
    where = 'simulated in real time' if record.get('sim') else 'real robot, judged by its operator'
    if not record.get('sim'):
        return where
    sides = [episode.get('side') for episode in record['episodes']]
    return f'{where}; left {sides.count("left")}, right {sides.count("right")} over different starts'


def _pairs(records):
    """McNemar's test for runs of one simulation: there the same seed is the same start."""
    outcomes = {name: {episode.get('seed'): bool(episode.get('success')) for episode in record['episodes']}
                for name, record in records.items() if record.get('sim')}
    names, pairs = list(outcomes), []
    for index, a in enumerate(names):
        for b in names[index + 1:]:
            common = sorted(outcomes[a].keys() & outcomes[b].keys(), key=str)
            if common:
                found = compared([(outcomes[a][seed], outcomes[b][seed]) for seed in common])
                pairs.append({'a': a, 'b': b} | found)
    return pairs


def _film(record, folder):
    episodes = sorted(record['episodes'], key=lambda episode: not episode.get('success'))
    for episode in episodes:
        name = str(episode.get('video') or '')
        if name.endswith('.mp4') and Path(name).name == name and (folder / name).is_file():
            return folder / name
    return None


def _milli(seconds):
    return None if seconds is None else 1e3 * seconds


def _mean(values):
    values = [value for value in values if value is not None]
    return sum(values) / len(values) if values else None
