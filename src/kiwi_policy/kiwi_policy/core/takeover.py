"""An operator drives during an episode: whose commands count, for how long, and how the policy gets the robot back.

    ex.takeover.take(command, now)      # at the control rate, while the operator holds the dead-man
    command = ex.step(now, state)       # follows the operator, through the limits

The operator's values go through the limiter like everything else, from the last command on: taking over and handing
back are no jumps. The dead-man is released by a command that says so, or by silence. From then on the arm
holds and the base decays to rest until a chunk made after the release comes.
"""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np

from kiwi_policy.core.features import DIM
from kiwi_policy.core.records import Command, Verdict
from kiwi_policy.core.states import Source, State

TIMEOUT = 0.2
"""s of silence after which the dead-man counts as released, unless said otherwise."""

REASONS = ('inactive', 'wrong_names', 'wrong_shape', 'not_finite', 'older', 'other_operator')
"""Why a command was refused: inactive (no episode runs, stopped or at fault), wrong_names, wrong_shape, not_finite
(NaN or infinite), older (sent before one already taken), other_operator (someone else drives). A refused command counts
as silence."""


@dataclass(frozen=True)
class OperatorCommand:
    """What an operator sends.

    Attributes:
        stamp: s on the operator's own clock; only the order counts.
        engaged: the dead-man is held. Without it names and values do not matter.
        operator: who drives, for people.
        names: must be the executor's.
        values: (9,) in LeRobot's units.
    """

    stamp: float
    engaged: bool
    operator: str
    names: tuple
    values: np.ndarray


class Takeover:
    """Part of a `ChunkExecutor`.

    Args:
        names: the action names that a command must carry.
        machine: the executor's `Machine`.
        limiter: its `Limiter`.
        timeout: s after the receipt of a command from which on it counts no more, > 0.

    Attributes:
        count: how often an operator took over in this episode.
        ticks: at which an operator drove.
        refused: Counter of refused commands by one of `REASONS`.
        released_at: s of the tick of the last hand-back of this episode, -inf before the first.

    Raises:
        ValueError: for a timeout that is not a positive number.
    """

    def __init__(self, names, machine, limiter, timeout=TIMEOUT):
        if not (math.isfinite(timeout) and timeout > 0):
            raise ValueError(f'the takeover timeout must be finite and > 0 s, got {timeout!r}')
        self._names, self._machine, self._limiter, self._timeout = names, machine, limiter, timeout
        self.begin()

    def begin(self):
        """Forget commands and counters: an episode begins."""
        self._command, self._received = None, -math.inf
        self.count = self.ticks = 0
        self.refused = Counter()
        self.released_at = -math.inf

    @property
    def handed_back(self):
        """True once an operator has handed back in this episode."""
        return self.released_at > -math.inf

    def take(self, command, received):
        """Take in an `OperatorCommand` received at `received` (s); returns a `Verdict`.

        Where no episode runs, a command with the dead-man held is refused and forgotten.
        """
        fault = self._fault(command)
        if fault is not None:
            self.refused[fault[0]] += 1
            return Verdict(False, *fault)
        if command.engaged or self._drives(command.operator):
            self._command, self._received = command, received
        return Verdict(True)

    def change(self, now):
        """Take over or hand back at the tick at `now` (s), where it is due. Returns True where it happened."""
        held = self._held(now)
        if not self._machine.active or held == (self._machine.state is State.TAKEOVER):
            return False
        if held:
            self.count += 1
            self._machine.enter(State.TAKEOVER, f'{_name(self._command)} drives')
            return True
        what = 'was silent' if self._command.engaged else 'handed back'
        self.released_at = now
        self._machine.enter(State.WAITING, f'{_name(self._command)} {what}: waiting for a fresh chunk')
        self._command = None
        return True

    def follow(self, last):
        """The `Command` of a tick at which the operator drives, given the command before, (9,)."""
        self.ticks += 1
        values, clamped = self._limiter.clamp(self._command.values, last)
        return Command(values, Source.OPERATOR, clamped=clamped)

    def settle(self, wanted, last):
        """(9,) `wanted`, after a hand-back within the limits as seen from the command before, (9,)."""
        return self._limiter.clamp(wanted, last)[0] if self.handed_back else wanted

    def chunk_fault(self, chunk, tolerance):
        """Why a chunk must not run for an operator's sake, in words; '' where it may.

        Args:
            chunk: the `Chunk`.
            tolerance: s by which a chunk may be older than the hand-back.
        """
        if self._machine.state is State.TAKEOVER:
            return f'the policy does not drive: {self._machine.reason}'
        if chunk.stamp < self.released_at - tolerance:
            return f'made {self.released_at - chunk.stamp:.3f} s before the operator handed back'
        return ''

    def _held(self, now):
        command = self._command
        return command is not None and command.engaged and now - self._received <= self._timeout

    def _drives(self, operator):
        return self._command is not None and self._command.operator == operator

    def _fault(self, command):
        if not command.engaged:
            return None
        machine, newest = self._machine, self._command
        if not machine.active:
            return 'inactive', (f'the executor is {machine.state.name} ({machine.reason}): an operator takes over '
                                f'during an episode only')
        if tuple(command.names) != self._names:
            return 'wrong_names', f'names {tuple(command.names)}, expected {self._names}'
        if np.shape(command.values) != (DIM,):
            return 'wrong_shape', f'{np.size(command.values)} values, expected {DIM}'
        if not np.all(np.isfinite(command.values)):
            bad = [f'{name} {value}' for name, value in zip(self._names, command.values) if not math.isfinite(value)]
            return 'not_finite', f'values that are not finite: {", ".join(bad)}'
        if machine.state is State.TAKEOVER and newest is not None:
            if newest.operator != command.operator:
                return 'other_operator', f'{_name(command)} has to wait: {_name(newest)} drives'
            if command.stamp < newest.stamp:
                return 'older', f'sent {newest.stamp - command.stamp:.3f} s before one already taken'
        return None


def _name(command):
    return command.operator or 'an operator without a name'
