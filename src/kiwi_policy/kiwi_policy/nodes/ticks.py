"""Control ticks: their monotonic times, their ROS stamps, and the way back from a stamp to a tick.

Stamps advance with the monotonic clock from the wall time at the start, so a step of the system
clock moves nothing, and due times use the robot's own stamps only.
"""

from collections import deque

NANO = 1_000_000_000


class TickClock:
    """Stamps of the control ticks and their monotonic times.

    Args:
        period: s between ticks.
        start: s, monotonic time of tick 0.
        stamp: ns, ROS time of tick 0.
        remembered: number of ticks whose stamps are known.
    """

    def __init__(self, period, start, stamp, remembered=1024):
        if not period > 0:
            raise ValueError(f'period must be > 0 s, got {period!r}')
        self.period = period
        self._start = start
        self._stamp = int(stamp)
        self._times = {}
        self._order = deque()
        self._remembered = remembered

    def time(self, index):
        """Monotonic time in s of tick `index`."""
        return self._start + index * self.period

    def index_at(self, now):
        """Index of the first tick not before `now` (s)."""
        return max(-int((self._start - now) // self.period), 0)

    def stamp(self, index):
        """ROS stamp in ns of tick `index`, which is remembered."""
        stamp = self._stamp + round(index * self.period * NANO)
        if stamp not in self._times:
            self._times[stamp] = self.time(index)
            self._order.append(stamp)
            if len(self._order) > self._remembered:
                del self._times[self._order.popleft()]
        return stamp

    def to_monotonic(self, stamp):
        """Monotonic time in s of a stamp in ns.

        A stamp of a remembered tick gives that tick's time. A newer one lies ahead of the newest
        tick by at least a period; any other is older than every tick (-1e9 s), so that the executor
        refuses both.
        """
        known = self._times.get(stamp)
        if known is not None:
            return known
        if not self._order or stamp < self._order[-1]:
            return -1e9
        newest = self._order[-1]
        return self._times[newest] + max((stamp - newest) / NANO, self.period)
