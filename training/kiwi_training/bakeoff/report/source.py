"""What a report is made from: summary.json, traces and films of a bake-off's folder."""

import json
from pathlib import Path

import numpy as np

from kiwi_training.bakeoff.decision import feasible
from kiwi_training.bakeoff.report.sides import is_multimodal, least_share
from kiwi_training.report.text import NONE, known

LABELS = {
    'rows': ('head',), 'executors': ('head', 'executor'), 'requery': ('head',), 'noise': ('head', 'noise'),
    'control': ('head',), 'latent': ('head',), 'pairs': ('a', 'b'),
}
"""The lists of a summary and which fields of their entries are names."""

ROLLED_OUT = ('rows', 'executors', 'requery', 'noise', 'control')
TIMES = ('latency_p95_ms', 'period', 'horizon', 'replan_rows')
"""What the decision needs to know whether a row's latency fits its chunk."""


class Entry(dict):
    """A dict of which what is missing is None."""

    def __missing__(self, key):
        return None


def normalise(summary):
    """A summary in which every list exists and every missing field is None.

    Rows also say whether they are `multimodal` and `feasible`, True, False or None where that is not known;
    what was rolled out has its `jerk`: smoothness of the successes, of all rollouts where there are none.

    Args:
        summary: dict as read from JSON.

    Raises:
        ValueError: it is no summary of a bake-off.
    """
    if not isinstance(summary, dict):
        raise ValueError(f'a summary must be an object, got {type(summary).__name__}')
    result = Entry(summary)
    for name in LABELS:
        entries = summary.get(name)
        entries = [] if entries is None else entries
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise ValueError(f'{name} must be a list of objects')
        result[name] = [Entry(entry) for entry in entries]
        for entry in result[name]:
            entry |= {key: str(NONE if entry[key] is None else entry[key]) for key in LABELS[name]}
    for name in ('config', 'versions', 'machine', 'decision', 'scene'):
        value = summary.get(name)
        if value is not None and not isinstance(value, dict):
            raise ValueError(f'{name} must be an object, got {type(value).__name__}')
        result[name] = Entry(value or {})
    for name in ROLLED_OUT:
        for entry in result[name]:
            entry['jerk'] = _jerk(entry)
    for row in result['rows']:
        row['multimodal'] = is_multimodal(row, least_share(result['config']))
        row['feasible'] = feasible(row) if all(known(row[name]) for name in TIMES) else None
        row['per_seed'] = [Entry(seed) | {'jerk': _jerk(seed)} for seed in row['per_seed'] or ()]
    return result


def _jerk(entry):
    of_successes = entry.get('smoothness_successes')
    return of_successes if known(of_successes) else entry.get('smoothness')


class Source:
    """A bake-off's folder.

    Args:
        folder: with summary.json, and traces/ and films/ where there are any.

    Attributes:
        summary: normalised.

    Raises:
        FileNotFoundError: there is no summary.json.
        ValueError: it is none.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        path = self.folder / 'summary.json'
        if not path.is_file():
            raise FileNotFoundError(f'no summary.json in {self.folder}: is it the output folder of a bake-off?')
        try:
            content = json.loads(path.read_text(encoding='utf-8'), parse_constant=lambda _name: None)
        except ValueError as error:
            raise ValueError(f'{path} is no JSON: {error}') from None
        self.summary = normalise(content)

    def trace(self, key, *names):
        """Arrays of traces/<key>.npz by name; None where the file or one of them is missing."""
        path = self._inside('traces', key, '.npz')
        if path is None:
            return None
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in names} if all(name in arrays for name in names) else None

    def film(self, name):
        """Bytes of films/<name>; None where there is none."""
        path = self._inside('films', name)
        return path.read_bytes() if path else None

    def _inside(self, room, name, suffix=''):
        if not name or Path(str(name)).name != str(name):
            return None
        path = self.folder / room / f'{name}{suffix}'
        return path if path.is_file() else None
