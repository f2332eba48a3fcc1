"""Which row of a chunk belongs to a tick: row i is due at stamp + i * period."""

import math


def row_at(chunk, now):
    """Row of `chunk` due nearest to `now`; below 0 before its first row, >= H after its last.

    Rounding to the nearest row keeps |now - due(row)| <= period / 2, so ticks that jitter by
    less than half a period still run every row once, and no row runs a full period late.
    """
    return math.floor((now - chunk.stamp) / chunk.period + 0.5)


def live(chunk, now):
    """True where `chunk` has a row for the tick at `now`."""
    return 0 <= row_at(chunk, now) < chunk.horizon


def late_rows(chunk, now):
    """Number of rows that are past at `now` and can never be executed."""
    return min(max(row_at(chunk, now), 0), chunk.horizon)


def rows_left(chunk, now):
    """Number of rows from the one due at `now` to the last."""
    return chunk.horizon - late_rows(chunk, now)


def row_before(chunk, index):
    """(D,) the row one period before row `index`, extrapolated linearly before row 0."""
    actions = chunk.actions
    if index > 0:
        return actions[index - 1]
    if chunk.horizon == 1:
        return actions[0]
    return 2.0 * actions[0] - actions[1]
