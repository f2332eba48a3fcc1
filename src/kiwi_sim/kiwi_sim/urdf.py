"""Writes the LeKiwi's URDF from the simulation's model, so that both are one robot.

    python -m kiwi_sim.urdf > ../kiwi_policy/kiwi_policy/data/lekiwi.urdf

Links are the model's bodies, shapes its primitives; a capsule becomes a cylinder and two spheres. There
are no inertias: the file serves viewing and kinematics.
"""

import math
import xml.etree.ElementTree as ET
from pathlib import Path

import mujoco
import numpy as np

from kiwi_policy.core.features import JOINTS

MODEL_PATH = Path(__file__).with_name('data') / 'fork.xml'
ROOT_BODY = 'base'
ROOT_LINK = 'base_link'
SERVO_SPEED = 4.7123889803847
"""rad/s, an STS3215 without load at 7.4 V: 45 turns a minute."""

_DECIMALS = 9
_NOTE = ' Written by python -m kiwi_sim.urdf from the simulation\'s model; a test compares them. Metres, radians. '
_OPTICAL = np.diag([1.0, -1.0, -1.0])
"""MuJoCo's cameras look along -z with y up; ROS's optical frames along z with y down."""


def urdf_text(model=None):
    """The URDF.

    Args:
        model: MuJoCo model with the body `base`; default: the fork scene's.
    """
    model = model or mujoco.MjModel.from_xml_path(str(MODEL_PATH))
    robot = ET.Element('robot', name='lekiwi')
    robot.append(ET.Comment(_NOTE))
    for rgba in _colours(model):
        ET.SubElement(ET.SubElement(robot, 'material', name=_colour_name(rgba)), 'color', rgba=_numbers(rgba))
    for body in _bodies(model):
        _add_link(robot, model, body)
        if _link(model, body) != ROOT_LINK:
            _add_joint(robot, model, body)
        _add_marks(robot, model, body)
    ET.indent(robot)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(robot, encoding="unicode")}\n'


def rpy(rotation):
    """Roll, pitch, yaw (3,) in rad of a rotation matrix, R = Rz(yaw) Ry(pitch) Rx(roll)."""
    r = np.where(np.abs(rotation) < 1e-12, 0.0, rotation)
    pitch = math.atan2(-r[2, 0], math.hypot(r[0, 0], r[1, 0]))
    if math.hypot(r[0, 0], r[1, 0]) < 1e-9:     # only roll - yaw or their sum is determined: yaw = 0
        return np.array([math.atan2(-r[1, 2], r[1, 1]), pitch, 0.0])
    return np.array([math.atan2(r[2, 1], r[2, 2]), pitch, math.atan2(r[1, 0], r[0, 0])])


def _bodies(model):
    """Ids of the robot's bodies, parents first."""
    root = model.body(ROOT_BODY).id
    found = [root]
    for body in range(root + 1, model.nbody):
        if model.body_parentid[body] in found:
            found.append(body)
    return found


def _link(model, body):
    name = model.body(body).name
    return ROOT_LINK if name == ROOT_BODY else name


def _robot_geoms(model, bodies):
    return [geom for geom in range(model.ngeom) if model.geom_bodyid[geom] in bodies]


def _colour(model, geom):
    material = model.geom_matid[geom]
    rgba = model.mat_rgba[material] if material >= 0 else model.geom_rgba[geom]
    return tuple(round(float(value), 4) for value in rgba)


def _colours(model):
    return list(dict.fromkeys(_colour(model, geom) for geom in _robot_geoms(model, _bodies(model))))


def _colour_name(rgba):
    return 'rgba_' + '_'.join(f'{round(255 * value):02x}' for value in rgba)


def _add_link(robot, model, body):
    link = ET.SubElement(robot, 'link', name=_link(model, body))
    for geom in _robot_geoms(model, [body]):
        for shape, position, rotation in _shapes(model, geom):
            tags = ('visual', 'collision') if model.geom_contype[geom] else ('visual',)
            for tag in tags:
                element = ET.SubElement(link, tag)
                _add_origin(element, position, rotation)
                ET.SubElement(ET.SubElement(element, 'geometry'), shape[0], shape[1])
                if tag == 'visual':
                    ET.SubElement(element, 'material', name=_colour_name(_colour(model, geom)))


