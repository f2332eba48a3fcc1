"""Where a chunk would bring the fingertip: its arm by forward kinematics, its base by integration.

With p, theta the base's pose and v, w its planned velocity, both from the first row on,

    p[i+1] = p[i] + R(theta[i]) v[i] dt,    theta[i+1] = theta[i] + w[i] dt
"""

import numpy as np

from kiwi_policy.core.features import to_ros


def base_path(velocity, period):
    """Base poses (H, 3) in m, m, rad, the first at the origin, of velocities (H, 3) in m/s, m/s, rad/s."""
    velocity = np.asarray(velocity, dtype=float)
    poses = np.zeros((len(velocity), 3))
    poses[1:, 2] = np.cumsum(velocity[:-1, 2]) * period
    cosine, sine = np.cos(poses[:-1, 2]), np.sin(poses[:-1, 2])
    x, y = velocity[:-1, 0], velocity[:-1, 1]
    poses[1:, :2] = np.cumsum(np.stack([cosine * x - sine * y, sine * x + cosine * y], axis=1), axis=0) * period
    return poses


def tip_path(actions, period, tree):
    """The fingertip's path (H, 3) in m, in the base's frame at the first row.

    Args:
        actions: (H, 9) in LeRobot's units.
        period: s between rows.
        tree: `arm_kinematics.KinematicTree`.
    """
    positions, velocity = to_ros(actions)
    return place(tree.tip(positions), base_path(velocity, period))


def place(points, pose):
    """Points (..., 3) in m of a base's frame in the frame in which the base has `pose` (..., 3) m, m, rad."""
    points, pose = np.asarray(points, dtype=float), np.asarray(pose, dtype=float)
    cosine, sine = np.cos(pose[..., 2]), np.sin(pose[..., 2])
    x, y = points[..., 0], points[..., 1]
    return np.stack([pose[..., 0] + cosine * x - sine * y, pose[..., 1] + sine * x + cosine * y, points[..., 2]], -1)
