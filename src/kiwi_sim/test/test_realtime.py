"""Pacing and rates, without a clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kiwi_sim.realtime import Pacer, RateMeter


def test_steps_follow_the_clock():
    pacer = Pacer(0.01, now=5.0)
    assert pacer.due(5.0) == 0
    assert pacer.due(5.035) == 3
    assert pacer.due(5.04) == 1
    assert pacer.due(5.04) == 0


def test_a_short_delay_is_made_up_for_in_bounded_batches():
    pacer = Pacer(0.01, now=0.0, max_steps=4)
    taken = [pacer.due(0.1) for _ in range(5)]
    assert taken == [4, 4, 2, 0, 0]
    assert pacer.lost == 0.0


def test_a_long_pause_is_given_up_and_counted():
    pacer = Pacer(0.01, now=0.0, max_lag=1.0)
    assert pacer.due(10.0) == 0
    assert pacer.lost == pytest.approx(10.0)
    assert pacer.due(10.02) == 2


def test_a_pause_of_a_fraction_of_a_second_is_not_replayed_fast():
    pacer = Pacer(0.01, now=0.0)
    assert pacer.due(0.5) == 0
    assert pacer.lost == pytest.approx(0.5)
    assert pacer.due(0.53) == 3


@given(st.lists(st.floats(0.0, 0.05), max_size=50))
def test_no_step_is_lost_whatever_the_delays(delays):
    pacer, now = Pacer(0.01, now=0.0), 0.0
    for delay in delays:
        now += delay
        while pacer.due(now):
            pass
    assert pacer.steps == pytest.approx(now / 0.01, abs=1.0)
    assert pacer.lost == 0.0


def test_rates_cover_the_window_only():
    meter = RateMeter(window=1.0)
    for tick in range(60):
        meter.add(tick / 32)
    assert meter.rate(59 / 32) == 32
    assert meter.rate(10.0) == 0
