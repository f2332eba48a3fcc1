"""When to ask the policy for a chunk, and which requests are still unanswered."""

from collections import Counter, deque


class RequestBook:
    """Keeps the one outstanding request; a request that stays unanswered may be asked again.

    Args:
        timeout: s after which a request counts as lost.
        latency: `LatencyTracker` that learns from the answers.
    """

    def __init__(self, timeout, latency):
        self._timeout = timeout
        self._latency = latency
        self._next_id = 1
        self.begin()

    def begin(self):
        """Forget outstanding requests and counters; request ids go on."""
        self._open = deque(maxlen=8)        # stamps still unanswered, oldest first
        self._stamps = deque(maxlen=64)
        self.lost = 0
        self.causes = Counter()

    def ready(self, now):
        """True where no request is outstanding, or the last one is overdue."""
        return not self._open or now - self._open[-1] >= self._patience()

    def issue(self, now, cause=''):
        """Note a request at `now` (s) for this `cause` and return its id."""
        self.causes[cause] += 1
        if self._open:
            self.lost += 1
        self._open.append(now)
        self._stamps.append(now)
        request_id = self._next_id
        self._next_id += 1
        return request_id

    def forget(self):
        """Await no answer to what was asked."""
        self._open.clear()

    def answer(self, stamp, now, tolerance):
        """A chunk made from the state at `stamp` came at `now`: it answers every request up to then.

        The policy may have waited for images and seen a later state than the request's.
        """
        asked = None
        while self._open and self._open[0] <= stamp + tolerance:
            asked = self._open.popleft()
        if asked is not None:
            self._latency.add(now - asked)

    def mean_interval(self):
        """Mean s between the last requests, 0 before the second."""
        if len(self._stamps) < 2:
            return 0.0
        return (self._stamps[-1] - self._stamps[0]) / (len(self._stamps) - 1)

    def _patience(self):
        return max(self._timeout, 2.0 * self._latency.percentile(95))
