"""The shipped URDF against the simulation's model: one robot, two files."""

import mujoco
import numpy as np
import pytest

from kiwi_policy.core import arm_kinematics, features
from kiwi_sim import urdf


@pytest.fixture(scope='module')
def model():
    return mujoco.MjModel.from_xml_path(str(urdf.MODEL_PATH))


@pytest.fixture(scope='module')
def tree():
    return arm_kinematics.lekiwi()


def _angles(count=100):
    low, high = features.JOINT_RANGE_RAD.T
    return np.random.default_rng(0).uniform(low, high, (count, 6))


def _mujoco_data(model, angles):
    data = mujoco.MjData(model)
    for name, angle in zip(features.JOINTS, angles, strict=True):
        data.joint(name).qpos[0] = angle
    mujoco.mj_forward(model, data)
    return data


def test_the_shipped_file_is_what_the_model_gives(model):
    assert arm_kinematics.description_text() == urdf.urdf_text(model), \
        'run python -m kiwi_sim.urdf > ../kiwi_policy/kiwi_policy/data/lekiwi.urdf'


def test_joints_have_the_names_and_limits_of_joint_states(model, tree):
    turning = {joint.name: joint for joint in tree.joints if joint.axis is not None}
    assert set(turning) == set(features.JOINTS)
    limits = np.array([[turning[name].low, turning[name].high] for name in features.JOINTS])
    np.testing.assert_allclose(limits, features.JOINT_RANGE_RAD, atol=1e-9)
    np.testing.assert_allclose(limits, [model.joint(name).range for name in features.JOINTS], atol=1e-9)


def test_every_link_is_where_mujoco_has_it(model, tree):
    angles = _angles()
    poses = tree.poses(angles)
    bodies = {link: 'base' if link == 'base_link' else link for link in poses}
    compared = 0
    for index, row in enumerate(angles):
        data = _mujoco_data(model, row)
        for link, body in bodies.items():
            if link == 'tip':
                position, rotation = data.site('tip').xpos, data.site('tip').xmat
            elif link.endswith('_camera'):
                camera = data.cam(link.removesuffix('_camera'))
                position, rotation = camera.xpos, camera.xmat.reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])
            else:
                position, rotation = data.body(body).xpos, data.body(body).xmat
            np.testing.assert_allclose(poses[link][index, :3, 3], position, atol=1e-7)
            np.testing.assert_allclose(poses[link][index, :3, :3], np.reshape(rotation, (3, 3)), atol=1e-7)
            compared += 1
    assert compared == 100 * len(poses) and len(poses) == 11
    np.testing.assert_allclose(tree.tip(angles), poses['tip'][:, :3, 3])


def test_every_shape_of_the_model_is_drawn_where_it_is(model, tree):
    row = _angles(1)[0]
    data, poses = _mujoco_data(model, row), tree.poses(row)
    drawn = np.array([(poses[shape.link] @ shape.origin)[:3, 3] for shape in tree.shapes])
    geoms = [geom for geom in range(model.ngeom) if geom_in_robot(model, geom)]
    assert len(geoms) == 16
    for geom in geoms:
        assert np.linalg.norm(drawn - data.geom_xpos[geom], axis=1).min() < 1e-7, model.geom(geom).name


def geom_in_robot(model, geom):
    body = model.geom_bodyid[geom]
    while body and model.body(body).name != 'base':
        body = model.body_parentid[body]
    return bool(body)


@pytest.mark.parametrize('turn', [
    np.eye(3), np.diag([-1.0, 1.0, -1.0]), np.array([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
    np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]])])
def test_angles_give_the_rotation_back_at_the_poles_too(turn):
    roll, pitch, yaw = urdf.rpy(turn)
    x, y, z = (arm_kinematics._turn(axis, angle)[:3, :3] for axis, angle in zip(np.eye(3), (roll, pitch, yaw)))
    np.testing.assert_allclose(z @ y @ x, turn, atol=1e-12)
