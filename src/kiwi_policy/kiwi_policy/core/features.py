"""The LeKiwi's nine values: names, order, units, and the one conversion to ROS units.

LeRobot's LeKiwi reports and accepts nine values in this order: five arm joints in degrees, the
gripper as 0..100 of its range, and the base's body velocity in m/s, m/s and deg/s. ROS uses
radians, metres and rad/s. Every conversion between the two happens here.
"""

import numpy as np

ARM_JOINTS = ('shoulder_pan', 'shoulder_lift', 'elbow_flex', 'wrist_flex', 'wrist_roll')
GRIPPER_JOINT = 'gripper'
JOINTS = (*ARM_JOINTS, GRIPPER_JOINT)

NAMES = (*(f'arm_{joint}.pos' for joint in JOINTS), 'x.vel', 'y.vel', 'theta.vel')
UNITS = ('deg',) * 5 + ('percent', 'm/s', 'm/s', 'deg/s')
DIM = len(NAMES)

ARM = slice(0, 5)
GRIPPER = slice(5, 6)
POSITIONS = slice(0, 6)
BASE = slice(6, 9)

CAMERAS = ('front', 'wrist')
RATE_HZ = 30.0

JOINT_RANGE_RAD = np.array([
    [-1.91986, 1.91986],
    [-1.74533, 1.74533],
    [-1.69, 1.69],
    [-1.65806, 1.65806],
    [-2.74385, 2.84121],
    [-0.174533, 1.74533],
])  # (6, 2): the SO-101's ranges, gripper last
"""Joint ranges in radians; the gripper's 0..100 is mapped linearly onto its own range."""

_GRIPPER_LOW, _GRIPPER_HIGH = JOINT_RANGE_RAD[5]


def to_ros(values):
    """Split LeRobot values into joint positions (rad) and base velocity (m/s, m/s, rad/s).

    Args:
        values: (..., 9) in LeRobot's units.

    Returns:
        positions (..., 6) in rad and velocity (..., 3) in m/s, m/s, rad/s.
    """
    values = _checked(values, DIM)
    positions = np.deg2rad(values[..., POSITIONS])
    fraction = values[..., 5] / 100.0
    positions[..., 5] = _GRIPPER_LOW + fraction * (_GRIPPER_HIGH - _GRIPPER_LOW)
    velocity = values[..., BASE].copy()
    velocity[..., 2] = np.deg2rad(velocity[..., 2])
    return positions, velocity


def from_ros(positions, velocity):
    """Inverse of `to_ros`.

    Args:
        positions: (..., 6) joint positions in rad, gripper last.
        velocity: (..., 3) base velocity in m/s, m/s, rad/s.

    Returns:
        (..., 9) in LeRobot's units.
    """
    positions, velocity = _checked(positions, 6), _checked(velocity, 3)
    values = np.concatenate([np.rad2deg(positions), velocity], axis=-1)
    values[..., 5] = 100.0 * (positions[..., 5] - _GRIPPER_LOW) / (_GRIPPER_HIGH - _GRIPPER_LOW)
    values[..., 8] = np.rad2deg(velocity[..., 2])
    return values


def _checked(values, dim):
    values = np.array(values, dtype=np.float64)
    if values.ndim == 0 or values.shape[-1] != dim:
        raise ValueError(f'expected a last axis of {dim} values, got shape {values.shape}')
    return values
