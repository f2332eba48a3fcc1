"""When the next chunk is wanted, and what is certain to run until it comes."""

import itertools
import math


def replan_rows(horizon):
    """Rows between two requests in `latest` where no interval is set, for chunks of `horizon` rows."""
    return max(horizon // 4, 1)


NO_ACTIONS, INTERVAL, IN_TIME = 'no actions', 'interval', 'just in time'
"""Why a chunk is asked for: none runs; the interval has passed; the answer would otherwise come after the last row."""


class Schedule:
    """Decides when a request is due.

    `sync` asks when the chunk has run out. `latest` and `ensemble` ask once per interval, counted
    from the stamp of the newest chunk, or earlier where the answer, expected after the measured p95
    latency, would come after the last row.

    Args:
        config: the `ExecutorConfig`.
        timeline: the `Timeline` of live chunks.
        latency: the `LatencyTracker`.
    """

    def __init__(self, config, timeline, latency):
        self._config, self._timeline, self._latency = config, timeline, latency

    def due(self, now, traits):
        """Why a chunk should be asked for at the tick at `now` (s), one of the words above; empty where none should."""
        upcoming = self._timeline.peek(now)
        if upcoming is None:
            return NO_ACTIONS
        if self._config.mode == 'sync':
            return ''
        period = self._config.period
        latest = upcoming.until() - self._latency.percentile(95) - period
        regular = self._timeline.newest.stamp + self.interval(traits)
        if now < min(regular, latest) - 0.5 * period:
            return ''
        return INTERVAL if regular <= latest else IN_TIME

    def committed(self, delay):
        """Number of ticks that pass within `delay` s, the present one included."""
        return math.ceil(delay / self._config.period - 1e-9)

    def planned(self, now, committed):
        """The `Selection`s of the ticks from `now` on if no chunk came, as far as chunks reach.

        Beyond the first `committed` ticks only as long as the plan does not change hands: what waits
        behind a jump is no plan that a new chunk should continue.
        """
        before = None
        for tick in itertools.count():
            selection = self._timeline.peek(now + tick * self._config.period)
            if selection is None or (tick >= max(committed, 1) and not selection.shares(before)):
                return
            yield selection
            before = selection

    def interval(self, traits):
        """s between requests; by default a quarter of a chunk in `latest`, an eighth in `ensemble`.

        Args:
            traits: the policy's `PolicyTraits`, or None while it is unknown.
        """
        newest = self._timeline.newest
        horizon = newest.horizon if newest else traits.horizon if traits else 1
        if self._config.mode == 'latest':
            return self._config.replan_interval or replan_rows(horizon) * self._config.period
        return self._config.ensemble_interval or max(horizon // 8, 1) * self._config.period
