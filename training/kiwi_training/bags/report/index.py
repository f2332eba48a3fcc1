"""The page over all rollouts."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kiwi_policy.core.metrics import latency_percentiles, seam_ratio, side_shares, wilson_interval
from kiwi_training.report.html import page_templates
from kiwi_training.report.text import NONE, count, known, listing, milliseconds, number, percent, plural, sides

TEMPLATES = Path(__file__).parent / 'templates'
SUMS = (('Chunks', 'chunks'), ('Underruns', 'underruns'), ('Rejected', 'rejected'), ('Clamped ticks', 'clamped'))


@dataclass(frozen=True)
class Column:
    """A column: `value` makes the `Cell` of a `Reported`; `differing` ones are left out where all rows are alike."""

    title: str
    value: object
    left: bool = False
    differing: bool = False


@dataclass(frozen=True)
class Cell:
    """`key` is a number or text to sort by, '' where unknown; `note` stands below the text."""

    text: str
    key: object
    note: str = ''


def _number(form, unit='', scale=1.0):
    return lambda value: Cell(number(value, form, unit, scale), round(value * scale, 6) if known(value) else '')


def _columns():
    time, plain, whole, ms = _number('.1f', 's'), _number('.2f'), _number('.0f'), _number('.0f', 'ms', 1e3)
    smooth = _number('.3f', 'deg')
    return (
        Column('Rollout', lambda r: Cell(r.title, r.title), True),
        Column('Outcome', lambda r: Cell(r.outcome, r.outcome, r.headline), True),
        Column('Seed', lambda r: Cell(str(r.details.get('seed', NONE)), r.details.get('seed', ''))),
        Column('Head', lambda r: Cell(r.head or NONE, r.head), True, differing=True),
        Column('Mode', lambda r: Cell(r.mode or NONE, r.mode), True, differing=True),
        Column('Side', lambda r: Cell(r.figures.side or NONE, r.figures.side), True),
        Column('Duration', lambda r: time(r.figures.seconds)),
        Column('Smoothness', lambda r: smooth(r.figures.smoothness)),
        Column('Seam ratio', lambda r: plain(r.figures.seam_ratio)),
        Column('Inference p50', lambda r: ms(r.figures.latency[0])),
        Column('p95', lambda r: ms(r.figures.latency[1])),
        Column('Request to chunk p95', lambda r: ms(r.figures.response[1])),
        Column('Underruns', lambda r: whole(r.figures.underruns)),
        Column('Rejected', lambda r: whole(r.figures.rejected)),
        Column('Clamped', lambda r: whole(r.figures.clamped)),
        Column('Recording', lambda r: Cell('complete' if r.complete == 'true' else r.complete, r.complete), True,
               differing=True),
    )


COLUMNS = _columns()


def index_page(reported, failed, title='Rollouts'):
    """HTML text.

    Args:
        reported: list of (`Reported`, file name of its page).
        failed: texts on bags that have no page.
    """
    rollouts = [one for one, _ in reported]
    columns = [column for column in COLUMNS
               if not column.differing or len({column.value(one).text for one in rollouts}) > 1]
    rows = [{'name': one.title, 'page': page, 'still': one.still, 'level': one.level,
             'cells': [column.value(one) for column in columns]} for one, page in reported]
    return page_templates(TEMPLATES).get_template('index.html.j2').render(
        title=title, introduction=introduction(rollouts), totals=totals(rollouts), columns=columns, rows=rows,
        failed=failed)


def introduction(rollouts):
    """Sentences on what was run."""
    heads = sorted({one.head for one in rollouts if one.head})
    digests = sorted({one.digest for one in rollouts if one.digest})
    tasks = sorted({str(one.details['task']) for one in rollouts if one.details.get('task')})
    found = [plural(len(rollouts), 'recorded rollout')]
    found += [f'head {listing(heads)}'] if heads else []
    found += [f'checkpoint {listing(digests)}'] if digests else []
    modes = sorted({one.mode for one in rollouts if one.mode})
    found += [f'mode {listing(modes)}'] if modes else []
    return [f'{", ".join(found)}.', *(f'Task: {task}' for task in tasks)]


def totals(rollouts):
    """List of (name, value) over all rollouts; success only over those that were judged."""
    judged = [one for one in rollouts if one.success is not None]
    successes = sum(one.success for one in judged)
    low, high = wilson_interval(successes, len(judged))
    every = [one.figures for one in rollouts]
    inference = latency_percentiles(np.concatenate([each.inference for each in every]) if every else [])
    smooth = [each.smoothness for each in every if math.isfinite(each.smoothness)]
    success = (f'{successes}/{len(judged)}, {percent(successes / len(judged))} ({100 * low:.0f} to {100 * high:.0f} %)'
               if judged else NONE)
    return [
        ('Success, judged rollouts', success), ('Left / right', sides(side_shares([each.side for each in every])[0])),
        ('Smoothness, mean', number(float(np.mean(smooth)) if smooth else math.nan, '.3f', 'deg')),
        ('Seam ratio, pooled', number(seam_ratio([each.executed for each in every]))),
        ('Inference p50 / p95', f'{milliseconds(1e3 * inference[0])} / {milliseconds(1e3 * inference[1])}'),
        *((name, count(sum(getattr(each, field) for each in every))) for name, field in SUMS),
    ]
