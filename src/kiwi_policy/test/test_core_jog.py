"""Keys that drive: a dead-man that outlasts the terminal's pause, motions that stop soon after the key is let go."""

import numpy as np
import pytest

from kiwi_policy.core.features import BASE, POSITIONS
from kiwi_policy.core.jog import KEYS, Approach, Jog, JogSpeeds
from kiwi_policy.core.limits import Limits

LIMITS = Limits()
HOME = np.array([0.0, -60.0, 50.0, 60.0, -90.0, 40.0])
PERIOD = 1.0 / 30.0
SPEEDS = JogSpeeds()


def jog():
    return Jog(SPEEDS, LIMITS.low, LIMITS.high)


def test_nobody_drives_before_a_key_and_after_the_hold():
    keys = jog()
    assert keys.step(HOME, PERIOD, 0.0) is None
    assert keys.press('v', 1.0) and keys.held(1.0 + SPEEDS.hold)
    np.testing.assert_allclose(keys.step(HOME, PERIOD, 1.1), [*HOME, 0.0, 0.0, 0.0])
    assert keys.step(HOME, PERIOD, 1.0 + SPEEDS.hold + 0.01) is None
    assert keys.values is None


def test_the_hold_outlasts_the_pause_before_a_terminal_repeats_a_key():
    keys = jog()
    keys.press('w', 0.0)
    times = np.arange(0.0, 0.66, PERIOD)        # X11's and Windows' usual delays are 0.25 to 0.66 s
    assert all(keys.step(HOME, PERIOD, now) is not None for now in times)


def test_a_motion_stops_soon_after_the_key_is_let_go():
    keys = jog()
    keys.press('w', 0.0)
    assert keys.step(HOME, PERIOD, 0.1)[6] == pytest.approx(SPEEDS.base)
    values = keys.step(HOME, PERIOD, SPEEDS.motion + 0.01)
    assert np.all(values[BASE] == 0.0), 'the base rests, the operator still drives'


@pytest.mark.parametrize(('key', 'index', 'sign'), [
    ('w', 6, 1), ('s', 6, -1), ('a', 7, 1), ('d', 7, -1), ('z', 8, 1), ('x', 8, -1), ('t', 0, 1), ('g', 0, -1), ('y', 1, 1),
    ('h', 1, -1), ('u', 2, 1), ('j', 2, -1), ('i', 3, 1), ('k', 3, -1), ('o', 4, 1), ('l', 4, -1), ('m', 5, 1), ('n', 5, -1),
    ('W', 6, 1)])
def test_each_key_moves_one_value(key, index, sign):
    keys = jog()
    assert keys.press(key, 0.0)
    values = keys.step(HOME, PERIOD, 0.01)
    moved = values - [*HOME, 0.0, 0.0, 0.0]
    assert np.sign(moved[index]) == sign and np.count_nonzero(moved) == 1


def test_a_held_key_moves_a_joint_at_its_speed_up_to_the_limit():
    keys, now = jog(), 0.0
    for _ in range(600):
        keys.press('t', now)
        values = keys.step(HOME, PERIOD, now)
        now += PERIOD
    assert values[0] == pytest.approx(LIMITS.high[0])
    keys = jog()
    for tick in range(31):
        keys.press('t', tick * PERIOD)
        values = keys.step(HOME, PERIOD, tick * PERIOD)
    assert values[0] == pytest.approx(31 * PERIOD * SPEEDS.joint)


def test_space_hands_back_at_once_and_driving_begins_anew_where_the_arm_is():
    keys = jog()
    keys.press('t', 0.0)
    keys.step(HOME, PERIOD, 0.0)
    assert keys.press(' ', 0.05) and not keys.held(0.05)
    assert keys.step(HOME, PERIOD, 0.05) is None
    keys.press('v', 0.1)
    np.testing.assert_allclose(keys.step(HOME + 5.0, PERIOD, 0.1)[POSITIONS], HOME + 5.0)


def test_other_keys_do_nothing():
    keys = jog()
    assert not keys.press('q', 0.0) and not keys.press('\n', 0.0) and not keys.held(0.0)
    assert ' ' not in KEYS and len(KEYS) == 19


def test_the_arm_approaches_the_leader_without_a_jump_and_then_follows():
    approach = Approach(45.0)
    approach.begin(HOME)
    leader = HOME + np.array([30.0, -20.0, 10.0, 0.0, 0.0, -40.0])
    before, seen = HOME, []
    for tick in range(60):
        at = approach.step(leader, PERIOD)
        seen.append(np.abs(at - before).max())
        before = at
        if approach.met:
            break
    assert max(seen) <= 45.0 * PERIOD + 1e-9
    assert tick == pytest.approx(40.0 / (45.0 * PERIOD), abs=1.5)
    np.testing.assert_allclose(approach.step(leader + 3.0, PERIOD), leader + 3.0)
    approach.begin(HOME)
    assert not approach.met
