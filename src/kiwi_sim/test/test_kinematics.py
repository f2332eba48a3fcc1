"""Our wheel kinematics against those of LeRobot's own LeKiwi driver."""

import numpy as np
import pytest

from kiwi_sim import kinematics

lekiwi = pytest.importorskip('lerobot.robots.lekiwi.lekiwi')


@pytest.fixture(scope='module')
def driver():
    return lekiwi.LeKiwi.__new__(lekiwi.LeKiwi)


def _velocities(count=300):
    rng = np.random.default_rng(0)
    return rng.uniform([-0.6, -0.6, -200.0], [0.6, 0.6, 200.0], (count, 3))


def test_raw_wheel_speeds_equal_the_drivers(driver):
    capped = 0
    for velocity in _velocities():
        theirs = list(driver._body_to_wheel_raw(*velocity).values())
        assert kinematics.body_to_wheel_raw(velocity).tolist() == theirs
        capped += max(map(abs, theirs)) == kinematics.MAX_RAW
    assert capped > 50


def test_body_velocity_equals_the_drivers(driver):
    rng = np.random.default_rng(1)
    for raw in rng.integers(-3000, 3001, (100, 3)):
        theirs = list(driver._wheel_raw_to_body(*raw.tolist()).values())
        np.testing.assert_allclose(kinematics.wheel_raw_to_body(raw), theirs, atol=1e-12)


def test_round_trip_loses_less_than_a_tick_per_wheel():
    for velocity in _velocities() * 0.3:
        raw = kinematics.body_to_wheel_raw(velocity)
        again = kinematics.body_to_wheel_raw(kinematics.wheel_raw_to_body(raw))
        assert again.tolist() == raw.tolist()


def test_wheel_speeds_agree_with_the_raw_command():
    velocity = np.array([0.1, -0.05, 20.0])
    speeds = kinematics.wheel_speeds([0.1, -0.05, np.radians(20.0)])
    ticks = speeds * kinematics.TICKS_PER_TURN / (2 * np.pi)
    assert np.abs(kinematics.body_to_wheel_raw(velocity) - ticks).max() <= 0.5
