"""An operator takes over and hands back: no step beyond the limits, old chunks never run again."""

import numpy as np
import pytest
from core_support import EPISODE, PERIOD, REST, SPREAD, chunk, drive, executor, line, tick
from hypothesis import given
from hypothesis import strategies as st

from kiwi_policy.core.executor import ChunkExecutor, ExecutorConfig, ExecutorError, PolicyTraits, Source, State
from kiwi_policy.core.features import BASE, DIM, NAMES, POSITIONS
from kiwi_policy.core.limits import Limits
from kiwi_policy.core.takeover import REASONS, OperatorCommand

LIMITS = Limits()
STEP = np.array(LIMITS.joint_speed) * PERIOD
PUSH = np.array(LIMITS.base_acceleration) * PERIOD
FAR = np.array([80.0, -50.0, 40.0, 30.0, -60.0, 90.0, 0.3, -0.3, 90.0])


def order(at=0.0, values=FAR, engaged=True, operator='anna', names=NAMES, stamp=None):
    return OperatorCommand(tick(at) if stamp is None else stamp, engaged, operator, names, np.asarray(values, float))


def running(mode='latest', ticks=12, delay=2):
    """An executor in the middle of chunks and the commands so far."""
    ex = executor(mode=mode)
    commands, _, _ = drive(ex, ticks, lambda _request, number: line(number, 16, 1.0, 0.2), delay)
    assert ex.state is State.RUNNING
    return ex, commands


def operate(ex, first, ticks, values=FAR, operator='anna'):
    """Ticks with a held dead-man, requests and all; returns the commands."""
    commands = []
    for number in range(first, first + ticks):
        assert ex.takeover.take(order(number, values, operator=operator), tick(number)).accepted
        assert ex.request(tick(number)) is None
        commands.append(ex.step(tick(number), REST))
    return commands


def assert_smooth(commands):
    values = np.array([command.values for command in commands])
    steps = np.abs(np.diff(values, axis=0))
    assert np.all(steps[:, POSITIONS] <= STEP + 1e-6), steps[:, POSITIONS].max(axis=0)
    assert np.all(steps[:, BASE] <= PUSH + 1e-6), steps[:, BASE].max(axis=0)


@pytest.mark.parametrize('mode', ['sync', 'latest', 'ensemble'])
@pytest.mark.parametrize('release', ['says so', 'falls silent'])
def test_engage_drive_release_and_resume_stay_within_the_limits(mode, release):
    ex, commands = running(mode)
    driven = operate(ex, 12, 30)
    assert {command.source for command in driven} == {Source.OPERATOR}
    assert (driven[0].run_id, driven[0].index, driven[0].takeover) == (0, -1, False)
    np.testing.assert_allclose(driven[-1].values, FAR)
    assert ex.state is State.TAKEOVER and ex.status(tick(41)).reason == 'anna drives'
    if release == 'says so':
        assert ex.takeover.take(order(42, engaged=False, values=[], names=()), tick(42)).accepted
    after, requests, _ = drive(ex, 60, lambda _request, number: line(number, 16, 1.0, 0.2), 3, first=42)
    assert_smooth([*commands, *driven, *after])
    held = next(index for index, command in enumerate(after) if command.source is not Source.OPERATOR)
    assert held == 0 if release == 'says so' else held in (5, 6), '0.2 s at 30 Hz'
    assert requests[0].stamp == pytest.approx(tick(42 + held)), 'asked at once'
    waiting = after[held:held + 3]
    assert all(command.source is Source.HOLD for command in waiting)
    for command in waiting:
        np.testing.assert_allclose(command.values[POSITIONS], FAR[POSITIONS])
    speeds = [np.abs(command.values[BASE]) for command in waiting]
    assert np.all(speeds[0] > speeds[1]) and np.all(speeds[1] > speeds[2]), 'the base decays, it does not stop dead'
    assert Source.CHUNK in {command.source for command in after}


def test_a_waiting_base_comes_to_rest():
    ex, _ = running()
    operate(ex, 12, 30)
    commands = []
    for number in range(42, 62):
        ex.request(tick(number))
        commands.append(ex.step(tick(number), REST))
    assert ex.state is State.WAITING and np.all(commands[-1].values[BASE] == 0.0)
    assert 'anna was silent' in ex.status(tick(62)).reason


