"""A base drives only while the robot answers; the arm may go on for a while."""

from dataclasses import replace

from kiwi_policy.core.features import BASE

BLIND = 0.15        # s of silence, unless said otherwise
RECOVERY = 0.2      # s in which the base takes up its speed again


class BlindBase:
    """Brings the base to rest while the robot is silent, and back to its speed when it answers.

    Args:
        timeout: s of silence from which on the base rests.
        period: s between commands.

    Attributes:
        stops: how often it has stopped the base.
    """

    def __init__(self, timeout, period):
        if not (timeout > 0 and period > 0):
            raise ValueError(f'timeout and period must be > 0 s, got {timeout!r} and {period!r}')
        self._timeout, self._step = timeout, period / RECOVERY
        self._share, self._silent = 1.0, 0.0
        self.stops = 0

    def silence(self, seconds):
        """The robot has not answered for `seconds` s; holds for one command."""
        self._silent = seconds

    def apply(self, command):
        """The `Command` to send in place of `command`."""
        silent, self._silent = self._silent, 0.0
        if silent >= self._timeout:
            self.stops += self._share > 0.0 and bool(command.values[BASE].any())
            self._share = 0.0
        else:
            self._share = min(self._share + self._step, 1.0)
        if self._share == 1.0:
            return command
        values = command.values.copy()
        values[BASE] *= self._share
        return replace(command, values=values, clamped=True)
