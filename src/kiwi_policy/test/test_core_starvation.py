import numpy as np
import pytest
from core_support import PERIOD, REST, chunk, drive, executor, line, tick
from hypothesis import given
from hypothesis import strategies as st
from kiwi_policy.core.features import BASE, POSITIONS
from kiwi_policy.core.starvation import decay_factor, starve
from kiwi_policy.core.states import Source, State


@given(st.floats(-1, 5), st.floats(-1, 5), st.floats(0.01, 2), st.sampled_from(['linear', 'exponential']))
def test_the_decay_falls_from_one_to_zero_in_its_time(a, b, seconds, shape):
    early, late = sorted((a, b))
    assert 0.0 <= decay_factor(late, seconds, shape) <= decay_factor(early, seconds, shape) <= 1.0
    assert decay_factor(0.0, seconds, shape) == 1.0
    assert decay_factor(seconds, seconds, shape) == 0.0


def test_half_way_of_a_linear_decay():
    last = np.array([1.0, 2, 3, 4, 5, 6, 0.2, -0.1, 30])
    command = starve(last, 0.1, 0.2, 'linear')
    assert command[POSITIONS] == pytest.approx(last[POSITIONS])
    assert command[BASE] == pytest.approx([0.1, -0.05, 15.0])


def test_an_unknown_shape_is_named():
    with pytest.raises(ValueError, match='linear or exponential'):
        decay_factor(0.1, 0.2, 'sudden')


@pytest.mark.parametrize('decay', ['linear', 'exponential'])
@pytest.mark.parametrize('mode', ['latest', 'ensemble'])
def test_without_actions_the_arm_holds_and_the_base_rests_within_its_time(mode, decay):
    ex = executor(mode=mode, decay=decay, ramp_speed=1e9)
    actions = line(0, 8)
    actions[:, 5] = 40.0
    actions[:, 7:] = (-0.1, 20.0)
    ex.add(chunk(0, actions=actions), tick(0))
    last = None
    for number in range(8):
        last = ex.step(tick(number), REST).values
    speeds = [np.abs(last[BASE])]
    for number in range(8, 20):
        command = ex.step(tick(number), REST)
        assert command.source is Source.HOLD
        assert ex.state is State.STARVED
        assert command.values[POSITIONS] == pytest.approx(last[POSITIONS])
        speeds.append(np.abs(command.values[BASE]))
    assert np.all(np.diff(speeds, axis=0) <= 1e-12)
    within = round(0.2 / PERIOD)
    assert np.all(speeds[1] > 0)
    assert np.all(np.array(speeds[within:]) == 0.0)
    status = ex.status(tick(20))
    assert (status.underruns, status.reason) == (1, 'ran out of actions')
    assert status.starved_seconds == pytest.approx(12 * PERIOD)


def test_a_fresh_chunk_ends_starvation_without_a_jump():
    ex = executor(ramp_speed=1e9, seam_ticks=5)
    ex.add(chunk(0, actions=line(0, 8, slope=0.0), chunk_id=1), tick(0))
    for number in range(12):
        last = ex.step(tick(number), REST).values
    away = line(12, 16, slope=0.0)
    away[:, 0] = 10.0
    ex.add(chunk(12, actions=away, chunk_id=2), tick(12))
    command = ex.step(tick(12), REST)
    assert ex.state is State.RUNNING
    assert command.takeover
    assert command.values[0] - last[0] == pytest.approx(2.0)


def test_a_dead_policy_stops_the_base_and_is_asked_again():
    ex = executor(ramp_speed=1e9, request_timeout=0.5)
    commands, requests, _ = drive(ex, 10, lambda request, number: line(number, 16))
    asked = 0
    for number in range(10, 100):
        asked += ex.request(tick(number)) is not None
        command = ex.step(tick(number), REST)
    assert np.all(command.values[BASE] == 0.0)
    assert ex.state is State.STARVED
    assert asked >= 4
    assert ex.status(tick(100)).lost == asked - 1
