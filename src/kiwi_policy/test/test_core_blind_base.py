"""The base of a robot that does not answer."""

import numpy as np
import pytest

from kiwi_policy.core.blind_base import BlindBase
from kiwi_policy.core.records import Command
from kiwi_policy.core.states import Source

PERIOD = 1 / 30
DRIVE = Command(np.array([10.0, 20, 30, 40, 50, 60, 0.1, -0.1, 30]), Source.CHUNK, chunk_id=7)


def after(blind, silent, command):
    """What is sent in place of a command after `silent` s without an answer."""
    blind.silence(silent)
    return blind.apply(command)


def test_a_robot_that_answers_gets_what_was_decided():
    assert BlindBase(0.15, PERIOD).apply(DRIVE) is DRIVE


def test_a_silent_robot_rests_while_its_arm_goes_on():
    blind = BlindBase(0.15, PERIOD)
    assert after(blind, 0.14, DRIVE) is DRIVE
    sent = after(blind, 0.16, DRIVE)
    assert sent.values.tolist() == [10, 20, 30, 40, 50, 60, 0, 0, 0]
    assert sent.clamped and sent.chunk_id == 7
    assert DRIVE.values[6] == 0.1
    after(blind, 0.2, DRIVE)
    assert blind.stops == 1


def test_the_base_takes_up_its_speed_without_a_jump():
    blind = BlindBase(0.15, PERIOD)
    after(blind, 0.2, DRIVE)
    speeds = [after(blind, 0.0, DRIVE).values[6] for _ in range(7)]
    assert np.all(np.diff(speeds[:6]) > 0) and speeds[0] == pytest.approx(0.1 / 6)
    assert speeds[5:] == pytest.approx([0.1, 0.1])
    assert blind.stops == 1


def test_a_base_at_rest_is_not_counted():
    blind = BlindBase(0.15, PERIOD)
    after(blind, 1.0, Command(np.zeros(9), Source.IDLE))
    assert blind.stops == 0


@pytest.mark.parametrize('timeout, period', [(0.0, PERIOD), (0.15, 0.0)])
def test_times_must_be_positive(timeout, period):
    with pytest.raises(ValueError, match='timeout and period must be > 0 s'):
        BlindBase(timeout, period)
