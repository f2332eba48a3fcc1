"""The table of heads: as blocks, as Markdown, as JSON."""

from kiwi_training.bakeoff.report.blocks import Table
from kiwi_training.bakeoff.report.markdown import table as markdown_table
from kiwi_training.bakeoff.report.palette import family
from kiwi_training.bakeoff.report.source import normalise
from kiwi_training.bakeoff.report.text import (
    amount,
    count,
    degrees,
    evaluations,
    interval,
    known,
    milliseconds,
    number,
    percent,
    sides,
)

COLUMNS = (
    'head', 'success', 'smoothness (jerk)', 'evals/chunk', 'latency', '95 % interval', 'latency p95', 'underruns',
    'left/right', 'side entropy', 'parameters', 'training',
)
KEYS = ('head', 'executor', 'task', 'trials', 'success', 'smoothness', 'evals_per_chunk', 'latency_p50_ms',
        'latency_p95_ms', 'left_share')
MANY_TRIALS = 100
"""Trials from which on a success rate has a decimal."""


def head_table(summary):
    """`Table` of a normalised summary's rows, the chosen head strong."""
    rows = summary['rows']
    chosen = summary['decision']['head']
    return Table(
        COLUMNS, [_cells(row) for row in rows], strong=frozenset(
            index for index, row in enumerate(rows) if row['head'] == chosen),
        swatches=tuple(family(row) for row in rows))


def detail_table(summary):
    """`Table` of what else was measured per head."""
    columns = ('head', 'trials', 'smoothness of successes', 'seam ratio', 'seconds', 'skipped', 'dissents', 'failures',
               'note')
    rows = [[name(row), count(row['trials']), degrees(row['smoothness_successes']), number(row['seam_ratio']),
             number(row['seconds'], '.1f', 's'), count(row['skipped']), count(row['dissents']), failures(row),
             str(row['note'] or '')] for row in summary['rows']]
    return Table(columns, rows, left=('failures', 'note'), swatches=tuple(family(row) for row in summary['rows']),
                 fold='More figures per head')


def table_markdown(summary):
    """The table of heads of a summary (a dict as in summary.json) in Markdown."""
    return markdown_table(head_table(normalise(summary)))


def name(row):
    """A row's head, marked where it is LeRobot's own."""
    return f'{row["head"]} (stock)' if row['stock'] and 'stock' not in row['head'].lower() else row['head']


def failures(row):
    """Outcomes of the failed rollouts with their counts."""
    counts = row['failures'] if isinstance(row['failures'], dict) else {}
    return ', '.join(f'{outcome} {many}' for outcome, many in sorted(counts.items(), key=lambda item: str(item[0])))


def flat_rows(summary):
    """Rows, executors and forced fork of a normalised summary as a list of dicts with exactly KEYS."""
    rows = {row['head']: row for row in summary['rows']}
    flat = [_flat(row, row, 'fork') for row in summary['rows']]
    for entries, task in ((summary['executors'], 'fork'), (summary['control'], 'forced fork')):
        flat += [_flat(entry, rows.get(entry['head'], entry), task) for entry in entries]
    return flat


def _flat(entry, row, task):
    values = {key: entry[key] for key in KEYS}
    for key in ('evals_per_chunk', 'latency_p50_ms', 'latency_p95_ms'):
        values[key] = entry[key] if known(entry[key]) else row[key]
    values |= {'executor': entry['executor'] or 'latest', 'task': entry['task'] or task}
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in values.items()}


def _cells(row):
    precise = known(row['trials']) and row['trials'] >= MANY_TRIALS
    return [
        name(row), percent(row['success'], 1 if precise else 0), degrees(row['smoothness']),
        evaluations(row['evals_per_chunk']), milliseconds(row['latency_p50_ms']), interval(row),
        milliseconds(row['latency_p95_ms']), count(row['underruns']), sides(row['left_share']),
        number(row['side_entropy'], '.2f', 'bit'), amount(row['parameters']), number(row['train_minutes'], '.0f', 'min'),
    ]
