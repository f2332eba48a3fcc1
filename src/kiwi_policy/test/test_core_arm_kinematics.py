"""The kinematic tree: shapes, and what is no URDF of this robot. Against MuJoCo: kiwi_sim/test/test_urdf.py."""

import numpy as np
import pytest

from kiwi_policy.core import arm_kinematics
from kiwi_policy.core.arm_kinematics import KinematicTree

ARM = '''<robot name="r">
  <material name="red"><color rgba="1 0 0 1"/></material>
  <link name="base"><visual><geometry><box size="1 2 3"/></geometry><material name="red"/></visual></link>
  <link name="upper"/><link name="tip"/>
  <joint name="hand" type="fixed"><origin xyz="1 0 0"/><parent link="upper"/><child link="tip"/></joint>
  <joint name="shoulder_pan" type="revolute"><origin xyz="0 0 1" rpy="0 0 1.5707963267948966"/>
    <parent link="base"/><child link="upper"/><axis xyz="0 0 2"/><limit lower="-1" upper="1"/></joint>
</robot>'''


def test_the_tip_of_a_planar_arm_goes_round():
    tree = KinematicTree(ARM)
    angles = np.zeros((5, 6))
    angles[:, 0] = np.linspace(-1.0, 1.0, 5)
    expected = np.stack([-np.sin(angles[:, 0]), np.cos(angles[:, 0]), np.ones(5)], axis=1)
    np.testing.assert_allclose(tree.tip(angles), expected, atol=1e-12)
    np.testing.assert_allclose(tree.tip(angles[2]), [0.0, 1.0, 1.0], atol=1e-12)


def test_shapes_carry_size_and_colour():
    shape, = KinematicTree(ARM).shapes
    assert (shape.link, shape.kind, shape.size, shape.rgba) == ('base', 'box', (1.0, 2.0, 3.0), (1.0, 0.0, 0.0, 1.0))


def test_a_batch_of_any_shape_goes_through_the_lekiwi():
    angles = np.random.default_rng(0).uniform(-1.0, 1.0, (2, 3, 6))
    tips = arm_kinematics.lekiwi().tip(angles)
    assert tips.shape == (2, 3, 3)
    np.testing.assert_allclose(tips[1, 2], arm_kinematics.lekiwi().tip(angles[1, 2]))


@pytest.mark.parametrize('text, words', [
    ('', 'no XML'), ('<sdf/>', 'begins with <sdf>'),
    (ARM.replace('revolute', 'prismatic'), 'shoulder_pan is prismatic'),
    (ARM.replace('shoulder_pan', 'waist'), 'waist is revolute; known are .*shoulder_pan'),
    (ARM.replace('<box size="1 2 3"/>', '<mesh filename="x"/>'), 'base has a mesh'),
    (ARM.replace('<parent link="base"/>', '<parent link="tip"/>'), 'one root link, this one none'),
])
def test_an_error_names_what_is_wrong(text, words):
    with pytest.raises(ValueError, match=words):
        KinematicTree(text)


def test_the_wrong_number_of_joints_is_named():
    with pytest.raises(ValueError, match=r'6 joint positions, got shape \(5,\)'):
        arm_kinematics.lekiwi().poses(np.zeros(5))
