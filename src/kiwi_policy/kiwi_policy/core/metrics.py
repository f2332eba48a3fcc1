"""The figures every report uses alike: success, smoothness, seams, latency, sides.

Smoothness and seams are taken from the *executed* actions, arm joints only, in degrees, from the first
tick that ran a chunk: what was held before it says how long the policy took to answer, not how it moves.
"""

import math

import numpy as np

from kiwi_policy.core.features import ARM
from kiwi_policy.core.states import Source


def wilson_interval(successes, trials, z=1.959964):
    """Wilson score interval (low, high) of a success rate; (0, 1) without trials.

    centre = (p + z^2 / 2n) / (1 + z^2 / n),
    half width = z / (1 + z^2 / n) * sqrt(p (1 - p) / n + z^2 / 4n^2).

    Args:
        successes: number of successes, 0 .. trials.
        trials: number of trials n.
        z: normal quantile, 1.96 for 95 %.
    """
    if not 0 <= successes <= trials:
        raise ValueError(f'successes must lie in 0..{trials}, got {successes}')
    if trials == 0:
        return 0.0, 1.0
    p, n = successes / trials, trials
    scale = 1.0 + z * z / n
    centre = (p + z * z / (2 * n)) / scale
    half = z / scale * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return 0.0 if successes == 0 else centre - half, 1.0 if successes == trials else centre + half


def mcnemar_exact(only_a, only_b):
    """Two-sided p-value of McNemar's exact test for paired successes.

    Under the null hypothesis each of the n = only_a + only_b trials in which exactly one of two
    policies succeeds is as likely either's: p = min(1, 2 sum_{i <= min(only_a, only_b)} C(n, i) / 2^n).

    Args:
        only_a, only_b: trials in which only the one, or only the other, succeeded.
    """
    for name, count in (('only_a', only_a), ('only_b', only_b)):
        if count != int(count) or count < 0:
            raise ValueError(f'{name} must be a whole number >= 0, got {count!r}')
    n = int(only_a + only_b)
    tail = sum(math.comb(n, i) for i in range(int(min(only_a, only_b)) + 1))
    return min(1.0, 2 * tail / 2**n)


def first_planned(sources):
    """Index of the first tick that ran a chunk or the ramp to it; the number of ticks where none did.

    Args:
        sources: (T,) `Source` of each tick's command, as in `Command` and ExecutedAction.msg.
    """
    planned = np.isin(np.asarray(sources, dtype=int), (Source.RAMP, Source.CHUNK))
    return int(np.argmax(planned)) if planned.any() else len(planned)


def smoothness(actions):
    """Mean over time and the five arm joints of |a[t+1] - 2 a[t] + a[t-1]|, in deg.

    Args:
        actions: (T, 9) executed actions of one rollout, one per control period, from `first_planned` on.

    Returns:
        deg, 0 for a uniform motion; NaN below three actions.
    """
    arm = np.asarray(actions, dtype=float)[:, ARM]
    if len(arm) < 3:
        return math.nan
    return float(np.mean(np.abs(np.diff(arm, n=2, axis=0))))


def seam_ratio(rollouts):
    """p95 of |delta a| at takeovers over p95 of |delta a| inside chunks, arm joints, pooled.

    delta a[t] = a[t] - a[t-1] counts as a takeover's where tick t is the first of a new chunk.
    1 means that a takeover steps no further than ordinary motion.

    Args:
        rollouts: iterable of (actions (T, 9), takeover (T,) bool), one pair per rollout, from
            `first_planned` on.

    Returns:
        the ratio, NaN where there was no takeover or no motion inside chunks.
    """
    seams, inside = [], []
    for actions, takeover in rollouts:
        steps = np.abs(np.diff(np.asarray(actions, dtype=float)[:, ARM], axis=0))   # (T - 1, 5)
        at_seam = np.asarray(takeover, dtype=bool)[1:]
        seams.append(steps[at_seam].ravel())
        inside.append(steps[~at_seam].ravel())
    seams = np.concatenate(seams) if seams else np.empty(0)
    inside = np.concatenate(inside) if inside else np.empty(0)
    if not len(seams) or not len(inside):
        return math.nan
    usual = np.percentile(inside, 95)
    return float(np.percentile(seams, 95) / usual) if usual > 0 else math.nan


def latency_percentiles(seconds):
    """Median and 95th percentile of per-chunk latencies in s; NaN without any."""
    seconds = np.asarray(seconds, dtype=float)
    if not len(seconds):
        return math.nan, math.nan
    return float(np.percentile(seconds, 50)), float(np.percentile(seconds, 95))


def side_shares(sides):
    """Share of 'left' and of 'right' among the rollouts that took a side; NaN where none did."""
    left, right = (sum(side == name for side in sides) for name in ('left', 'right'))
    taken = left + right
    return (left / taken, right / taken) if taken else (math.nan, math.nan)


def side_entropy(sides):
    """Entropy in bits of the side taken: 1 for an even choice, 0 where it is always the same."""
    shares = [share for share in side_shares(sides) if share > 0]
    if not shares:
        return math.nan
    return float(-sum(share * math.log2(share) for share in shares) + 0.0)
