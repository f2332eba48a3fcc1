"""Owns the sockets to LeRobot's lekiwi_host on the robot: publishes its cameras, serves chunk_executor_node.

Publishes camera/<name>/image_raw/compressed and diagnostics. State and commands go to and from the
executor over a Unix socket, see `kiwi_policy.hardware.lekiwi_client`.
"""

import array
import sys
import threading
import time

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage

from kiwi_policy.core.parameters import ParameterError, help_text
from kiwi_policy.hardware.executor_port import ExecutorPort
from kiwi_policy.hardware.host_link import HostLink
from kiwi_policy.hardware.lekiwi_bridge import Bridge
from kiwi_policy.hardware.lekiwi_wire import WireError, true_colours
from kiwi_policy.nodes import process, qos, realtime
from kiwi_policy.nodes.bridge_diagnostics import HostWatch, diagnostics
from kiwi_policy.nodes.bridge_parameters import TABLE
from kiwi_policy.nodes.camera_parameters import check_name
from kiwi_policy.nodes.complaints import Complaints
from kiwi_policy.nodes.parameters import declare
from kiwi_policy.nodes.timers import every
from kiwi_policy.nodes.worker import NewestJobWorker

NAME = 'lekiwi_bridge_node'


class LeKiwiBridgeNode(Node):
    """ROS shell of a `Bridge`."""

    def __init__(self):
        super().__init__(NAME)
        self.parameters = p = declare(self, TABLE)
        for name in ('remote_ip', 'bridge_socket'):
            if not getattr(p, name):
                raise ParameterError(f'parameter {name} is empty: {_described(name)}')
        self._complaints = Complaints(self.get_logger().warning, self.get_logger().info)
        self._pictures = {
            camera: self.create_publisher(CompressedImage, f'camera/{camera}/image_raw/compressed', qos.CAMERA)
            for camera in p.cameras if check_name(camera, 'cameras')}
        self._diagnostics = self.create_publisher(DiagnosticArray, 'diagnostics', qos.STATUS)
        self._worker = NewestJobWorker(self._publish, self._on_error, name='pictures')
        self._watch = HostWatch(p.remote_ip, p.cameras, self.get_logger().warning, self.get_logger().info)
        self._stopping, self._crash = threading.Event(), ''
        port = ExecutorPort(p.bridge_socket)
        try:
            host = HostLink(p.remote_ip, p.command_port, p.observation_port)
        except ValueError:
            port.close()
            raise
        self._bridge = Bridge(host, port, self._on_pictures, p.stale_after, p.command_timeout)
        self._thread = threading.Thread(target=self._serve, name='bridge', daemon=True)
        every(self, 0.2, self._look)
        every(self, 1.0, self._publish_diagnostics)

    def start(self):
        """Start serving."""
        self._worker.start()
        self._thread.start()

    def close(self):
        """Bring the base to rest and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(3.0)
        self._worker.close()

    def _serve(self):
        realtime.prefer_thread(1)      # of this thread alone: the pictures may wait
        try:
            self._bridge.run(self._stopping)
        except Exception as error:
            self._crash = f'{type(error).__name__}: {error}'

    def _look(self):
        if self._crash:
            raise RuntimeError(f'the bridge ended by itself: {self._crash}')
        self._watch.look(self._bridge.status(), time.monotonic())

    def _publish_diagnostics(self):
        self._diagnostics.publish(diagnostics(self._watch, self._bridge.status(), self.get_clock().now().to_msg()))

    # Bridge's thread.

    def _on_pictures(self, pictures):
        self._worker.submit((self.get_clock().now().to_msg(), pictures))

    # Pictures' thread.

    def _publish(self, job):
        stamp, pictures = job
        for camera, picture in pictures.items():
            if camera not in self._pictures:
                continue
            message = CompressedImage(format='jpeg')
            message.header.stamp, message.header.frame_id = stamp, f'{camera}_camera'
            message.data = array.array('B', true_colours(picture, self.parameters.jpeg_quality))
            self._pictures[camera].publish(message)
        self._complaints.recovered('the host\'s pictures are right again', time.monotonic())

    def _on_error(self, _job, error):
        kind = '' if isinstance(error, WireError) else f'{type(error).__name__}: '
        self._complaints.complain(f'no picture: {kind}{error}', time.monotonic())


def _described(name):
    return next(parameter.description for parameter in TABLE if parameter.name == name)


def main(args=None):
    """Run the node; returns the exit code."""
    sys.setswitchinterval(0.001)
    interrupt = process.start(args, help_text('kiwi_policy', NAME, __doc__, TABLE))
    node = None
    try:
        node = LeKiwiBridgeNode()
        node.start()
        process.spin(node, interrupt.is_set)
        return 0
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
