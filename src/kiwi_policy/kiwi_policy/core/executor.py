"""The executor: one small state machine decides at every control tick what the arm does next.

    ex = ChunkExecutor(ExecutorConfig(mode='latest'))
    ex.begin('episode-1', state, now)
    every period:   request = ex.request(now)     # send it to the policy where it is not None
                    command = ex.step(now, state) # send it to the robot
    on a chunk:     verdict = ex.add(chunk, now)

It never reads a clock: `now` is the caller's monotonic time in s, and chunk stamps are in the same
time. `request` and `step` may be called in either order within a tick.
"""

from dataclasses import replace

import numpy as np

from kiwi_policy.core.alignment import late_rows
from kiwi_policy.core.blind_base import BLIND, BlindBase
from kiwi_policy.core.config import ExecutorConfig
from kiwi_policy.core.counters import Counters
from kiwi_policy.core.ensembling import blend
from kiwi_policy.core.episode_status import episode_status
from kiwi_policy.core.feasibility import check_latency
from kiwi_policy.core.features import DIM
from kiwi_policy.core.latency import LatencyTracker
from kiwi_policy.core.limits import Limiter, hold
from kiwi_policy.core.machine import ExecutorError, Machine
from kiwi_policy.core.operator import Operator, finite_state
from kiwi_policy.core.prefix import Prefix
from kiwi_policy.core.ramp import ramp_step
from kiwi_policy.core.records import Command, PolicyTraits, Request, Status, Verdict
from kiwi_policy.core.rejection import Gatekeeper
from kiwi_policy.core.requests import RequestBook
from kiwi_policy.core.resample import resample
from kiwi_policy.core.schedule import Schedule
from kiwi_policy.core.seams import Seam
from kiwi_policy.core.starvation import starve
from kiwi_policy.core.states import Source, State
from kiwi_policy.core.takeover import TIMEOUT, Takeover
from kiwi_policy.core.timeline import Timeline

__all__ = ['ChunkExecutor', 'Command', 'ExecutorConfig', 'ExecutorError', 'PolicyTraits', 'Request', 'Source',
           'State', 'Status', 'Verdict']