def test_chunks_from_before_the_release_never_run():
    ex, _ = running()
    kept = len(ex._timeline)
    operate(ex, 12, 5)
    assert kept and ex.status(tick(17)).dropped == kept
    while_driving = ex.add(chunk(15, actions=line(15, 40), chunk_id=90), tick(17))
    ex.takeover.take(order(17, engaged=False), tick(17))
    ex.request(tick(17))
    late = ex.add(chunk(16, actions=line(16, 40), chunk_id=91), tick(18))
    assert (while_driving.reason, late.reason) == ('takeover', 'takeover')
    assert 'anna drives' in while_driving.detail and 'before the operator handed back' in late.detail
    assert ex.step(tick(18), REST).source is Source.HOLD
    assert ex.add(chunk(17, actions=line(17, 40), chunk_id=92), tick(19)).accepted
    assert ex.step(tick(19), REST).source in (Source.CHUNK, Source.RAMP)
    status = ex.status(tick(19))
    assert status.reject_counts['takeover'] == 2


def test_the_executor_ramps_from_where_the_operator_left_the_arm():
    ex, _ = running()
    operate(ex, 12, 40)
    after, _, _ = drive(ex, 80, lambda _request, _number: np.tile(REST, (16, 1)), 2, first=52)
    sources = [command.source for command in after]
    assert Source.RAMP in sources and sources.index(Source.RAMP) < sources.index(Source.CHUNK)
    ramps = [command for command in after if command.source is Source.RAMP]
    assert all(np.all(np.abs(command.values[BASE]) < 0.31 * np.array([1, 1, 300])) for command in ramps)
    np.testing.assert_allclose(after[-1].values, REST, atol=1e-9)
    assert_smooth(after)


def test_a_short_way_back_is_faded_like_any_seam():
    ex, commands = running()
    there = commands[-1].values + np.array([4.0] * 5 + [0.0] * 4)
    there[BASE] = 0.0
    driven = operate(ex, 12, 6, there)
    goal = driven[-1].values - np.array([4.0] * 5 + [0.0] * 4)
    after, _, _ = drive(ex, 14, lambda _request, _number: np.tile(goal, (16, 1)), 1, first=18)
    first = next(i for i, command in enumerate(after) if command.source is Source.CHUNK)
    before = after[first - 1].values
    assert np.abs(after[first].values - before)[:5].max() <= 4.0 / 5 + 1e-6


@pytest.mark.parametrize('state', ['IDLE', 'STOPPED', 'FAULT', 'MOVING', 'LIMP'])
def test_nobody_takes_over_outside_an_episode(state):
    ex = executor()
    if state in ('IDLE', 'MOVING', 'LIMP'):
        ex.end()
    if state == 'STOPPED':
        ex.stop()
    if state == 'FAULT':
        ex.fault('test')
    if state == 'MOVING':
        ex.operator.move_to('start', np.zeros(6), 10.0, FAR, tick(0))
    if state == 'LIMP':
        ex.operator.release()
    verdict = ex.takeover.take(order(1), tick(1))
    assert not verdict.accepted and verdict.reason == 'inactive' and state in verdict.detail
    assert ex.step(tick(1), FAR).source is not Source.OPERATOR
    assert ex.state is State[state]


def test_a_stop_ends_a_takeover_and_stays():
    ex, _ = running()
    operate(ex, 12, 10)
    ex.stop('stop requested')
    assert not ex.takeover.take(order(22), tick(22)).accepted
    command = ex.step(tick(22), REST)
    assert (command.source, ex.state) == (Source.HOLD, State.STOPPED) and np.all(command.values[BASE] == 0.0)
    ex.reset()
    ex.begin('episode-2', REST, tick(23))
    ex.request(tick(23))
    assert ex.step(tick(23), REST).source is Source.HOLD, 'what was sent in the old episode is forgotten'
    assert ex.status(tick(23)).operator_takeovers == 0


def test_a_bad_state_is_a_fault_while_an_operator_drives():
    ex, _ = running()
    operate(ex, 12, 3)
    ex.step(tick(15), np.full(DIM, np.nan))
    assert ex.state is State.FAULT


def test_derating_slows_the_operator_too():
    ex, commands = running()
    ex.operator.derate(np.zeros(6), 0.5)
    driven = operate(ex, 12, 10)
    np.testing.assert_allclose(driven[-1].values[POSITIONS], commands[-1].values[POSITIONS])
    np.testing.assert_allclose(driven[-1].values[BASE], 0.5 * FAR[BASE])
    assert all(command.clamped for command in driven)


