"""Feasibility, latency and the metrics every report shares."""

import math

import numpy as np
import pytest
from core_support import PERIOD, executor
from hypothesis import given
from hypothesis import strategies as st
from kiwi_policy.core import metrics
from kiwi_policy.core.executor import PolicyTraits
from kiwi_policy.core.feasibility import Infeasible, check_latency
from kiwi_policy.core.features import DIM
from kiwi_policy.core.latency import LatencyTracker


def test_a_policy_is_feasible_up_to_d_equal_h_minus_s():
    check_latency(6 * PERIOD, 16, 10 * PERIOD, PERIOD, 'replan_interval')
    with pytest.raises(Infeasible, match=r'set replan_interval to 0\.300 s or less'):
        check_latency(7 * PERIOD, 16, 10 * PERIOD, PERIOD, 'replan_interval')
    with pytest.raises(Infeasible, match='no interval is short enough'):
        check_latency(2.0, 16, 8 * PERIOD, PERIOD, 'replan_interval')


def test_with_one_open_request_a_chunk_has_to_last_for_two_delays():
    check_latency(8 * PERIOD, 16, PERIOD, PERIOD, 'replan_interval')
    with pytest.raises(Infeasible, match='no interval is short enough'):
        check_latency(9 * PERIOD, 16, PERIOD, PERIOD, 'replan_interval')


def test_a_delay_above_a_third_of_a_chunk_is_warned_of():
    assert check_latency(10 * PERIOD, 32, 8 * PERIOD, PERIOD, 'replan_interval') == ''
    warning = check_latency(11 * PERIOD, 32, 8 * PERIOD, PERIOD, 'replan_interval')
    assert '0.367 s per chunk (p95), more than a third of the 1.07 s' in warning and 'mode sync' in warning


def test_the_executor_checks_its_own_mode():
    slow = PolicyTraits(16, 16, latency_p95=0.2)
    for mode, knob in (('latest', 'replan_interval'), ('ensemble', 'ensemble_interval')):
        ex = executor(mode=mode, **{knob: 0.4})
        ex.check_feasible()
        ex.set_policy(slow)
        with pytest.raises(Infeasible, match=knob):
            ex.check_feasible()
    ex = executor(mode='sync')
    ex.set_policy(slow)
    ex.check_feasible()


def test_the_knob_it_names_makes_it_feasible():
    with pytest.raises(Infeasible) as refusal:
        check_latency(0.2, 16, 0.4, PERIOD, 'replan_interval')
    advised = float(str(refusal.value).split('set replan_interval to ')[1].split(' s')[0])
    check_latency(0.2, 16, advised, PERIOD, 'replan_interval')


def test_latency_percentiles_over_a_window():
    tracker = LatencyTracker(window=4, assumed=0.3)
    assert tracker.percentile(95) == 0.3
    for delay in (9.0, 1.0, 2.0, 3.0, 4.0):
        tracker.add(delay)
    assert tracker.percentile(50) == 2.5
    assert tracker.percentile(95) == pytest.approx(np.percentile([1, 2, 3, 4], 95))
    assert len(tracker) == 4


def test_wilson_by_hand():
    # p = 9/10, z = 1.96: centre 0.7886.., half width 0.1931..
    assert metrics.wilson_interval(9, 10) == pytest.approx((0.59585, 0.98212), abs=1e-4)
    assert metrics.wilson_interval(0, 0) == (0.0, 1.0)
    with pytest.raises(ValueError, match='0..3'):
        metrics.wilson_interval(4, 3)


@given(st.integers(1, 500), st.data())
def test_the_wilson_interval_holds_the_rate(trials, data):
    successes = data.draw(st.integers(0, trials))
    low, high = metrics.wilson_interval(successes, trials)
    assert 0.0 <= low <= successes / trials + 1e-12
    assert successes / trials - 1e-12 <= high <= 1.0


def test_smoothness_sees_the_arm_only():
    actions = np.zeros((5, DIM))
    actions[:, 5:] = np.random.default_rng(0).normal(size=(5, 4)) * 100
    assert metrics.smoothness(actions) == 0.0
    actions[:, 2] = [0, 1, 0, 1, 0]
    assert metrics.smoothness(actions) == pytest.approx(2.0 / 5)
    assert math.isnan(metrics.smoothness(actions[:2]))


@given(st.floats(-5, 5), st.floats(-50, 50))
def test_a_uniform_motion_is_perfectly_smooth(slope, start):
    actions = start + slope * np.arange(20.0)[:, None] * np.ones(DIM)
    assert metrics.smoothness(actions) == pytest.approx(0.0, abs=1e-9)


def test_seam_ratio_compares_takeovers_with_ordinary_steps():
    actions = np.cumsum(np.ones((10, DIM)), axis=0)
    takeover = np.zeros(10, dtype=bool)
    takeover[[0, 5]] = True
    assert metrics.seam_ratio([(actions, takeover)]) == pytest.approx(1.0)
    actions[5:] += 2.0
    assert metrics.seam_ratio([(actions, takeover)]) == pytest.approx(3.0)
    assert math.isnan(metrics.seam_ratio([(actions, np.zeros(10, dtype=bool))]))
    assert math.isnan(metrics.seam_ratio([]))


def test_sides():
    assert metrics.side_shares(['left', 'right', 'right', 'none', 'right']) == (0.25, 0.75)
    assert metrics.side_entropy(['left', 'right']) == pytest.approx(1.0)
    assert metrics.side_entropy(['left', 'left']) == 0.0
    assert math.isnan(metrics.side_entropy(['none']))


def test_latency_percentiles_of_nothing():
    assert all(math.isnan(value) for value in metrics.latency_percentiles([]))
    assert metrics.latency_percentiles([0.1, 0.3]) == pytest.approx((0.2, 0.29))
