"""A node that hears the executor, sends chunks and pictures, calls services and steps the ROS clocks."""

import threading
import time
from dataclasses import dataclass

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from kiwi_msgs.msg import ActionChunk, ExecutorStatus
from kiwi_msgs.srv import BeginEpisode, EndEpisode
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage
from std_srvs.srv import Trigger

from kiwi_policy.core.features import CAMERAS
from kiwi_policy.nodes import conversions, qos
from kiwi_policy.nodes.images import encode_rgb

RATE = 30.0         # Hz of the played cameras and of /clock
PATIENCE = 60.0     # s; bounds hangs only
ANSWER = 5.0        # s after which a call is made again


class Unanswered(RuntimeError):
    """Something that was waited for did not come."""


@dataclass(frozen=True)
class Heard:
    """A message and when it came, in monotonic s."""

    time: float
    message: object


class Observer:
    """Of one ROS domain.

    Args:
        domain: its number.

    Attributes:
        statuses, diagnostics, chunks: lists of `Heard`.
        cameras: what the played cameras do: 'on', 'frozen' or 'gone'.
        clock_shift: s by which the cameras' stamps and /clock differ from the system clock.
    """

    def __init__(self, domain):
        self.statuses, self.diagnostics, self.chunks = [], [], []
        self.cameras, self.clock_shift = 'on', 0.0
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = node = rclpy.create_node('fault_bench', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(node)
        for kind, topic, heard, profile in ((ExecutorStatus, 'executor/status', self.statuses, qos.STATUS),
                                            (DiagnosticArray, 'diagnostics', self.diagnostics, qos.STATUS),
                                            (ActionChunk, 'action_chunk', self.chunks, qos.CHUNK)):
            node.create_subscription(
                kind, topic, lambda message, heard=heard: heard.append(Heard(time.monotonic(), message)), profile)
        self._sender = node.create_publisher(ActionChunk, 'action_chunk', qos.CHUNK)
        self._images = [node.create_publisher(CompressedImage, f'camera/{camera}/image_raw/compressed', qos.CAMERA)
                        for camera in CAMERAS]
        self._clock = node.create_publisher(Clock, '/clock', 1)
        self._clients = {
            'begin': node.create_client(BeginEpisode, 'executor/begin_episode'),
            'end': node.create_client(EndEpisode, 'executor/end_episode'),
            'reset': node.create_client(Trigger, 'executor/reset'),
            'transition': node.create_client(ChangeState, 'chunk_executor_node/change_state'),
            'chunk_executor_node': node.create_client(SetParameters, 'chunk_executor_node/set_parameters'),
            'policy_node': node.create_client(SetParameters, 'policy_node/set_parameters')}
        self._closed = threading.Event()
        self._threads = [threading.Thread(target=run, daemon=True) for run in (self._spin, self._play)]
        for thread in self._threads:
            thread.start()

    def call(self, service, **fields):
        """Call a service, again where the answer is lost with a server that ends; returns its response.

        Raises:
            Unanswered: nobody answers.
        """
        client, deadline = self._clients[service], time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if not client.wait_for_service(1.0):
                continue
            answered = threading.Event()
            future = client.call_async(client.srv_type.Request(**fields))
            future.add_done_callback(lambda _, answered=answered: answered.set())
            if answered.wait(ANSWER):
                return future.result()
        raise Unanswered(f'{client.srv_name} did not answer')

    def state(self):
        """The executor's newest state, None before the first."""
        return self.statuses[-1].message.state if self.statuses else None

    def since(self, heard, start):
        """Messages of a list that came after `start` (s)."""
        return [item.message for item in heard if item.time >= start]

    def send(self, chunk):
        """Publish an ActionChunk."""
        self._sender.publish(chunk)

    def use_sim_time(self, wanted):
        """Let the ROS clocks of executor and policy follow /clock, or the system clock again."""
        value = ParameterValue(type=ParameterType.PARAMETER_BOOL, bool_value=wanted)
        for node in ('chunk_executor_node', 'policy_node'):
            self.call(node, parameters=[Parameter(name='use_sim_time', value=value)])

    def forget(self):
        """Drop what was heard, but for the newest of each."""
        for heard in (self.statuses, self.diagnostics, self.chunks):
            del heard[:-1]

    def close(self):
        """End the node."""
        self._closed.set()
        for thread in self._threads:
            thread.join(5.0)
        self._executor.shutdown(timeout_sec=1.0)
        self.node.destroy_node()
        self._context.try_shutdown()

    def _spin(self):
        while not self._closed.is_set() and self._context.ok():
            self._executor.spin_once(timeout_sec=0.1)

    def _play(self):
        number, image = 0, None
        while not self._closed.wait(1.0 / RATE):
            stamp = conversions.to_stamp(time.time_ns() + round(1e9 * self.clock_shift))
            if self.clock_shift:
                self._clock.publish(Clock(clock=stamp))
            if self.cameras == 'gone':
                continue
            if self.cameras == 'on' or image is None:
                number += 1
                image = encode_rgb(np.full((16, 16, 3), number % 250, np.uint8))
            message = CompressedImage(format='jpeg', data=image)
            message.header.stamp = stamp
            for publisher in self._images:
                publisher.publish(message)
