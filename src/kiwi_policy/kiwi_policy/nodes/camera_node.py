"""Publishes a camera as JPEG images, turned upright, and brings it back when it freezes or is unplugged."""

import sys
import time

import cv2
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.duration import Duration
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage

from kiwi_policy.core.parameters import help_text
from kiwi_policy.hardware.capture import Capture
from kiwi_policy.hardware.frame_watch import FrameWatch
from kiwi_policy.nodes import process, qos
from kiwi_policy.nodes.camera_diagnostics import diagnostics
from kiwi_policy.nodes.camera_parameters import TABLE, check_name, make_picture_maker, make_source
from kiwi_policy.nodes.complaints import Complaints
from kiwi_policy.nodes.parameters import declare
from kiwi_policy.nodes.picture_output import PictureOutput
from kiwi_policy.nodes.timers import every

NAME = 'camera_node'
DIAGNOSTICS_INTERVAL = 1.0


class CameraNode(Node):
    """ROS shell of a camera.

    Args:
        make_source: makes the `FrameSource` from the declared parameters.
    """

    def __init__(self, make_source=make_source):
        super().__init__(NAME)
        self.parameters = p = declare(self, TABLE)
        camera = check_name(p.camera)
        self._source = make_source(p)
        self._frame_id = f'{camera}_camera'
        self._images = self.create_publisher(CompressedImage, f'camera/{camera}/image_raw/compressed', qos.CAMERA)
        self._diagnostics = self.create_publisher(DiagnosticArray, 'diagnostics', qos.STATUS)
        self._complaints = Complaints(self.get_logger().warning, self.get_logger().info)
        self.output = PictureOutput(
            make_picture_maker(p), self._publish, lambda text: self._complaints.complain(text, time.monotonic()))
        self.capture = Capture(
            self._source, FrameWatch(self._source.name, p.frozen_timeout, p.max_frame_age, p.may_repeat),
            self.output.submit, self._announce, self.get_logger().error, self.get_logger().info, p.reconnect_interval)
        every(self, DIAGNOSTICS_INTERVAL, self._publish_diagnostics)
        self.output.start()
        self.capture.start()

    def close(self):
        """End both threads and release the camera."""
        self.capture.close()
        self.output.close()

    def _publish(self, data, captured):
        message = CompressedImage(format='jpeg', data=data)
        age = Duration(nanoseconds=round(1e9 * (time.monotonic() - captured)))
        message.header.stamp = (self.get_clock().now() - age).to_msg()
        message.header.frame_id = self._frame_id
        self._images.publish(message)
        self._complaints.recovered('frames can be decoded again', time.monotonic())

    def _announce(self, stream):
        text = f'{self._source.name} delivers {stream}'
        if stream.shortfall:
            self.get_logger().warning(f'{text}, {stream.shortfall}')
        else:
            self.get_logger().info(text)

    def _publish_diagnostics(self):
        self._diagnostics.publish(diagnostics(
            self.parameters.camera, self._source.name, self.parameters.rate, self.capture, self.output,
            time.monotonic(), self.get_clock().now().to_msg()))


def main(args=None, make_source=make_source):
    """Run the node; returns the exit code."""
    interrupt = process.start(args, help_text('kiwi_policy', NAME, __doc__, TABLE))
    cv2.setNumThreads(1)
    node = None
    try:
        node = CameraNode(make_source)
        process.spin(node, lambda: interrupt.is_set() or node.capture.refusal is not None)
        if node.capture.refusal is not None:
            return process.fail(NAME, node.capture.refusal, process.MISCONFIGURED)
        return 0
    except ValueError as error:
        return process.fail(NAME, error, process.MISCONFIGURED)
    except RuntimeError as error:
        return process.fail(NAME, error)
    finally:
        if node is not None:
            node.close()
        process.finish(node)


if __name__ == '__main__':
    sys.exit(main())
