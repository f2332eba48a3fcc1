"""From the takeover/command topic to the control thread: the newest command waits, whatever the sender's rate."""

import threading
import time

from kiwi_policy.core.messages import operator_command_of


class TakeoverInbox:
    """Hands an operator's newest command to the core before the next tick, with the time of its receipt.

    Args:
        submit: `ControlLoop.submit`.
        takeover: the core's `Takeover`.
        tell: called with (level, text); a refusal is told once until a command is taken again.
    """

    def __init__(self, submit, takeover, tell):
        self._submit, self._takeover, self._tell = submit, takeover, tell
        self._lock = threading.Lock()
        self._newest = None         # (OperatorCommand, s of its receipt)
        self._refusal = ''

    def put(self, message):
        """Take in a TakeoverCommand message, from any thread."""
        received = time.monotonic()
        command = operator_command_of(message)
        with self._lock:
            waits = self._newest is not None
            self._newest = command, received
        if not waits:
            self._submit(self._deliver)

    def _deliver(self, _now, _measured):
        with self._lock:
            (command, received), self._newest = self._newest, None
        verdict = self._takeover.take(command, received)
        if not verdict.accepted and verdict.reason != self._refusal:
            self._tell('warning', f'takeover command refused, {verdict.reason}: {verdict.detail}')
        self._refusal = verdict.reason
