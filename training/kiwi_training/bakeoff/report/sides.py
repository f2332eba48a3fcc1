"""Which side of the post paths and heads take."""

import numpy as np

from kiwi_training.bakeoff.figures import takes_both_sides
from kiwi_training.report.text import known

LEAST_SHARE = 0.2
"""Share of rollouts from one fixed start that a multimodal head sends to its rarer side, unless the
configuration's [decision] has `min_side_share`."""


def least_share(config):
    """The share that a bake-off's configuration asks of a multimodal head."""
    decision = config.get('decision')
    share = decision.get('min_side_share') if isinstance(decision, dict) else None
    return share if known(share) else LEAST_SHARE


def is_multimodal(row, least):
    """True where a row takes both sides from one fixed start, None where that was not measured."""
    counts = [row.get(name) for name in ('left', 'right', 'coverage_trials')]
    return takes_both_sides(*counts, least) if all(map(known, counts)) else None


def side_of_path(path, post, radius):
    """+1 where a path passes a post on the left, -1 right, 0 where it ends before or runs into it.

    Args:
        path: (T, 2) in the world, x forward and y to the left; rows that are not finite are left out.
        post: (2,); radius in m.
    """
    path = np.asarray(path, dtype=float)
    path = path[np.isfinite(path).all(axis=1)]
    beyond = np.flatnonzero(path[:, 0] >= post[0])
    if not len(beyond) or clearance(path, post) < radius:
        return 0
    return 1 if path[beyond[0], 1] > post[1] else -1


def clearance(path, post):
    """Least distance of the line through (T, 2) from a point, in its unit."""
    path, post = np.asarray(path, dtype=float), np.asarray(post, dtype=float)
    if len(path) == 1:
        return float(np.hypot(*(path[0] - post)))
    start, step = path[:-1], np.diff(path, axis=0)
    length = np.maximum((step**2).sum(axis=1), 1e-18)
    along = np.clip(((post - start) * step).sum(axis=1) / length, 0.0, 1.0)
    return float(np.hypot(*(start + along[:, None] * step - post).T).min())
