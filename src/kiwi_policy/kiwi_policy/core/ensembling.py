"""Temporal ensembling (Zhao et al. 2023): several predictions for one tick, one action."""

import numpy as np

from kiwi_policy.core.features import ARM, BASE, GRIPPER


def weights(count, coeff, favor):
    """(count,) weights w_i = exp(-coeff * i), normalised, for predictions ordered oldest first.

    Args:
        count: number of predictions, >= 1.
        coeff: m >= 0; 0 weighs all alike.
        favor: 'newest' counts i from the newest prediction (m says how fast old predictions
            fade), 'oldest' from the oldest (the ACT paper's and LeRobot's convention).
    """
    if count < 1:
        raise ValueError(f'ensembling needs at least 1 prediction, got {count}')
    if favor not in ('newest', 'oldest'):
        raise ValueError(f'favor must be newest or oldest, got {favor!r}')
    rank = np.arange(count) if favor == 'oldest' else np.arange(count)[::-1]
    raw = np.exp(-coeff * rank)
    return raw / raw.sum()


def blend(predictions, coeff, favor, factors):
    """Blend the predictions for one tick.

    Each dimension goes `factors` of the way from the dominant prediction (the one of the
    greatest weight) to the weighted mean: 0 takes the dominant value, 1 the mean.

    Args:
        predictions: (n, D) ordered oldest first.
        coeff, favor: as in `weights`.
        factors: (D,) in 0..1.

    Returns:
        (D,) action.
    """
    predictions = np.asarray(predictions, dtype=float)
    if len(predictions) == 1:
        return predictions[0].copy()
    dominant = predictions[-1] if favor == 'newest' else predictions[0]
    mean = weights(len(predictions), coeff, favor) @ predictions
    return dominant + factors * (mean - dominant)


def disagreement(ours, theirs, spread):
    """How far two predictions of the same rows differ, in action spreads.

    Root mean square over the rows per dimension, the worst of arm and base. The gripper is left
    out: it is never blended, and closing one tick earlier is no other plan.

    Args:
        ours, theirs: (rows, 9).
        spread: (9,) standard deviations of the actions in the training data.
    """
    if len(ours) == 0:
        return 0.0
    scale = np.maximum(spread, SPREAD_FLOOR)
    worst = np.sqrt(np.mean(((ours - theirs) / scale) ** 2, axis=0))
    worst[GRIPPER] = 0.0
    return float(worst.max())


SPREAD_FLOOR = np.zeros(9)
SPREAD_FLOOR[ARM] = 2.0
SPREAD_FLOOR[BASE] = (0.02, 0.02, 5.0)
"""Floor under the spread (deg, m/s, deg/s): a dimension that hardly moves in the training data
would otherwise turn noise into disagreement."""
