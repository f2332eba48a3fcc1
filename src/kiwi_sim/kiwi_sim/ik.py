"""Inverse kinematics of the arm: fingertips at a point, gripper pointing straight down."""

import mujoco
import numpy as np

from kiwi_policy.core import features


class ArmIK:
    """Damped least squares on the arm's first four joints, with the base at the origin.

    Each iteration solves `(A^T A + damping I) dq = A^T e`, where A stacks the position Jacobian and
    the weighted rotation Jacobian of the fingertips, and e the errors of both.

    Args:
        model: the MuJoCo model; the state it is solved on is a private one.
        wrist_roll: rad, held fixed.
        tilt_weight: m per rad, the weight of pointing down against position.
        damping: m^2.
    """

    max_iterations = 12
    max_step = 0.3  # rad per joint and iteration

    def __init__(self, model, wrist_roll=-1.57, tilt_weight=0.15, damping=1e-5):
        self._model = model
        self._data = mujoco.MjData(model)
        joints = [model.joint(name) for name in features.JOINTS[:4]]
        self._qpos = np.array([joint.qposadr[0] for joint in joints])
        self._dofs = np.array([joint.dofadr[0] for joint in joints])
        self._low, self._high = np.array([joint.range for joint in joints]).T
        self._tip = model.site('tip').id
        self._gripper = model.body('gripper').id
        self._data.qpos[model.joint('wrist_roll').qposadr[0]] = wrist_roll
        self._tilt_weight = tilt_weight
        self._damping = damping * np.eye(4)

    def solve(self, start, point):
        """Joint angles (4,) in rad that bring the fingertips to a point (3,) in the base frame, m.

        Args:
            start: (4,) rad, where the search begins; a point out of reach gives the closest pose.
        """
        data, model = self._data, self._model
        data.qpos[self._qpos] = start
        jac_position = np.zeros((3, model.nv))
        jac_rotation = np.zeros((3, model.nv))
        for _ in range(self.max_iterations):
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            offset = point - data.site_xpos[self._tip]
            pointing = -data.xmat[self._gripper].reshape(3, 3)[:, 2]
            tilt = np.array([-pointing[1], pointing[0], 0.0])  # pointing x down
            if np.linalg.norm(offset) < 2e-4 and np.linalg.norm(tilt) < 2e-3:
                break
            mujoco.mj_jacSite(model, data, jac_position, jac_rotation, self._tip)
            a = np.vstack([jac_position[:, self._dofs], self._tilt_weight * jac_rotation[:, self._dofs]])
            error = np.concatenate([offset, self._tilt_weight * tilt])
            step = np.linalg.solve(a.T @ a + self._damping, a.T @ error)
            step *= min(1.0, self.max_step / max(np.abs(step).max(), 1e-12))
            data.qpos[self._qpos] = np.clip(data.qpos[self._qpos] + step, self._low, self._high)
        return data.qpos[self._qpos].copy()

    def tip_at(self, joints):
        """Where joint angles (4,) in rad put the fingertips: (3,) in the base frame, m."""
        self._data.qpos[self._qpos] = joints
        mujoco.mj_kinematics(self._model, self._data)
        return self._data.site_xpos[self._tip].copy()
