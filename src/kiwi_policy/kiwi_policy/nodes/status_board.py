"""What the control thread leaves for the others: the present status and the news since last time."""

from collections import deque

from kiwi_policy.core.executor import State

SERIOUS = {State.STARVED: 'warning', State.STOPPED: 'warning', State.FAULT: 'error'}


class StatusBoard:
    """Written by the control thread only; readers take whole objects.

    Args:
        every: ticks between two statuses, beside every change of state.
    """

    def __init__(self, every):
        self._every = max(every, 1)
        self._ticks = 0
        self._key = None
        self._news = deque(maxlen=100)
        self.status = None
        self.stamp = 0
        self.episode_id = ''

    def on_tick(self, tick, core):
        """Note a tick; returns the `Status` to publish, None where it is not due."""
        self.stamp = tick.stamp
        self._ticks += 1
        changed = tick.state is not (self.status.state if self.status else None)
        if not changed and self._ticks % self._every:
            return None
        self.status = core.status(tick.now)
        self.episode_id = self.status.episode_id
        key = (self.status.state, self.status.reason)
        if key != self._key:
            self._key = key
            self._news.append((SERIOUS.get(self.status.state, 'info'), f'{key[0].name}: {key[1]}'))
        return self.status

    def renew(self):
        """Take the next tick for a change of state: an episode has begun."""
        self.status = None

    def on_verdict(self, verdict):
        """Note whether a chunk was accepted; one that comes after its episode, or for an operator too late, is no news."""
        if not verdict.accepted and verdict.reason not in ('inactive', 'takeover'):
            self._news.append(('warning', f'chunk refused, {verdict.reason}: {verdict.detail}'))

    def tell(self, level, text):
        """Leave a message for the log; `level` is info, warning or error."""
        self._news.append((level, text))

    def take_news(self):
        """(level, text) pairs since the last call."""
        news = []
        while self._news:
            news.append(self._news.popleft())
        return news
