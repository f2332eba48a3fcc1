"""Figures of replayed executors: the metrics of every report, over the same episodes."""

import math

import numpy as np

from kiwi_policy.core.features import ARM, BASE, GRIPPER, NAMES
from kiwi_policy.core.metrics import first_planned, seam_ratio, smoothness
from kiwi_training.bags.info import aligned
from kiwi_training.bags.reexecution import COUNTERS, differences

ROBOT = 'robot'
HEADINGS = ('executor', 'smoothness', 'seam ratio', 'takeovers', 'accepted', 'skipped', 'underruns', 'rejected',
            'clamped', 'arm deg', 'gripper %', 'base m/s', 'base deg/s')


def figures(name, runs, lives):
    """Figures of one executor over several episodes, as a JSON-ready dict.

    Args:
        name: of the executor.
        runs: its `Run`s.
        lives: the robot's, of the same episodes.
    """
    executed = [_executed(run) for run in runs]
    smooth = [value for value in (smoothness(actions) for actions, _ in executed) if math.isfinite(value)]
    compared = [differences(run, live) for run, live in zip(runs, lives)]
    greatest = np.max([entry[0] for entry in compared], axis=0)
    reasons = {}
    for run in runs:
        for reason, count in run.reasons.items():
            reasons[reason] = reasons.get(reason, 0) + count
    return {
        'executor': name, 'episodes': len(runs),
        'smoothness': float(np.mean(smooth)) if smooth else None,
        'seam_ratio': _known(seam_ratio(executed)),
        'takeovers': int(sum(run.takeover[:run.length].sum() for run in runs)),
        **{counter: _total(runs, counter) for counter in COUNTERS}, 'reject_reasons': reasons,
        'clamped': int(sum(run.clamped[:run.length].sum() for run in runs)),
        'max_difference': dict(zip(NAMES, map(float, greatest))),
        'ticks': int(sum(len(run.commands) for run in runs)),
        'differing_ticks': sum(entry[1] for entry in compared),
        'refused': [text for run in runs for text in run.refused],
        'infeasible': sorted({run.infeasible for run in runs if run.infeasible}),
    }


def table(rows):
    """Text of several `figures`."""
    lines = [HEADINGS]
    for row in rows:
        greatest = np.array(list(row['max_difference'].values()))
        widest = (greatest[ARM].max(), greatest[GRIPPER].max(), greatest[BASE][:2].max(), greatest[BASE][2])
        lines.append((row['executor'], _number(row['smoothness'], '.3f', ' deg'), _number(row['seam_ratio'], '.2f'),
                      *(_number(row[name], 'd') for name in ('takeovers', *COUNTERS, 'clamped')),
                      *(('',) * 4 if row['executor'] == ROBOT else (f'{value:.3g}' for value in widest))))
    return '\n'.join(aligned(lines, '<' + '>' * (len(HEADINGS) - 1)))


def _executed(run):
    """(actions, takeover) from the first planned tick to the episode's end, as every report takes them."""
    span = slice(first_planned(run.sources[:run.length]), run.length)
    return run.commands[span].astype(float), run.takeover[span]


def _total(runs, counter):
    counts = [run.counters.get(counter) for run in runs]
    return None if None in counts else sum(counts)


def _known(value):
    return value if math.isfinite(value) else None


def _number(value, form, unit=''):
    return '?' if value is None else f'{value:{form}}{unit}'
