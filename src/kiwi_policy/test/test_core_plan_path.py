"""The fingertip's path of a chunk, against cases that are known."""

import numpy as np
import pytest

from kiwi_policy.core.arm_kinematics import lekiwi
from kiwi_policy.core.features import from_ros
from kiwi_policy.core.plan_path import base_path, place, tip_path

PERIOD = 0.1


def test_a_base_that_drives_straight_and_turned():
    poses = base_path([[0.2, 0.0, 0.0]] * 3, PERIOD)
    np.testing.assert_allclose(poses, [[0, 0, 0], [0.02, 0, 0], [0.04, 0, 0]], atol=1e-12)
    turned = base_path([[0.0, 0.0, np.pi / 2 / PERIOD], [0.2, 0.1, 0.0], [9.0, 9.0, 9.0]], PERIOD)
    np.testing.assert_allclose(turned, [[0, 0, 0], [0, 0, np.pi / 2], [-0.01, 0.02, np.pi / 2]], atol=1e-12)


def test_a_circle_closes():
    steps = 400
    velocity = np.tile([0.3, 0.0, 2 * np.pi / (steps * PERIOD)], (steps + 1, 1))
    poses = base_path(velocity, PERIOD)
    np.testing.assert_allclose(poses[-1], [0.0, 0.0, 2 * np.pi], atol=1e-9)
    assert np.ptp(poses[:, 1]) == pytest.approx(0.3 * steps * PERIOD / np.pi, rel=1e-3)


def test_with_the_base_at_rest_the_path_is_the_arms():
    joints = np.linspace([0.0, -1.2, 1.0, 1.2, -1.57, 0.6], [0.5, -0.5, 0.5, 0.8, 0.0, 0.0], 12)
    np.testing.assert_allclose(tip_path(from_ros(joints, np.zeros((12, 3))), PERIOD, lekiwi()), lekiwi().tip(joints))


def test_with_the_arm_at_rest_the_path_is_the_bases():
    joints = np.tile([0.0, -1.2, 1.0, 1.2, -1.57, 0.6], (3, 1))
    path = tip_path(from_ros(joints, np.tile([0.0, 0.2, 0.0], (3, 1))), PERIOD, lekiwi())
    np.testing.assert_allclose(path - path[0], [[0, 0, 0], [0, 0.02, 0], [0, 0.04, 0]], atol=1e-12)


def test_points_are_placed_in_the_world():
    np.testing.assert_allclose(place([[1.0, 0.0, 0.5]], [2.0, 3.0, np.pi / 2]), [[2.0, 4.0, 0.5]], atol=1e-12)
