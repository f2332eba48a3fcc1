"""What the bridge lets through to the robot, and when it brings the base to rest by itself."""

import numpy as np

from kiwi_policy.core import features


class CommandGate:
    """Passes the executor's commands on while it speaks, then a base at rest for a while, then nothing.

    Args:
        command_timeout: s without a command after which the base is brought to rest; an older command is
            not passed on.
        rest_seconds: s for which a base at rest is then commanded.
        rest_interval: s between those commands.
    """

    def __init__(self, command_timeout=0.15, rest_seconds=1.0, rest_interval=1.0 / 30.0):
        self._timeout, self._rest_seconds, self._rest_interval = command_timeout, rest_seconds, rest_interval
        self._waiting = None            # (9,) not yet passed on
        self._passed = None             # (9,) passed on last
        self._heard = -np.inf           # s, time of the newest command
        self._rests_since = self._next_rest = None
        self.passed = self.late = self.rests = 0

    def offer(self, values, sent, now):
        """Take in a command.

        Args:
            values: (9,).
            sent: s, when the executor sent it.
            now: s.
        """
        if now - sent > self._timeout:
            self.late += 1
            return
        self._waiting, self._heard = values, sent

    def due(self, now, seen):
        """What to send at `now` (s): (9,), or None.

        Args:
            now: s.
            seen: whether the robot's state is fresh. Without it the base does not drive.
        """
        if now - self._heard <= self._timeout:
            self._rests_since = None
            if self._waiting is None:
                return None
            values, self._waiting = self._waiting, None
            self._passed = values if seen else at_rest(values)
            self.passed += 1
            return self._passed
        self._waiting = None
        return self._rest(now)

    def forget(self):
        """No host is connected: one that comes back is not to be sent to a goal from before."""
        self._passed = None

    def last_rest(self):
        """The last command passed on with the base at rest, (9,), or None where there was none."""
        return None if self._passed is None else at_rest(self._passed)

    def _rest(self, now):
        if self._passed is None:
            return None
        if self._rests_since is None:
            self._rests_since = self._next_rest = now
            self.rests += 1
        if now < self._next_rest or now - self._rests_since > self._rest_seconds:
            return None
        self._next_rest = now + self._rest_interval
        return at_rest(self._passed)


def at_rest(values):
    """A copy of (9,) with the base at rest."""
    values = np.array(values)
    values[features.BASE] = 0.0
    return values
