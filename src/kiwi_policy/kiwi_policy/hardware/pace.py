"""Keeps a loop to a rate."""

import time


class Pace:
    """Lets a caller go at most `rate` times a second; one that was late is not made to catch up.

    Args:
        rate: Hz.
        clock, sleep: s.
    """

    def __init__(self, rate, clock=time.monotonic, sleep=time.sleep):
        self._period, self._clock, self._sleep = 1.0 / rate, clock, sleep
        self._due = clock()

    def wait(self):
        """Sleep until the next turn is due; returns the time, s."""
        now = self._clock()
        if now < self._due:
            self._sleep(self._due - now)
            now = self._clock()
        self._due = max(self._due + self._period, now)
        return now
