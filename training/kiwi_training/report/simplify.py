"""Paths with fewer points."""

import numpy as np


def simplify(path, tolerance):
    """The path without points that lie within `tolerance` of the line between those kept.

    Douglas and Peucker's algorithm (1973), ends kept.

    Args:
        path: (T, 2); rows that are not finite end it.
        tolerance: in the path's unit.

    Returns:
        (S, 2) with S <= T.
    """
    path = np.asarray(path, dtype=float)
    broken = ~np.isfinite(path).all(axis=1)
    if broken.any():
        path = path[:int(np.argmax(broken))]
    if len(path) < 3:
        return path
    keep = np.zeros(len(path), dtype=bool)
    keep[[0, -1]] = True
    spans = [(0, len(path) - 1)]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        distance = _distance(path[first + 1:last], path[first], path[last])
        farthest = int(np.argmax(distance))
        if distance[farthest] > tolerance:
            middle = first + 1 + farthest
            keep[middle] = True
            spans += [(first, middle), (middle, last)]
    return path[keep]


def _distance(points, start, end):
    chord = end - start
    length = float(np.hypot(*chord))
    away = points - start
    if length == 0.0:
        return np.hypot(*away.T)
    along = np.clip(away @ chord / length**2, 0.0, 1.0)
    return np.hypot(*(away - along[:, None] * chord).T)
