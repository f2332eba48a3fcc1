"""Where an action chunk means to go: the fingertips' way, and the side on which it passes the post."""

import mujoco
import numpy as np

from kiwi_policy.core import features

SIDE_REACH = 0.07
"""m along x from the post's axis within which a way tells a side."""


def chunk_path(world, base_pose, actions):
    """World positions of the fingertips along a chunk, if its commands were followed exactly.

    Row i puts the arm at joint goals q_i and ends its period with the base at b_{i+1}, where
    `b_{i+1} = b_i + dt R(yaw_i + dt w_i / 2) v_i` from b_0 = `base_pose`. Neither servo lag, contacts nor
    the limits of wheel speeds count; joints stop at the ends of their ranges.

    Args:
        world: the `World` or its MuJoCo model; only the model is read.
        base_pose: (3,) where the base is when row 0 is executed: m, m, rad, in the world.
        actions: (H, 9) in LeRobot's units, 1/30 s apart.

    Returns:
        (H, 3) float64, m.

    Raises:
        ValueError: a wrong shape or a value that is not finite.
    """
    base_pose, actions = np.asarray(base_pose, dtype=float), np.asarray(actions, dtype=float)
    if base_pose.shape != (3,) or not np.isfinite(base_pose).all():
        raise ValueError(f'a base pose is 3 finite numbers, got {base_pose!r}')
    if actions.ndim != 2 or actions.shape[1] != features.DIM or not np.isfinite(actions).all():
        raise ValueError(f'a chunk is (H, {features.DIM}) finite numbers, got shape {actions.shape}')
    model = getattr(world, 'model', world)
    data = mujoco.MjData(model)
    joints = [model.joint(name) for name in features.JOINTS]
    arm = np.array([joint.qposadr[0] for joint in joints])
    low, high = np.array([joint.range for joint in joints]).T
    first = model.joint('base_x').qposadr[0]
    tip = model.site('tip').id
    goals, velocities = features.to_ros(actions)  # (H, 6) rad, (H, 3) m/s, m/s, rad/s
    poses = _drive(base_pose, velocities)
    path = np.empty((len(actions), 3))
    for row, (goal, pose) in enumerate(zip(np.clip(goals, low, high), poses)):
        data.qpos[arm] = goal
        data.qpos[first:first + 3] = pose
        mujoco.mj_kinematics(model, data)
        path[row] = data.site_xpos[tip]
    return path


def chunk_side(path, post_xy, deadband=0.03):
    """The side on which a way means to pass the post, as the robot sees it.

    What counts is how far the way is beside the post where it is level with it: at its first crossing
    of the post's x, or, where it does not cross, at its point nearest to that x. So a chunk that ends
    before the post is judged by the point at which it ends its advance, and one that begins beyond the
    post by its beginning. 'none' is a way that is not beside the post by more than the deadband (the
    mean of both ways drives into the post), and one that keeps more than `SIDE_REACH` away along x,
    since it still picks the cube up or already sets it down.

    Args:
        path: (H, 3) or (H, 2) in the world, m.
        post_xy: (2,) the post's axis, m.
        deadband: m.

    Returns:
        'left', 'right' or 'none'.
    """
    path = np.asarray(path, dtype=float)
    if path.ndim != 2 or not len(path) or path.shape[1] < 2:
        raise ValueError(f'a path is (H, 3) or (H, 2) with H of at least 1, got shape {path.shape}')
    ahead = path[:, 0] - post_xy[0]
    aside = path[:, 1] - post_xy[1]
    crossings = np.flatnonzero((ahead[:-1] < 0) != (ahead[1:] < 0))
    if len(crossings):
        row = crossings[0]
        part = ahead[row] / (ahead[row] - ahead[row + 1])
        offset = aside[row] + part * (aside[row + 1] - aside[row])
    else:
        row = np.abs(ahead).argmin()
        if abs(ahead[row]) > SIDE_REACH:
            return 'none'
        offset = aside[row]
    if abs(offset) <= deadband:
        return 'none'
    return 'left' if offset > 0 else 'right'


def _drive(pose, velocities):
    """Base poses (H, 3) after each of the body velocities (H, 3): m, m, rad and m/s, m/s, rad/s."""
    period = 1 / features.RATE_HZ
    turns = velocities[:, 2] * period
    yaws = pose[2] + np.cumsum(turns)
    heading = yaws - turns / 2
    cos, sin = np.cos(heading), np.sin(heading)
    x, y = velocities[:, 0], velocities[:, 1]
    steps = np.stack([cos * x - sin * y, sin * x + cos * y], axis=1) * period
    return np.column_stack([pose[:2] + np.cumsum(steps, axis=0), yaws])
