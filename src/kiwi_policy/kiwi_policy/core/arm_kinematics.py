"""Where the robot's links are: forward kinematics of its URDF.

With T_parent the pose of a joint's parent link, O the joint's origin and q its angle about its axis a,

    T_child = T_parent O R(a, q)
"""

import functools
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from kiwi_policy.core.features import JOINTS

ROOT = 'base_link'
TIP = 'tip'


@dataclass(frozen=True)
class Joint:
    """A joint of the tree.

    Attributes:
        name, parent, child: of the joint and its links.
        origin: (4, 4) pose of the joint in its parent link.
        axis: (3,) unit vector, None for a fixed joint.
        low, high: rad; 0 for a fixed joint.
    """

    name: str
    parent: str
    child: str
    origin: np.ndarray
    axis: np.ndarray | None
    low: float
    high: float


@dataclass(frozen=True)
class Shape:
    """A visual primitive of a link.

    Attributes:
        link: it is fixed to.
        kind: box, cylinder or sphere.
        size: (3,) edges of a box, (radius, length) of a cylinder along z, (radius,) of a sphere; m.
        origin: (4, 4) pose in its link.
        rgba: (4,) in 0..1.
    """

    link: str
    kind: str
    size: tuple
    origin: np.ndarray
    rgba: tuple


class KinematicTree:
    """A robot of revolute and fixed joints.

    Attributes:
        joints: `Joint`s, parents first.
        shapes: `Shape`s of all links.
        text: the URDF.

    Args:
        text: URDF.

    Raises:
        ValueError: the text is no URDF of such a robot; the message names what is wrong.
    """

    def __init__(self, text):
        self.text = text
        try:
            robot = ET.fromstring(text.encode())
        except ET.ParseError as error:
            raise ValueError(f'the robot description is no XML: {error}') from error
        if robot.tag != 'robot':
            raise ValueError(f'the robot description begins with <{robot.tag}>, a URDF with <robot>')
        self.joints = _ordered([_joint(element) for element in robot.iter('joint')])
        colours = {element.get('name'): tuple(_floats(element.find('color').get('rgba')))
                   for element in robot.findall('material') if element.find('color') is not None}
        self.shapes = tuple(_shape(link.get('name'), visual, colours)
                            for link in robot.findall('link') for visual in link.findall('visual'))

    def poses(self, positions):
        """Poses of all links in the root's frame.

        Args:
            positions: (..., 6) joint positions in rad, in the order of `features.JOINTS`.

        Returns:
            link -> (..., 4, 4).
        """
        positions = np.asarray(positions, dtype=float)
        if positions.ndim == 0 or positions.shape[-1] != len(JOINTS):
            raise ValueError(f'expected a last axis of {len(JOINTS)} joint positions, got shape {positions.shape}')
        poses = {self.joints[0].parent: np.broadcast_to(np.eye(4), (*positions.shape[:-1], 4, 4))}
        for joint in self.joints:
            pose = poses[joint.parent] @ joint.origin
            if joint.axis is not None:
                pose = pose @ _turn(joint.axis, positions[..., JOINTS.index(joint.name)])
            poses[joint.child] = pose
        return poses

    def tip(self, positions):
        """The fingertip's path (..., 3) in m in the root's frame; `positions` as for `poses`."""
        return self.poses(positions)[TIP][..., :3, 3]


def description_text():
    """The LeKiwi's URDF, as `robot_description` has it."""
    return files('kiwi_policy').joinpath('data', 'lekiwi.urdf').read_text()


@functools.cache
def lekiwi():
    """The LeKiwi's `KinematicTree`."""
    return KinematicTree(description_text())


def _ordered(joints):
    """Parents first. Raises ValueError where the joints make no tree."""
    children = {joint.child for joint in joints}
    roots = sorted({joint.parent for joint in joints} - children)
    if len(roots) != 1:
        raise ValueError(f'a robot has one root link, this one {", ".join(roots) or "none"}')
    known, ordered, left = set(roots), [], list(joints)
    while left:
        ready = [joint for joint in left if joint.parent in known]
        if not ready:
            raise ValueError(f'joints {", ".join(joint.name for joint in left)} hang on no link of the root\'s')
        ordered += ready
        known |= {joint.child for joint in ready}
        left = [joint for joint in left if joint not in ready]
    return tuple(ordered)


def _joint(element):
    name, kind = element.get('name'), element.get('type')
    if kind not in ('revolute', 'fixed') or (kind == 'revolute' and name not in JOINTS):
        raise ValueError(f'joint {name} is {kind}; known are fixed ones and the revolute {", ".join(JOINTS)}')
    axis, limit = None, element.find('limit')
    if kind == 'revolute':
        axis = _floats(element.find('axis').get('xyz'))
        axis = axis / np.linalg.norm(axis)
    low, high = (float(limit.get('lower')), float(limit.get('upper'))) if limit is not None else (0.0, 0.0)
    return Joint(name, element.find('parent').get('link'), element.find('child').get('link'), _origin(element), axis,
                 low, high)


def _shape(link, visual, colours):
    geometry = visual.find('geometry')[0]
    material = visual.find('material')
    rgba = colours.get(material.get('name')) if material is not None else None
    attributes = {'box': ('size',), 'cylinder': ('radius', 'length'), 'sphere': ('radius',)}.get(geometry.tag)
    if attributes is None:
        raise ValueError(f'link {link} has a {geometry.tag}; known are box, cylinder and sphere')
    size = tuple(float(value) for attribute in attributes for value in geometry.get(attribute).split())
    return Shape(link, geometry.tag, size, _origin(visual), rgba or (0.7, 0.7, 0.7, 1.0))


def _origin(element):
    """Pose (4, 4) of an element's <origin>: R = Rz(yaw) Ry(pitch) Rx(roll)."""
    pose = np.eye(4)
    origin = element.find('origin')
    if origin is None:
        return pose
    roll, pitch, yaw = _floats(origin.get('rpy', '0 0 0'))
    x, y, z = np.eye(3)
    pose[:3, :3] = (_turn(z, yaw) @ _turn(y, pitch) @ _turn(x, roll))[:3, :3]
    pose[:3, 3] = _floats(origin.get('xyz', '0 0 0'))
    return pose


def _turn(axis, angle):
    """Rotation (..., 4, 4) by `angle` (...) rad about a unit `axis` (3,), by Rodrigues' formula."""
    angle = np.asarray(angle, dtype=float)[..., None, None]
    x, y, z = axis
    cross = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    turn = np.zeros((*angle.shape[:-2], 4, 4))
    turn[..., :3, :3] = np.eye(3) + np.sin(angle) * cross + (1.0 - np.cos(angle)) * (cross @ cross)
    turn[..., 3, 3] = 1.0
    return turn


def _floats(text):
    return np.array([float(word) for word in text.split()])
