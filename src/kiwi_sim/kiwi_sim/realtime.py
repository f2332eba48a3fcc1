"""Simulated time against the wall clock. Time is an argument: nothing here sleeps or reads a clock."""

from collections import deque


class Pacer:
    """Says how many physics steps are due.

    Steps missed while the machine was busy are made up for, a bounded number at a time. A pause longer
    than `max_lag` is given up and counted in `lost`: replayed fast, it would show motion that no robot makes.

    Args:
        period: s per step.
        now: s, the start.
        max_steps: most steps to take at once.
        max_lag: s of delay that is still made up for.
    """

    def __init__(self, period, now, max_steps=16, max_lag=0.2):
        self.period = period
        self.max_steps = max_steps
        self.max_lag = max_lag
        self.steps = 0
        self.lost = 0.0
        self._start = now

    def due(self, now):
        """Steps to take now; they count as taken."""
        lag = now - self._start - self.steps * self.period
        if lag > self.max_lag:
            self.lost += lag
            self._start += lag
            return 0
        steps = min(max(0, int(lag / self.period + 1e-9)), self.max_steps)
        self.steps += steps
        return steps


class RateMeter:
    """Amount per second over the last second or so.

    Args:
        window: s.
    """

    def __init__(self, window=1.0):
        self._window = window
        self._entries = deque()

    def add(self, now, amount=1.0):
        """Count `amount` at time `now`."""
        self._entries.append((now, amount))
        self._forget(now)

    def rate(self, now):
        """Amount per s counted in the window that ends at `now`."""
        self._forget(now)
        return sum(amount for _, amount in self._entries) / self._window

    def _forget(self, now):
        while self._entries and self._entries[0][0] <= now - self._window:
            self._entries.popleft()
