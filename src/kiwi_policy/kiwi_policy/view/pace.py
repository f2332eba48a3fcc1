"""Lets something through at a limited rate."""


class Pace:
    """At most `rate` times a second; 0 lets nothing through."""

    def __init__(self, rate):
        self._interval = 1.0 / rate if rate > 0 else float('inf')
        self._due = -float('inf')

    def allows(self, now):
        """Whether it is time again at `now` s."""
        if now < self._due or self._interval == float('inf'):
            return False
        late = now - self._due > self._interval
        self._due = (now if late else self._due) + self._interval
        return True
