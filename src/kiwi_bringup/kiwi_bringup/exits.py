"""What follows from the end of a process: start it again, or end the run, and with what status."""

import signal
from dataclasses import dataclass

from kiwi_bringup.process import OnExit, Process

RESPAWN_DELAY = 1.0  # s
SETTLED = 30.0  # s of life after which a process counts as having started well
EARLY_DEATHS = 3  # in a row, after which starting again is given up
MISCONFIGURED = 2  # status of a process that cannot run as it was configured

INTERRUPT_GRACE = 10.0  # s from SIGINT to SIGTERM
TERMINATE_GRACE = 5.0  # s from SIGTERM to SIGKILL


@dataclass(frozen=True)
class Verdict:
    """What to do: nothing, start it again, or end the run with the status `code`."""

    respawn: bool
    reason: str
    code: int = 0
    leave: bool = False


class ExitRules:
    """Decides for a whole run; remembers early deaths."""

    def __init__(self) -> None:
        self._early: dict[str, int] = {}

    def decide(self, process: Process, status: int, uptime: float) -> Verdict:
        """What follows.

        Args:
            process: the one that ended.
            status: its exit status, or minus the number of the signal that killed it.
            uptime: s since its start.
        """
        how = f'{process.name} {ending(status)} after {uptime:.0f} s'
        if process.on_exit is OnExit.ENDS:
            return Verdict(False, how, exit_code(status))
        if process.on_exit is OnExit.FAILS:
            return Verdict(False, f'{how}, and nothing can go on without it', exit_code(status) or 1)
        if process.on_exit is OnExit.LEFT:
            return Verdict(False, f'{how}; the run goes on without it', leave=True)
        if status == MISCONFIGURED:
            return Verdict(False, f'{process.name} cannot run as configured; its message is above', 1)
        early = self._early.get(process.name, 0) + 1 if uptime < SETTLED else 0
        self._early[process.name] = early
        if early >= EARLY_DEATHS:
            return Verdict(False, f'{how}, for the {early}. time in a row soon after its start', 1)
        return Verdict(True, f'{how}, starting it again')


def ending(status: int) -> str:
    """How a process ended, in words."""
    if status < 0:
        return f'was killed by {signal.Signals(-status).name}'
    return f'ended with status {status}'


def exit_code(status: int) -> int:
    """The shell's number for a status: 128 + signal where one killed the process."""
    return 128 - status if status < 0 else status
