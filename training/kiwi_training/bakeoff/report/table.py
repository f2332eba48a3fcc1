"""The table of heads: as blocks, as Markdown, as JSON."""

from kiwi_training.bakeoff.report.blocks import Table
from kiwi_training.bakeoff.report.families import family
from kiwi_training.bakeoff.report.markdown import table as markdown_table
from kiwi_training.bakeoff.report.source import normalise
from kiwi_training.report.text import (
    NONE,
    amount,
    count,
    degrees,
    evaluations,
    interval,
    known,
    listing,
    milliseconds,
    number,
    percent,
    sides,
    tally,
)

OVER_SEEDS = 'over seeds'
COLUMNS = (
    'head', 'success', 'smoothness (jerk)', 'evals/chunk', 'latency', '95 % interval', OVER_SEEDS, 'latency p95',
    'underruns', 'left/right', 'side entropy', 'parameters', 'training',
)
DAGGER = '†'
KEYS = ('head', 'executor', 'task', 'trials', 'success', 'smoothness', 'evals_per_chunk', 'latency_p50_ms',
        'latency_p95_ms', 'left_share')
MANY_TRIALS = 100
"""Trials from which on a success rate has a decimal."""


def head_table(summary):
    """`Table` of a normalised summary's rows, the chosen head strong."""
    rows = summary['rows']
    chosen = summary['decision']['head']
    seeds = any(several_seeds(row) for row in rows)
    columns = [column for column in COLUMNS if seeds or column != OVER_SEEDS]
    cells = [_cells(row) for row in rows]
    notes = {DAGGER: "too slow for its chunk, d > H − s: the robot's executor refuses it."}
    return Table(
        tuple(columns), [[of[column] for column in columns] for of in cells], strong=frozenset(
            index for index, row in enumerate(rows) if row['head'] == chosen),
        swatches=tuple(family(row) for row in rows),
        note=' '.join(f'{mark}: {text}' for mark, text in notes.items() if any(mark in of['head'] for of in cells)))


def detail_table(summary):
    """`Table` of what else was measured per head."""
    columns = ('head', 'trials', 'all training seeds', 'smoothness of all rollouts', 'seam ratio', 'seconds', 'skipped',
               'dissents', 'failures', 'note')
    rows = [[name(row), count(row['trials']), pooled(row), degrees(row['smoothness']), number(row['seam_ratio']),
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


def several_seeds(row):
    """The [lowest, highest] success over a row's training seeds, None where it has one."""
    span = row['success_seeds']
    return span if isinstance(span, list) and len(span) == 2 and all(map(known, span)) else None


def of_seed(rows):
    """Of which training seed the figures are, where there are several."""
    first = sorted({row['train_seeds'][0] for row in rows if row['train_seeds']})
    several = any(len(row['train_seeds'] or ()) > 1 for row in rows)
    return f', of training seed {listing(first)}' if several else ''


def pooled(row):
    """Successes of all training seeds together, with their interval."""
    found = row['pooled']
    return f'{tally(found)} ({interval(found)})' if isinstance(found, dict) and known(found.get('trials')) else NONE


def underruns(entry):
    """How often actions ran out; a dash in mode sync, which waits for every chunk."""
    return NONE if entry['executor'] == 'sync' else count(entry['underruns'])


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
    values = {key: entry[key] for key in KEYS} | {'smoothness': entry['jerk']}
    for key in ('evals_per_chunk', 'latency_p50_ms', 'latency_p95_ms'):
        values[key] = entry[key] if known(entry[key]) else row[key]
    values |= {'executor': entry['executor'] or 'latest', 'task': entry['task'] or task}
    return {key: round(value, 6) if isinstance(value, float) else value for key, value in values.items()}


def _cells(row):
    precise = known(row['trials']) and row['trials'] >= MANY_TRIALS
    span = several_seeds(row)
    return {
        'head': name(row) + (f' {DAGGER}' if row['feasible'] is False else ''),
        'success': percent(row['success'], 1 if precise else 0), 'smoothness (jerk)': degrees(row['jerk']),
        'evals/chunk': evaluations(row['evals_per_chunk']), 'latency': milliseconds(row['latency_p50_ms']),
        '95 % interval': interval(row),
        OVER_SEEDS: f'{100 * span[0]:.1f} to {100 * span[1]:.1f} %' if span else NONE,
        'latency p95': milliseconds(row['latency_p95_ms']), 'underruns': underruns(row),
        'left/right': sides(row['left_share']), 'side entropy': number(row['side_entropy'], '.2f', 'bit'),
        'parameters': amount(row['parameters']), 'training': number(row['train_minutes'], '.0f', 'min'),
    }
