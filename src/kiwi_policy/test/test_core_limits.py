import numpy as np
import pytest
from core_support import PERIOD, REST, chunk, executor, tick
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from kiwi_policy.core.features import BASE, DIM, POSITIONS
from kiwi_policy.core.limits import Limiter, Limits, hold

LIMITS = Limits()
ANYTHING = st.floats(-1e9, 1e9) | st.sampled_from([np.nan, np.inf, -np.inf])


def within(command, last, limits, period=PERIOD):
    """Assert that a step from `last` to `command` obeys the limits."""
    assert np.all(np.isfinite(command))
    step = np.array(limits.joint_speed) * limits.speed_scale * period
    assert np.all(np.abs(command[POSITIONS] - last[POSITIONS]) <= step + 1e-9)
    assert np.all(command[POSITIONS] >= np.array(limits.low) - 1e-9)
    assert np.all(command[POSITIONS] <= np.array(limits.high) + 1e-9)
    assert np.all(np.abs(command[BASE]) <= np.array(limits.base_speed) * limits.speed_scale + 1e-9)


@given(st.lists(arrays(float, DIM, elements=ANYTHING), min_size=1, max_size=20), st.floats(0.05, 1.0))
def test_no_wish_gets_past_the_limiter(wishes, scale):
    limits = Limits(speed_scale=scale)
    limiter, last = Limiter(limits, PERIOD), np.zeros(DIM)
    for wish in wishes:
        command, clamped = limiter.clamp(wish, last)
        within(command, last, limits)
        assert clamped == (not np.all(np.isfinite(wish)) or not np.allclose(command, wish, rtol=0, atol=1e-9))
        last = command


def test_a_value_that_is_not_finite_becomes_a_hold():
    last = np.array([10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 0.1, 0.0, 5.0])
    wish = last + 1.0
    wish[[2, 6]] = np.nan, np.inf
    command, clamped = Limiter(LIMITS, PERIOD).clamp(wish, last)
    assert clamped
    assert command[2] == 30.0
    assert command[6] == 0.0
    assert command[0] == pytest.approx(11.0)


def test_a_wish_within_the_limits_passes_untouched():
    wish = np.array([1.0, -2.0, 3.0, 0.5, 0.0, 4.0, 0.05, -0.02, 3.0])
    command, clamped = Limiter(LIMITS, PERIOD).clamp(wish, np.zeros(DIM))
    assert not clamped
    assert command == pytest.approx(wish)


def test_from_outside_its_range_a_joint_moves_back_at_its_speed():
    last = np.zeros(DIM)
    last[0] = LIMITS.high[0] + 20.0
    command, clamped = Limiter(LIMITS, PERIOD).clamp(last, last)
    assert clamped
    assert command[0] == pytest.approx(last[0] - LIMITS.joint_speed[0] * PERIOD)


@given(arrays(float, (12, DIM), elements=st.floats(-1e4, 1e4, width=32)),
       arrays(float, (12, DIM), elements=st.floats(-1e4, 1e4, width=32)),
       st.sampled_from(['latest', 'ensemble', 'sync']), st.integers(0, 6))
@settings(deadline=None, max_examples=60)
def test_arbitrary_chunks_never_drive_the_executor_past_its_limits(first, second, mode, at):
    ex = executor(mode=mode)
    last = hold(REST)
    for number in range(30):
        if number == 0:
            ex.add(chunk(0, actions=first, chunk_id=1), tick(0))
        if number == at:
            ex.add(chunk(at, actions=second, chunk_id=2), tick(at))
        command = ex.step(tick(number), REST).values
        within(command, last, LIMITS)
        last = command


@pytest.mark.parametrize('change, text', [
    ({'low': (0.0,) * 5}, 'limits.low must hold 6'),
    ({'joint_speed': (0.0,) * 6}, 'limits.joint_speed must be > 0'),
    ({'base_speed': (np.nan,) * 3}, 'limits.base_speed must hold 3 finite'),
    ({'low': (200.0,) * 6}, 'limits.low must lie below'),
    ({'speed_scale': 0.0}, 'limits.speed_scale'),
    ({'speed_scale': 1.5}, 'limits.speed_scale'),
])
def test_bad_limits_are_named(change, text):
    with pytest.raises(ValueError, match=text):
        Limits(**change)
