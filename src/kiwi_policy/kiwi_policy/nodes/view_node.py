"""Shows in Rerun what the robot does and what the policy plans: cameras, arm, horizon, values, state, events.

It only listens, at low priority. Look at http://127.0.0.1:9090, or save the view to an .rrd file.
"""

import os
import sys
import time

from rclpy.node import Node
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage

from kiwi_policy.core.arm_kinematics import lekiwi
from kiwi_policy.core.parameters import help_text
from kiwi_policy.nodes import process, qos
from kiwi_policy.nodes.camera_parameters import check_name
from kiwi_policy.nodes.parameters import declare
from kiwi_policy.nodes.view_parameters import TABLE
from kiwi_policy.view.outlet import Outlet, require_rerun

NAME = 'view_node'


class ViewNode(Node):
    """ROS shell of a `LiveView`."""

    def __init__(self):
        super().__init__(NAME)
        self.parameters = p = declare(self, TABLE)
        cameras = [check_name(camera) for camera in p.cameras]
        require_rerun()
        os.nice(p.nice)
        from kiwi_policy.nodes.view_feed import ViewFeed, seconds
        from kiwi_policy.view.layout import layout
        from kiwi_policy.view.live_view import LiveView

        self._seconds = seconds
        self._outlet = Outlet(p)
        self._outlet.stream.send_blueprint(layout(cameras, simulated='overview' in cameras))
        self._view = LiveView(self._outlet.stream, lekiwi(), p.state_rate, p.image_rate)
        feed = ViewFeed(self._view, lambda: self.get_clock().now().nanoseconds * 1e-9)
        for kind, topic, callback, profile in feed.topics():
            self.create_subscription(kind, topic, callback, profile)
        for camera in cameras if p.image_rate > 0 else ():
            self.create_subscription(
                CompressedImage, f'camera/{camera}/image_raw/compressed',
                lambda data, camera=camera: self._on_image(camera, data), qos.CAMERA, raw=True)
        for place in self._outlet.places:
            self.get_logger().info(place)

    @property
    def fault(self):
        """Why nobody can look any more; '' while all is well."""
        return self._outlet.fault

    def close(self):
        """Write what waits and end the viewer."""
        self._view.close()
        self._outlet.close()

    def _on_image(self, camera, data):
        if self._view.wants_image(camera, time.monotonic()):
            message = deserialize_message(data, CompressedImage)
            self._view.on_image(self._seconds(message.header.stamp), camera, message.data.tobytes())


def main(args=None):
    """Run the node; returns the exit code."""
    interrupt = process.start(args, help_text('kiwi_policy', NAME, __doc__, TABLE))
    node = None
    try:
        node = ViewNode()
        process.spin(node, lambda: interrupt.is_set() or node.fault)
        return process.fail(NAME, node.fault) if node.fault else 0
    except ValueError as error:
        return process.fail(NAME, error, process.MISCONFIGURED)
    except (OSError, RuntimeError) as error:
        return process.fail(NAME, error)
    finally:
        if node is not None:
            node.close()
        process.finish(node)


if __name__ == '__main__':
    sys.exit(main())