def _shapes(model, geom):
    """((tag, attributes), position, rotation) of the URDF shapes that make up a geom, in its body's frame."""
    kind, size = int(model.geom_type[geom]), model.geom_size[geom]
    position, rotation = model.geom_pos[geom], _matrix(model.geom_quat[geom])
    kinds = mujoco.mjtGeom
    if kind == kinds.mjGEOM_BOX:
        return [(('box', {'size': _numbers(2 * size)}), position, rotation)]
    if kind == kinds.mjGEOM_SPHERE:
        return [(('sphere', {'radius': _number(size[0])}), position, rotation)]
    if kind in (kinds.mjGEOM_CYLINDER, kinds.mjGEOM_CAPSULE):
        shapes = [(('cylinder', {'radius': _number(size[0]), 'length': _number(2 * size[1])}), position, rotation)]
        if kind == kinds.mjGEOM_CAPSULE:
            ball = ('sphere', {'radius': _number(size[0])})
            shapes += [(ball, position + end * rotation[:, 2], np.eye(3)) for end in (-size[1], size[1])]
        return shapes
    raise ValueError(f'geom {model.geom(geom).name or geom} is a {kinds(kind).name}, which has no URDF primitive')


def _add_joint(robot, model, body):
    parent = model.body_parentid[body]
    count = model.body_jntnum[body]
    name = model.joint(model.body_jntadr[body]).name if count else f'{_link(model, body)}_mount'
    if count > 1 or (count and name not in JOINTS):
        raise ValueError(f'body {_link(model, body)} has {count} joints, the first {name}; the robot\'s are {JOINTS}')
    joint = ET.SubElement(robot, 'joint', name=name, type='revolute' if count else 'fixed')
    _add_origin(joint, model.body_pos[body], _matrix(model.body_quat[body]))
    ET.SubElement(joint, 'parent', link=_link(model, parent))
    ET.SubElement(joint, 'child', link=_link(model, body))
    if not count:
        return
    index = model.body_jntadr[body]
    if np.any(model.jnt_pos[index]):
        raise ValueError(f'joint {name} is not at its body\'s origin, where a URDF\'s joint is')
    low, high = model.jnt_range[index]
    ET.SubElement(joint, 'axis', xyz=_numbers(model.jnt_axis[index]))
    ET.SubElement(joint, 'limit', lower=_number(low), upper=_number(high), velocity=_number(SERVO_SPEED),
                  effort=_number(model.actuator_forcerange[model.actuator(name).id, 1]))


def _add_marks(robot, model, body):
    """The sites and cameras of a body, as links without a shape: the fingertip, the cameras' optical frames."""
    for site in range(model.nsite):
        if model.site_bodyid[site] == body:
            _add_mark(robot, model, body, model.site(site).name, model.site_pos[site], _matrix(model.site_quat[site]))
    for camera in range(model.ncam):
        if model.cam_bodyid[camera] == body:
            _add_mark(robot, model, body, f'{model.camera(camera).name}_camera', model.cam_pos[camera],
                      _matrix(model.cam_quat[camera]) @ _OPTICAL)


def _add_mark(robot, model, body, name, position, rotation):
    ET.SubElement(robot, 'link', name=name)
    joint = ET.SubElement(robot, 'joint', name=f'{name}_mount', type='fixed')
    _add_origin(joint, position, rotation)
    ET.SubElement(joint, 'parent', link=_link(model, body))
    ET.SubElement(joint, 'child', link=name)


def _add_origin(element, position, rotation):
    ET.SubElement(element, 'origin', xyz=_numbers(position), rpy=_numbers(rpy(rotation)))


def _matrix(quaternion):
    matrix = np.empty(9)
    mujoco.mju_quat2Mat(matrix, quaternion)
    return matrix.reshape(3, 3)


def _number(value):
    return f'{round(float(value), _DECIMALS) + 0.0:.{_DECIMALS}f}'.rstrip('0').rstrip('.')


def _numbers(values):
    return ' '.join(_number(value) for value in values)


if __name__ == '__main__':
    print(urdf_text(), end='')