class ChunkExecutor:
    """Runs action chunks: alignment, blending, seams, limits, starvation, latched stop.

    Args:
        config: the settings.
        takeover_timeout: s of an operator's silence that hand back to the policy, > 0.
        blind_timeout: s without an answer of the robot from which on the base rests, > 0.

    Attributes:
        operator: `Operator`: speed, moves to poses, torque.
        takeover: `Takeover`: commands of an operator who drives during an episode.
        blind: `BlindBase`: to be told before a step how long the robot has been silent.
    """

    def __init__(self, config=None, takeover_timeout=TIMEOUT, blind_timeout=BLIND):
        self.config = config or ExecutorConfig()
        self._factors = self.config.blend.factors()
        self._limiter = Limiter(self.config.limits, self.config.period)
        self._timeline = Timeline(self.config.mode, self.config.gate_in_force(), self.config.max_live)
        self._gatekeeper = Gatekeeper(self.config)
        self._latency = LatencyTracker(assumed=self.config.initial_latency)
        self._requests = RequestBook(self.config.request_timeout, self._latency)
        self._schedule = Schedule(self.config, self._timeline, self._latency)
        self._seam = Seam(self.config.seam_ticks)
        self._counters = Counters()
        self._traits = None
        self._machine = Machine()
        self.operator = Operator(self.config.limits, self._machine, self._limiter)
        self.takeover = Takeover(self.config.names, self._machine, self._limiter, takeover_timeout)
        self.blind = BlindBase(blind_timeout, self.config.period)
        self._last = None               # (9,) last command
        self._running = None            # (9,) last command that came from a chunk
        self._starved_at = None         # s of the last tick that had an action

    def set_policy(self, traits):
        """Tell the executor what the policy is (`PolicyTraits`); at any time, also in an episode."""
        self._traits = traits
        self._timeline.spread = None if traits.action_spread is None else np.asarray(traits.action_spread, float)
        if traits.latency_p95 > 0 and not len(self._latency):
            self._latency.assumed = float(traits.latency_p95)

    def check_feasible(self):
        """A warning about the policy's delay, or ''; raises `Infeasible` where it is too slow (see `check_latency`)."""
        if self._traits is None or self.config.mode == 'sync':
            return ''
        delay = max(self._traits.latency_p95, self._latency.percentile(95) if len(self._latency) else 0.0)
        knob = 'replan_interval' if self.config.mode == 'latest' else 'ensemble_interval'
        return check_latency(delay, self._traits.horizon, self._schedule.interval(self._traits), self.config.period,
                             knob)

    def forget_latency(self):
        """Measure the delay anew, e.g. after a refusal: what slowed the policy down may have passed."""
        self._latency.clear()
        if self._traits is not None and self._traits.latency_p95 > 0:
            self._latency.assumed = float(self._traits.latency_p95)

    def begin(self, episode_id, state, now):
        """Start an episode: clear chunks and counters, latch the measured pose, wait for a chunk.

        Args:
            episode_id: unique, not empty.
            state: (9,) measured, finite.
            now: s.

        Raises:
            ExecutorError: where the executor is not IDLE.
            ValueError: for an empty id or a state that is not nine finite values.
        """
        self._machine.require_idle('an episode')
        if not episode_id:
            raise ValueError('episode_id must not be empty')
        state = finite_state(state)
        self._machine.episode_id = episode_id
        self._timeline.clear()
        self._gatekeeper.begin()
        self._requests.begin()
        self._seam.clear()
        self.takeover.begin()
        self._counters = Counters()
        self._last = self._running = hold(state)
        self._starved_at = now
        self._machine.enter(State.WAITING, 'waiting for the first chunk')

    def end(self, reason='episode ended'):
        """End the episode: no further requests, nothing commanded. A latched stop stays latched."""
        if self._machine.active:
            self._machine.enter(State.IDLE, reason)
        self._timeline.clear()

    def stop(self, reason='stop requested'):
        """Latched stop: the arm holds, the base rests until `reset`."""
        if self.state not in (State.FAULT, State.LIMP):
            self._machine.enter(State.STOPPED, reason)
        self._timeline.clear()

    def fault(self, reason):
        """Latched like a stop, after a bus or state fault."""
        self._machine.enter(State.FAULT, reason)
        self._timeline.clear()

    def reset(self):
        """Leave STOPPED or FAULT for IDLE. Returns False where neither was latched."""
        if not self._machine.latched:
            return False
        self._machine.enter(State.IDLE, 'reset')
        return True

    def add(self, chunk, now):
        """Take in a chunk at time `now` (s).

        Returns:
            a `Verdict`; a refused chunk changes nothing but its counter.
        """
        verdict = self._judge(chunk, now)
        self._requests.answer(chunk.stamp, now, 0.5 * self.config.period)
        if not verdict.accepted:
            return verdict
        chunk = replace(chunk, actions=np.array(chunk.actions, dtype=float))
        if abs(chunk.period - self.config.period) > 1e-3 * self.config.period and self.config.resample:
            chunk = resample(chunk, self.config.period)
        if self.config.mode == 'sync':
            chunk = replace(chunk, actions=chunk.actions[:self._action_steps(chunk.horizon)])
        else:
            self._counters.skipped += late_rows(chunk, now)
        self._counters.accepted += 1
        self._counters.dissents += not self._timeline.add(chunk, now)
        return verdict

    def request(self, now):
        """A `Request` where one is due at the tick at `now` (s), else None.

        `sync` asks when the chunk has run out. `latest` and `ensemble` ask every interval, but
        early enough that the answer comes before the committed chunk runs out. A request that
        stays unanswered is asked again. While an operator drives nothing is asked.
        """
        self._change_hands(now)
        if not self._machine.autonomous or not self._requests.ready(now):
            return None
        cause = self._schedule.due(now, self._traits)
        if not cause:
            return None
        delay = self._latency.percentile(95)
        committed = self._schedule.committed(delay)
        rows = [self._blend(selection.rows()) for selection in self._schedule.planned(now, committed)]
        prefix = Prefix(np.array(rows).reshape(-1, DIM), min(committed, len(rows)))
        return Request(self._requests.issue(now, cause), now, self._machine.episode_id, self.config.period, prefix, delay)

    def step(self, now, state):
        """The `Command` for the tick at `now` (s), given the measured state (9,).

        Call it once per tick. A state that is not nine finite values is a fault.
        """
        return self.blind.apply(self._decide(now, state))

    def _decide(self, now, state):
        state = np.asarray(state, dtype=float)
        if state.shape != (DIM,) or not np.all(np.isfinite(state)):
            if self._machine.active or self.state is State.MOVING:
                self.fault(f'the measured state is not {DIM} finite values: {state.tolist()}')
            state = np.zeros(DIM) if self._last is None else self._last
        if self.state in (State.IDLE, State.LIMP):
            self._last = hold(state)
            return Command(self._last, Source.IDLE)
        if self.state is State.MOVING:
            command = self.operator.follow(now, state)
            self._last = command.values
            return command
        if self._last is None:
            self._last = hold(state)
        if self._machine.latched:
            self._last = hold(self._last)
            return Command(self._last, Source.HOLD)
        self._counters.ticks += 1
        self._change_hands(now)
        if self.state is State.TAKEOVER:
            command = self.takeover.follow(self._last)
            self._counters.clamped += command.clamped
            self._last, self._running, self._starved_at = command.values, command.values, now
            return command
        selection = self._timeline.advance(now)
        if selection is None:
            return self._without_actions(now)
        return self._run(selection, now)

    def status(self, now):
        """Frozen `Status` of this episode at `now` (s)."""
        return episode_status(now, self.config, self._machine, self._counters, self._gatekeeper, self._timeline,
                              self._latency, self._requests, self.takeover)

    @property
    def state(self):
        """The present `State`."""
        return self._machine.state

    def _judge(self, chunk, now):
        if not self._machine.active:
            return self._gatekeeper.refuse('inactive', f'the executor is {self.state.name} ({self._machine.reason})')
        operator = self.takeover.chunk_fault(chunk, 0.5 * self.config.period)
        if operator:
            return self._gatekeeper.refuse('takeover', operator)
        if self.config.mode == 'sync' and self._timeline.peek(now) is not None:
            return self._gatekeeper.refuse('unasked', 'in sync a chunk is taken only when the last one has run out')
        return self._gatekeeper.check(chunk, self._machine.episode_id, now)

    def _run(self, selection, now):
        planned = self._blend(selection.rows())
        if self.state is State.RUNNING:         # rows of the plan that no tick ran because ticks were missed
            self._counters.skipped += max(round((now - self._starved_at) / self.config.period) - 1, 0)
        self._counters.executed += 1
        self._counters.blended += len(selection.chunks)
        self._counters.takeovers += selection.takeover
        source = Source.CHUNK
        if self.state in (State.WAITING, State.RAMPING):
            wanted, arrived = ramp_step(self._last, planned, self.config.ramp_speed * self.config.period)
            if arrived:
                if self.takeover.handed_back:
                    self._seam.start(self._last, self._blend(selection.rows_before()))
                wanted = self._seam.apply(planned)
                self._machine.enter(State.RUNNING, 'executing chunks')
            else:
                self._machine.enter(State.RAMPING, 'moving to where the chunk begins')
                source = Source.RAMP
        else:
            if self.state is State.STARVED:
                self._machine.enter(State.RUNNING, 'executing chunks')
            if selection.jump:
                self._seam.start(self._last, self._blend(selection.rows_before()))
            wanted = self._seam.apply(planned)
        command, clamped = self._limiter.clamp(wanted, self._last)
        self._counters.clamped += clamped
        self._last = self._running = command
        self._starved_at = now
        newest = selection.chunks[-1]
        return Command(command, source, newest.run_id, newest.chunk_id, selection.indices[-1],
                       len(selection.chunks), selection.takeover, clamped)

    def _without_actions(self, now):
        if self.state is State.WAITING:
            return self._rest(now)
        if self.state is not State.STARVED:
            self._counters.underruns += 1
            self._seam.clear()
            sync = self.config.mode == 'sync'
            self._machine.enter(State.STARVED, 'sync pause: waiting for the next chunk' if sync else 'ran out of actions')
        self._counters.starved_ticks += 1
        return self._rest(now)

    def _rest(self, now):
        wanted = starve(self._running, now - self._starved_at, self.config.decay_seconds, self.config.decay)
        self._last = self.takeover.settle(wanted, self._last)
        return Command(self._last, Source.HOLD)

    def _change_hands(self, now):
        """Where an operator takes over or hands back at this tick, what was planned before is over."""
        if self.takeover.change(now):
            self._counters.dropped += len(self._timeline)
            self._timeline.clear()
            self._seam.clear()
            self._requests.forget()

    def _blend(self, rows):
        return blend(rows, self.config.ensemble_coeff, self.config.favor, self._factors)

    def _action_steps(self, horizon):
        wanted = self.config.n_action_steps or (self._traits.n_action_steps if self._traits else None) or horizon
        return min(wanted, horizon)
