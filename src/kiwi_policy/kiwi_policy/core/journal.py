"""An executor that keeps what it is told between two ticks, and the way to tell it to another one again.

A recording of these events, of the ticks' times and measured states and of the chunks repeats every command.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from kiwi_policy.core.blind_base import BLIND, BlindBase
from kiwi_policy.core.executor import ChunkExecutor
from kiwi_policy.core.operator import Operator
from kiwi_policy.core.records import PolicyTraits
from kiwi_policy.core.takeover import TIMEOUT, OperatorCommand, Takeover


class Kind(IntEnum):
    """Kinds of events. The numbers are ExecutorEvent.msg's."""

    CHUNK = 0
    POLICY = 1
    RUNS = 2
    SPEED = 3
    DERATE = 4
    BEGIN = 5
    END = 6
    STOP = 7
    FAULT = 8
    RESET = 9
    MOVE = 10
    RELEASE = 11
    ENGAGE = 12
    OPERATOR = 13
    SILENCE = 14


STANDING = frozenset({Kind.POLICY, Kind.RUNS, Kind.SPEED, Kind.DERATE})
"""What holds beyond an episode; noted anew before each BEGIN, so that a replay can start there."""


@dataclass(frozen=True)
class Event:
    """Something an executor was told; what `ids`, `values` and `text` hold says ExecutorEvent.msg.

    A CHUNK has its (run_id, chunk_id) in `ids`.
    """

    kind: Kind
    ids: tuple = ()
    values: tuple = ()
    text: str = ''


class JournalledExecutor(ChunkExecutor):
    """A `ChunkExecutor` that keeps what it is told.

    Attributes:
        told: `Event`s between the last step and the one before it, in order. What it refused by raising is no event.
    """

    def __init__(self, config=None, takeover_timeout=TIMEOUT, blind_timeout=BLIND):
        super().__init__(config, takeover_timeout, blind_timeout)
        self.told, self._since = (), []
        self.operator = _JournalledOperator(self.config.limits, self._machine, self._limiter, self._note)
        self.takeover = _JournalledTakeover(self.config.names, self._machine, self._limiter, takeover_timeout,
                                            self._note)

        self.blind = _JournalledBlindBase(blind_timeout, self.config.period, self._note)

    def step(self, now, state):
        """As `ChunkExecutor.step`; `told` is what led to this command."""
        self.told, self._since = tuple(self._since), []
        return super().step(now, state)

    def set_policy(self, traits):
        super().set_policy(traits)
        self._note(_policy(traits))

    def recall_runs(self, ids):
        """Take over which policy runs and chunks were accepted before (the ids of a RUNS event)."""
        self._gatekeeper.recall(ids)
        self._note(Event(Kind.RUNS, ids=tuple(ids)))

    def begin(self, episode_id, state, now):
        super().begin(episode_id, state, now)
        policy = () if self._traits is None else (_policy(self._traits),)
        for event in (*policy, Event(Kind.RUNS, ids=self._gatekeeper.memory()), *self.operator.standing()):
            self._note(event)
        self._note(Event(Kind.BEGIN, text=episode_id))

    def end(self, reason='episode ended'):
        super().end(reason)
        self._note(Event(Kind.END, text=reason))

    def stop(self, reason='stop requested'):
        super().stop(reason)
        self._note(Event(Kind.STOP, text=reason))

    def fault(self, reason):
        super().fault(reason)
        self._note(Event(Kind.FAULT, text=reason))

    def reset(self):
        done = super().reset()
        if done:
            self._note(Event(Kind.RESET))
        return done

    def add(self, chunk, now):
        verdict = super().add(chunk, now)
        self._note(Event(Kind.CHUNK, ids=(chunk.run_id, chunk.chunk_id), values=(float(chunk.stamp),)))
        return verdict

    def _note(self, event):
        self._since.append(event)


