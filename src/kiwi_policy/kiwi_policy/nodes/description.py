"""Publishes the robot's URDF where RViz, Foxglove and others look for it."""

from std_msgs.msg import String

from kiwi_policy.core.arm_kinematics import description_text
from kiwi_policy.nodes import qos


def publish_description(node):
    """Publish `robot_description` once, latched."""
    node.create_publisher(String, 'robot_description', qos.LATCHED).publish(String(data=description_text()))
