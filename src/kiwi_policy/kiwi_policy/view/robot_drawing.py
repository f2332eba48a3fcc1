"""The robot in 3D: a transform per link, its primitives below it."""

import numpy as np
import rerun as rr

from kiwi_policy.core.arm_kinematics import ROOT
from kiwi_policy.view import names


class RobotDrawing:
    """Draws a `KinematicTree`; links that do not move are sent once.

    Args:
        stream: `rerun.RecordingStream`.
        tree: `arm_kinematics.KinematicTree`.
    """

    def __init__(self, stream, tree):
        self._stream, self._tree = stream, tree
        self._fixed = {ROOT}
        for joint in tree.joints:
            if joint.axis is None and joint.parent in self._fixed:
                self._fixed.add(joint.child)
        drawn = {shape.link for shape in tree.shapes}
        self._moving = [joint.child for joint in tree.joints if joint.child not in self._fixed and joint.child in drawn]
        stream.log(names.WORLD, rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
        rest = tree.poses(np.zeros(6))
        for link in sorted(self._fixed & drawn):
            stream.log(_entity(link), _transform(rest[link]), static=True)
        for index, shape in enumerate(tree.shapes):
            entity = f'{_entity(shape.link)}/{shape.kind}_{index}'
            stream.log(entity, _transform(shape.origin), _primitive(shape), static=True)

    def draw(self, positions):
        """Draw the arm at joint positions (6,) in rad, at the stream's time; returns the fingertip (3,) in m."""
        poses = self._tree.poses(positions)
        for link in self._moving:
            self._stream.log(_entity(link), _transform(poses[link]))
        return poses['tip'][:3, 3]

    def place(self, base):
        """Put the base at a pose (3,) in m, m, rad."""
        cosine, sine = np.cos(base[2]), np.sin(base[2])
        self._stream.log(names.ROBOT, rr.Transform3D(
            translation=[base[0], base[1], 0.0], mat3x3=[[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]]))


def _entity(link):
    return f'{names.ROBOT}/{link}'


def _transform(pose):
    return rr.Transform3D(translation=pose[:3, 3], mat3x3=pose[:3, :3])


def _primitive(shape):
    colour = tuple(round(255 * value) for value in shape.rgba)
    look = {'colors': [colour], 'fill_mode': 'solid'}
    if shape.kind == 'box':
        return rr.Boxes3D(half_sizes=[np.array(shape.size) / 2], **look)
    if shape.kind == 'cylinder':
        return rr.Cylinders3D(radii=[shape.size[0]], lengths=[shape.size[1]], **look)
    return rr.Ellipsoids3D(radii=[shape.size[0]], **look)