class _JournalledOperator(Operator):
    """An `Operator` that notes what it is asked."""

    def __init__(self, limits, machine, limiter, note):
        super().__init__(limits, machine, limiter)
        self._note = note

    def standing(self):
        """Events that set the present speeds."""
        return Event(Kind.SPEED, values=(float(self._speed_scale),)), self._derate_event()

    def set_speed_scale(self, scale):
        super().set_speed_scale(scale)
        self._note(Event(Kind.SPEED, values=(float(scale),)))

    def derate(self, joints, base):
        before = self._derate_event()
        super().derate(joints, base)
        if self._derate_event() != before:
            self._note(self._derate_event())

    def move_to(self, name, pose, speed, state, now):
        seconds = super().move_to(name, pose, speed, state, now)
        self._note(Event(Kind.MOVE, values=(*map(float, pose), float(speed)), text=name))
        return seconds

    def release(self):
        super().release()
        self._note(Event(Kind.RELEASE))

    def engage(self):
        super().engage()
        self._note(Event(Kind.ENGAGE))

    def _derate_event(self):
        joints, base = self._derated
        joints = (joints,) * 6 if isinstance(joints, float) else joints
        return Event(Kind.DERATE, values=(*map(float, joints), float(base)))


class _JournalledTakeover(Takeover):
    """A `Takeover` that notes the commands it accepts."""

    def __init__(self, names, machine, limiter, timeout, note):
        super().__init__(names, machine, limiter, timeout)
        self._note = note

    def take(self, command, received):
        verdict = super().take(command, received)
        if verdict.accepted:
            held = (1.0, *map(float, command.values)) if command.engaged else (0.0,)
            values = (float(received), float(command.stamp), *held)
            self._note(Event(Kind.OPERATOR, values=values, text=command.operator))
        return verdict


class _JournalledBlindBase(BlindBase):
    """A `BlindBase` that notes the robot's silence."""

    def __init__(self, timeout, period, note):
        super().__init__(timeout, period)
        self._note = note

    def silence(self, seconds):
        super().silence(seconds)
        self._note(Event(Kind.SILENCE, values=(float(seconds),)))


def tell(executor, event, now, state, chunk=None):
    """Tell an executor again what another one was told.

    Args:
        executor: `JournalledExecutor`.
        event: `Event`.
        now: s, the tick before whose step it came.
        state: (9,) measured at that tick.
        chunk: for a CHUNK, the `Chunk`, stamped with the event's time.

    Raises:
        ExecutorError: this executor's state does not allow it.
    """
    values = event.values
    actions = {
        Kind.CHUNK: lambda: executor.add(chunk, now),
        Kind.POLICY: lambda: executor.set_policy(_traits(values)),
        Kind.RUNS: lambda: executor.recall_runs(event.ids),
        Kind.SPEED: lambda: executor.operator.set_speed_scale(values[0]),
        Kind.DERATE: lambda: executor.operator.derate(values[:6], values[6]),
        Kind.BEGIN: lambda: executor.begin(event.text, state, now),
        Kind.END: lambda: executor.end(event.text),
        Kind.STOP: lambda: executor.stop(event.text),
        Kind.FAULT: lambda: executor.fault(event.text),
        Kind.RESET: executor.reset,
        Kind.MOVE: lambda: executor.operator.move_to(event.text, values[:-1], values[-1], state, now),
        Kind.RELEASE: executor.operator.release,
        Kind.ENGAGE: executor.operator.engage,
        Kind.SILENCE: lambda: executor.blind.silence(values[0]),
        Kind.OPERATOR: lambda: executor.takeover.take(_command(event, executor.config.names), values[0]),
    }
    actions[event.kind]()


def _policy(traits):
    spread = () if traits.action_spread is None else map(float, traits.action_spread)
    numbers = traits.horizon, traits.n_action_steps or 0, traits.latency_p95
    return Event(Kind.POLICY, values=(*map(float, numbers), *spread))


def _traits(values):
    return PolicyTraits(horizon=int(values[0]), n_action_steps=int(values[1]) or None, latency_p95=values[2],
                        action_spread=values[3:] or None)


def _command(event, names):
    return OperatorCommand(event.values[1], bool(event.values[2]), event.text, names, np.array(event.values[3:]))
