"""The figures of a set of rollouts, under the names the report uses."""

import math

import numpy as np

from kiwi_policy.core import metrics
from kiwi_training.bakeoff.watching import mode_switches
from kiwi_training.evaluation import summarize


def success_figures(trials):
    """Trials, successes and the Wilson interval, with smoothness and seams."""
    found = summarize([trial.rollout for trial in trials])
    return {
        'trials': found['rollouts'], 'successes': found['successes'], 'success': found['success_rate'],
        'success_low': found['success_low'], 'success_high': found['success_high'],
        'smoothness': found['smoothness'], 'smoothness_successes': found['smoothness_successes'],
        'seam_ratio': found['seam_ratio'], 'evals_per_chunk': found['evaluations_per_chunk'],
        'underruns': found['underruns'], 'starved_seconds': found['starved_seconds'], 'skipped': found['skipped'],
        'dissents': found['dissents'], 'clamped': found['clamped'], 'seconds': found['seconds'],
        'failures': found['failures'], 'mode_switches': mean([mode_switches(trial.sides) for trial in trials]),
    }


def side_figures(trials):
    """Which side the rollouts took."""
    sides = [trial.rollout.side for trial in trials]
    return {'left_share': number(metrics.side_shares(sides)[0]), 'side_entropy': number(metrics.side_entropy(sides)),
            'left': sides.count('left'), 'right': sides.count('right')}


def latency_figures(latency):
    """p50 and p95 in ms of measured samples."""
    p50, p95 = metrics.latency_percentiles(latency['seconds'])
    return {'latency_p50_ms': 1e3 * p50, 'latency_p95_ms': 1e3 * p95}


def takes_both_sides(left, right, trials, least):
    """True where each side was taken in at least a share `least` of all rollouts from one start.

    Rollouts that took no side count among `trials`: 5 left and 5 right of 50 are a tenth on either side.
    """
    return trials > 0 and min(left, right) / trials >= least


def paired(a, b):
    """McNemar's exact test of two lists of trials over the seeds both have; None without any."""
    ours, theirs = ({(trial.rollout.seed, trial.rollout.sampling_seed): trial.rollout.success for trial in trials}
                    for trials in (a, b))
    shared = sorted(set(ours) & set(theirs))
    return compared([(ours[seed], theirs[seed]) for seed in shared]) if shared else None


def compared(outcomes):
    """McNemar's exact test of a list of (success of a, success of b) from the same starts."""
    return _tested({'trials': len(outcomes), 'both': outcomes.count((True, True)),
                    'only_a': outcomes.count((True, False)), 'only_b': outcomes.count((False, True)),
                    'neither': outcomes.count((False, False))})


def pooled_pairs(pairs):
    """The sums of several comparisons' counts, and McNemar's exact test on these sums."""
    return _tested({name: sum(pair[name] for pair in pairs)
                    for name in ('trials', 'both', 'only_a', 'only_b', 'neither')})


def _tested(counts):
    return counts | {'p_value': metrics.mcnemar_exact(counts['only_a'], counts['only_b'])}


def pooled_seeds(entries):
    """Success over several training seeds: {pooled, success_seeds}, both None below two.

    Args:
        entries: per seed a dict with seed, trials, successes and success.

    Returns:
        pooled: summed trials and successes with their Wilson interval, and the seeds; the interval takes all
            rollouts as independent and so knows nothing of the differences between the seeds, which
            success_seeds, [lowest, highest] rate, shows.
    """
    if len(entries) < 2:
        return {'pooled': None, 'success_seeds': None}
    trials, successes = (sum(entry[name] for entry in entries) for name in ('trials', 'successes'))
    low, high = metrics.wilson_interval(successes, trials)
    rates = [entry['success'] for entry in entries]
    return {'pooled': {'trials': trials, 'successes': successes, 'success': successes / trials, 'success_low': low,
                       'success_high': high, 'seeds': [entry['seed'] for entry in entries]},
            'success_seeds': [min(rates), max(rates)]}


def traces(trials):
    """Arrays of the cube's ways: xy (N, T, 2) float32 padded with NaN, side (N,) int8, success (N,) bool."""
    longest = max((len(trial.xy) for trial in trials), default=0)
    xy = np.full((len(trials), longest, 2), np.nan, np.float32)
    for row, trial in zip(xy, trials, strict=True):
        row[:len(trial.xy)] = trial.xy
    signs = {'left': 1, 'right': -1, 'none': 0}
    return {'xy': xy, 'side': np.array([signs[trial.rollout.side] for trial in trials], np.int8),
            'success': np.array([trial.rollout.success for trial in trials], bool)}


def mean(values):
    """The mean of the finite ones, None without any."""
    values = [value for value in values if value is not None and math.isfinite(value)]
    return float(np.mean(values)) if values else None


def number(value):
    """The value, None where it is not finite."""
    return value if math.isfinite(value) else None
