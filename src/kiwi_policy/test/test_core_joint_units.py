import numpy as np
import pytest
from kiwi_policy.core.joint_units import beyond_degrees

DEGREES = np.array([60.0, 99.0, 95.0, 94.0, 160.0, 100.0, 0.3, 0.3, 60.0])


def test_a_range_that_joints_reach_in_degrees_is_taken_for_degrees():
    assert beyond_degrees(-DEGREES, DEGREES) == ''


def test_data_that_touches_100_is_no_degrees():
    high = DEGREES.copy()
    high[2:5] = 100.0
    assert beyond_degrees(-DEGREES.clip(max=98.0), high) == \
        'its training data moves wrist_flex to 100, and it reaches 95 deg'


@pytest.mark.parametrize('value', [np.nan, np.inf, 140.0])
def test_what_is_neither_is_not_judged(value):
    high = DEGREES.copy()
    high[3] = value
    assert beyond_degrees(-DEGREES, high) == ''
