import numpy as np
import pytest
from core_support import PERIOD, REST, chunk, drive, executor, line, tick
from hypothesis import given, settings
from hypothesis import strategies as st
from kiwi_policy.core.alignment import late_rows, live, row_at, row_before, rows_left
from kiwi_policy.core.states import Source


@given(st.integers(0, 200), st.floats(-0.49, 0.49))
def test_jitter_below_half_a_period_rounds_to_the_tick(number, jitter):
    assert row_at(chunk(0), tick(number) + jitter * PERIOD) == number


@given(st.floats(-3.0, 3.0))
def test_the_row_that_runs_is_due_within_half_a_period(ahead):
    some = chunk(0)
    now = some.stamp + ahead
    assert abs(now - some.due(row_at(some, now))) <= 0.5 * PERIOD + 1e-9


def test_rows_past_and_left():
    some = chunk(0, horizon=8)
    assert (late_rows(some, tick(-1)), rows_left(some, tick(-1))) == (0, 8)
    assert (late_rows(some, tick(3)), rows_left(some, tick(3))) == (3, 5)
    assert (late_rows(some, tick(99)), rows_left(some, tick(99))) == (8, 0)
    assert [live(some, tick(n)) for n in (-1, 0, 7, 8)] == [False, True, True, False]


def test_row_before_the_first_is_extrapolated():
    some = chunk(0, actions=line(10, 4))
    assert row_before(some, 2) == pytest.approx(some.actions[1])
    assert row_before(some, 0)[0] == pytest.approx(some.actions[0][0] - 0.5)
    assert row_before(chunk(0, horizon=1), 0) == pytest.approx(REST)


@given(delay=st.integers(0, 12), mode=st.sampled_from(['latest', 'ensemble']))
@settings(deadline=None, max_examples=30)
def test_late_chunks_never_execute_an_expired_row(delay, mode):
    ex = executor(mode=mode, ramp_speed=1e9, request_timeout=5.0)
    commands, requests, _ = drive(ex, 80, lambda request, number: line(number, 16), delay)
    stamps = {request.request_id: request.stamp for request in requests}
    executed = [(number, command) for number, command in enumerate(commands) if command.source is Source.CHUNK]
    assert len(executed) >= 15
    for number, command in executed:
        assert stamps[command.chunk_id] + command.index * PERIOD == pytest.approx(tick(number))


def test_a_late_chunk_is_entered_at_the_aligned_row_and_the_skipped_rows_are_counted():
    ex = executor(ramp_speed=1e9)
    for number in range(5):
        ex.step(tick(number), REST)
    assert ex.add(chunk(0, actions=line(0, 16)), tick(5)).accepted
    command = ex.step(tick(5), REST)
    assert (command.index, command.takeover) == (5, True)
    assert command.values[0] == pytest.approx(2.5)
    assert ex.status(tick(5)).skipped == 5


def test_missed_ticks_are_counted_as_skipped_rows():
    ex = executor(ramp_speed=1e9)
    ex.add(chunk(0, actions=line(0, 16)), tick(0))
    ex.step(tick(0), REST)
    ex.step(tick(1), REST)
    assert ex.step(tick(4), REST).index == 4
    assert ex.status(tick(4)).skipped == 2


def test_jittering_ticks_run_every_row_once():
    ex = executor(ramp_speed=1e9)
    ex.add(chunk(0, actions=line(0, 16)), tick(0))
    rng = np.random.default_rng(1)
    indices = [ex.step(tick(n) + rng.uniform(-0.4, 0.4) * PERIOD, REST).index for n in range(16)]
    assert indices == list(range(16))


def test_a_chunk_of_the_near_future_waits_for_its_tick():
    ex = executor(ramp_speed=1e9)
    assert ex.add(chunk(1, actions=line(1, 8)), tick(1) - 0.4 * PERIOD).accepted
    assert ex.step(tick(0) + 0.2 * PERIOD, REST).source is Source.HOLD
    assert ex.step(tick(1), REST).index == 0


def test_resampling_is_explicit_and_keeps_time():
    slow = chunk(0, actions=line(0, 6, slope=3.0), period=2 * PERIOD)
    assert executor().add(slow, tick(0)).reason == 'wrong_period'
    ex = executor(resample=True, ramp_speed=1e9)
    assert ex.add(slow, tick(0)).accepted
    values = [ex.step(tick(n), REST).values[0] for n in range(11)]
    assert values == pytest.approx(1.5 * np.arange(11))
