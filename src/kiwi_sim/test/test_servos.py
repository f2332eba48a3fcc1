"""Servo quantisation against LeRobot's motor bus, and the shipped calibration against the model."""

import dataclasses
import json

import numpy as np
import pytest

from kiwi_policy.core import features
from kiwi_sim import servos
from kiwi_sim.servos import ServoUnits, load_calibration


@pytest.fixture(scope='module')
def units():
    return ServoUnits()


@pytest.fixture(scope='module')
def lerobot_bus():
    feetech = pytest.importorskip('lerobot.motors.feetech')
    motors = pytest.importorskip('lerobot.motors')
    modes = [motors.MotorNormMode.DEGREES] * 5 + [motors.MotorNormMode.RANGE_0_100]
    return feetech.FeetechMotorsBus(
        port='unused',
        motors={
            name: motors.Motor(i, 'sts3215', mode)
            for i, (name, mode) in enumerate(zip(servos.ARM_SERVOS, modes), start=1)
        },
        calibration={
            name: motors.MotorCalibration(**dataclasses.asdict(entry))
            for name, entry in load_calibration().items()
            if name in servos.ARM_SERVOS
        },
    )


def test_positions_read_like_lerobot_reads_them(units, lerobot_bus):
    rng = np.random.default_rng(0)
    for ticks in rng.integers(units.low, units.high + 1, (100, 6)):
        theirs = lerobot_bus._normalize(dict(enumerate(ticks.tolist(), start=1)))
        ours = units.decode([*ticks, 0, 0, 0])[features.POSITIONS]
        assert ours.tolist() == list(theirs.values())


def test_goals_are_written_like_lerobot_writes_them(units, lerobot_bus):
    rng = np.random.default_rng(1)
    for values in rng.uniform([-90] * 5 + [-5], [90] * 5 + [105], (200, 6)):
        theirs = lerobot_bus._unnormalize(dict(enumerate(values.tolist(), start=1)))
        ours = units.encode([*values, 0, 0, 0])[features.POSITIONS]
        assert ours.tolist() == list(theirs.values())


def test_a_read_state_written_back_moves_no_joint_by_more_than_a_tick(units):
    rng = np.random.default_rng(2)
    for ticks in rng.integers(units.low, units.high + 1, (100, 6)):
        raw = np.concatenate([ticks, rng.integers(-2000, 2001, 3)])
        difference = units.encode(units.decode(raw)) - raw
        assert np.abs(difference[features.POSITIONS]).max() <= 1
        assert not difference[features.BASE].any()


def test_ticks_and_joint_angles_are_inverse(units):
    rng = np.random.default_rng(3)
    for ticks in rng.integers(units.low, units.high + 1, (100, 6)):
        assert units.read_positions(units.goal_angles(ticks)).tolist() == ticks.tolist()


def test_calibrated_ranges_are_the_joints_own(units):
    low, high = features.JOINT_RANGE_RAD.T
    tick = 2 * np.pi / 4095
    bounded = [0, 1, 2, 3, 5]  # the wrist's roll is calibrated over a full turn
    np.testing.assert_allclose(units.goal_angles(units.low)[bounded], low[bounded], atol=tick)
    np.testing.assert_allclose(units.goal_angles(units.high)[bounded], high[bounded], atol=tick)


def test_goals_beyond_the_range_are_clipped(units):
    raw = units.encode([1000.0, -1000.0, 0, 0, 0, 200.0, 0, 0, 0])
    assert raw[0] == units.high[0]
    assert raw[1] == units.low[1]
    assert raw[5] == units.high[5]


@pytest.mark.parametrize('action', [[0.0] * 8, [0.0] * 8 + [np.nan], [np.inf] + [0.0] * 8])
def test_bad_actions_are_refused(units, action):
    with pytest.raises(ValueError, match='9 finite numbers'):
        units.encode(action)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        ({'id': 3}, 'has id 3'),
        ({'drive_mode': 1}, 'drive_mode 1'),
        ({'range_min': 4095}, 'has range 4095..4095'),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(tmp_path, change, message):
    entries = json.loads(servos.CALIBRATION_PATH.read_text())
    entries['arm_wrist_roll'] |= change
    path = tmp_path / 'calibration.json'
    path.write_text(json.dumps(entries))
    with pytest.raises(ValueError, match=message):
        load_calibration(path)
