"""Warn once in a while, announce the recovery."""


class Complaints:
    """Throttles warnings about one thing that may be wrong for a while.

    Args:
        warn, announce: called with a text.
        interval: s between two warnings.
    """

    def __init__(self, warn, announce, interval=2.0):
        self._warn, self._announce, self._interval = warn, announce, interval
        self._since = self._told = None
        self._count = 0

    def complain(self, text, now):
        """Something is wrong at `now` (s)."""
        if self._since is None:
            self._since, self._count = now, 0
        self._count += 1
        if self._told is None or now - self._told >= self._interval:
            self._told = now
            self._warn(text if self._count == 1 else f'{text} ({self._count} times in {now - self._since:.1f} s)')

    def recovered(self, text, now):
        """All is well at `now` (s); announced where it was not before."""
        if self._since is None:
            return
        self._announce(f'{text} after {now - self._since:.1f} s')
        self._since = self._told = None