@pytest.mark.parametrize(('reason', 'changes'), [
    ('not_finite', {'values': [np.nan] + [0.0] * 8}), ('not_finite', {'values': [0.0] * 8 + [np.inf]}),
    ('wrong_names', {'names': NAMES[::-1]}), ('wrong_names', {'names': ()}),
    ('wrong_shape', {'values': np.zeros(8)}), ('wrong_shape', {'values': np.zeros((1, 9))}),
])
def test_bad_commands_are_refused_counted_and_count_as_silence(reason, changes):
    assert reason in REASONS
    ex, _ = running()
    operate(ex, 12, 3)
    for number in range(15, 25):
        verdict = ex.takeover.take(order(number, **changes), tick(number))
        assert (verdict.accepted, verdict.reason) == (False, reason) and verdict.detail
        ex.request(tick(number))
        ex.step(tick(number), REST)
    assert ex.state is State.WAITING
    assert ex.status(tick(25)).operator_refused == {reason: 10}


def test_a_command_out_of_order_or_of_someone_else_does_not_drive():
    ex, _ = running()
    operate(ex, 12, 3)
    assert ex.takeover.take(order(15, operator='ben'), tick(15)).reason == 'other_operator'
    assert ex.takeover.take(order(15, stamp=tick(5)), tick(15)).reason == 'older'
    ex.takeover.take(order(15, operator='ben', engaged=False), tick(15))
    assert ex.step(tick(15), REST).source is Source.OPERATOR, 'only who drives can hand back'
    ex.takeover.take(order(16, engaged=False), tick(16))
    ex.step(tick(16), REST)
    assert ex.state is State.WAITING
    assert ex.takeover.take(order(17, operator='ben', stamp=3.0), tick(17)).accepted, 'the clocks of two need not agree'
    assert ex.step(tick(17), REST).source is Source.OPERATOR
    assert ex.status(tick(17)).reason == 'ben drives' and ex.status(tick(17)).operator_takeovers == 2


def test_the_episode_is_kept_and_counted_on():
    ex, _ = running()
    before = ex.status(tick(12))
    operate(ex, 12, 9)
    status = ex.status(tick(21))
    assert status.episode_id == EPISODE and status.ticks == before.ticks + 9
    assert (status.accepted, status.operator_takeovers) == (before.accepted, 1)
    assert status.operator_seconds == pytest.approx(9 * PERIOD)
    with pytest.raises(ExecutorError):
        ex.begin('other', REST, tick(21))
    ex.end()
    assert ex.state is State.IDLE


def test_an_episode_can_begin_under_an_operator_without_a_policy():
    ex = ChunkExecutor(ExecutorConfig())
    ex.begin(EPISODE, REST, tick(0))
    assert operate(ex, 0, 3)[0].source is Source.OPERATOR


@pytest.mark.parametrize('timeout', [0.0, -1.0, np.nan, np.inf])
def test_the_timeout_is_positive(timeout):
    with pytest.raises(ValueError, match='takeover timeout'):
        ChunkExecutor(ExecutorConfig(), timeout)


def test_the_timeout_counts_from_the_receipt():
    ex = ChunkExecutor(ExecutorConfig(), 0.5)
    ex.set_policy(PolicyTraits(16, 16, SPREAD))
    ex.begin(EPISODE, REST, tick(0))
    ex.takeover.take(order(0), tick(0))
    driven = [ex.step(tick(number), REST).source is Source.OPERATOR for number in range(20)]
    assert driven == [number * PERIOD <= 0.5 for number in range(20)]


@given(st.lists(st.tuples(st.sampled_from(['hold', 'release', 'silence', 'bad']), st.integers(1, 12),
                          st.integers(0, 2**31)), max_size=12))
def test_any_sequence_of_operators_and_silence_is_smooth(phases):
    ex, commands = running()
    number = 12
    flying = []
    for what, ticks, seed in phases:
        rng = np.random.default_rng(seed)
        values = rng.normal(size=DIM) * [60, 60, 60, 60, 60, 50, 0.3, 0.3, 60]
        for _ in range(ticks):
            if what == 'hold':
                ex.takeover.take(order(number, values), tick(number))
            elif what == 'release':
                ex.takeover.take(order(number, engaged=False), tick(number))
            elif what == 'bad':
                ex.takeover.take(order(number, np.full(DIM, np.nan)), tick(number))
            request = ex.request(tick(number))
            if request is not None:
                flying.append((number + 2, chunk(number, actions=line(number, 16, 2.0), chunk_id=request.request_id)))
            for arrival, answer in flying:
                if arrival == number:
                    ex.add(answer, tick(number))
            commands.append(ex.step(tick(number), REST))
            number += 1
    values = np.array([command.values for command in commands])
    assert np.all(np.abs(np.diff(values, axis=0))[:, POSITIONS] <= STEP + 1e-6)
    assert np.all(np.abs(values[:, BASE]) <= np.array(LIMITS.base_speed) + 1e-9)
    operated = [command for command in commands if command.source is Source.OPERATOR]
    assert ex.takeover.ticks == len(operated) and ex.takeover.count <= len(operated)
