"""Any order of calls: the executor stays safe and its counters add up."""

import numpy as np
from core_support import PERIOD, REST, SPREAD, START, chunk
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from kiwi_policy.core.executor import ChunkExecutor, ExecutorConfig, ExecutorError, PolicyTraits, State
from kiwi_policy.core.features import BASE, DIM, NAMES, POSITIONS
from kiwi_policy.core.states import ACTIVE, LATCHED, Source
from kiwi_policy.core.takeover import OperatorCommand

SOURCES = {State.IDLE: {Source.IDLE}, State.WAITING: {Source.HOLD}, State.RAMPING: {Source.RAMP},
           State.RUNNING: {Source.CHUNK}, State.STARVED: {Source.HOLD}, State.STOPPED: {Source.HOLD},
           State.FAULT: {Source.HOLD}, State.TAKEOVER: {Source.OPERATOR}}


class Machine(RuleBasedStateMachine):
    @initialize(mode=st.sampled_from(['sync', 'latest', 'ensemble']))
    def build(self, mode):
        self.ex = ChunkExecutor(ExecutorConfig(mode=mode, request_timeout=0.2))
        self.ex.set_policy(PolicyTraits(8, 8, SPREAD))
        self.limits = self.ex.config.limits
        self.now, self.chunk_id, self.episodes = START, 0, 0
        self.last = REST
        self.added = 0

    @rule()
    def begin(self):
        self.episodes += 1
        allowed = self.ex.state is State.IDLE
        try:
            self.ex.begin(f'episode-{self.episodes}', self.last, self.now)
            assert allowed
            self.episode, self.added = f'episode-{self.episodes}', 0
        except ExecutorError:
            assert not allowed

    @rule()
    def end(self):
        latched = self.ex.state in LATCHED
        self.ex.end()
        assert (self.ex.state in LATCHED) == latched

    @rule()
    def stop(self):
        self.ex.stop()
        assert self.ex.state in LATCHED

    @rule()
    def fault(self):
        self.ex.fault('test')
        assert self.ex.state is State.FAULT

    @rule()
    def reset(self):
        before = self.ex.state
        assert self.ex.reset() == (before in LATCHED)
        assert self.ex.state is (State.IDLE if before in LATCHED else before)

    @precondition(lambda self: self.ex.state in ACTIVE)
    @rule(back=st.integers(-1, 10), scale=st.floats(0, 200), step=st.integers(0, 3), seed=st.integers(0, 99),
          horizon=st.integers(1, 12), spoil=st.booleans())
    def add(self, back, scale, step, seed, horizon, spoil):
        self.chunk_id += step
        actions = np.random.default_rng(seed).normal(size=(horizon, DIM)) * scale
        if spoil and seed % 5 == 0:
            actions[0, seed % DIM] = np.nan
        offered = chunk(0, actions=actions, chunk_id=self.chunk_id, episode_id=self.episode,
                        stamp=self.now - back * PERIOD)
        verdict = self.ex.add(offered, self.now)
        self.added += 1
        assert verdict.accepted == (verdict.reason == '')
        assert not (verdict.accepted and np.isnan(actions).any())

    @rule(engaged=st.booleans(), seed=st.integers(0, 99), spoil=st.booleans())
    def operate(self, engaged, seed, spoil):
        values = np.random.default_rng(seed).normal(size=DIM) * 50.0
        if spoil:
            values[seed % DIM] = np.nan
        active = self.ex.state in ACTIVE
        verdict = self.ex.takeover.take(OperatorCommand(self.now, engaged, 'anna', NAMES, values), self.now)
        assert verdict.accepted == (not engaged or (active and not spoil))

    @rule(ticks=st.integers(1, 12), jitter=st.floats(-0.3, 0.3))
    def run(self, ticks, jitter):
        for _ in range(ticks):
            self.now += PERIOD * (1 + jitter)
            request = self.ex.request(self.now)
            if request is not None:
                assert self.ex.state in ACTIVE - {State.TAKEOVER}
                assert np.all(np.isfinite(request.committed)) and request.committed.shape[1:] == (DIM,)
            command = self.ex.step(self.now, self.last)
            self.check(command)
            self.last = command.values

    def check(self, command):
        assert command.source in SOURCES[self.ex.state]
        assert np.all(np.isfinite(command.values))
        step = np.array(self.limits.joint_speed) * PERIOD
        assert np.all(np.abs(command.values[POSITIONS] - self.last[POSITIONS]) <= step + 1e-6)
        assert np.all(np.abs(command.values[BASE]) <= np.array(self.limits.base_speed) + 1e-9)
        if self.ex.state in LATCHED | {State.IDLE} or (self.ex.state is State.WAITING and not self.ex.takeover.handed_back):
            assert np.all(command.values[BASE] == 0.0)
        if command.source is Source.CHUNK:
            assert command.index >= 0 and command.blended >= 1

    @invariant()
    def counters_add_up(self):
        if not hasattr(self, 'ex'):
            return
        status = self.ex.status(self.now)
        if self.ex.state in ACTIVE:
            assert status.accepted + status.rejected == self.added
        assert sum(status.reject_counts.values()) == status.rejected
        assert status.takeovers <= max(status.accepted, 0)
        assert status.queue_seconds >= 0.0


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
