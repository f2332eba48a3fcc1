"""A node that calls the recorder, publishes what it records and hears what it hears."""

import threading

import rclpy
from kiwi_msgs.srv import StartRecording, StopRecording
from rclpy.executors import SingleThreadedExecutor

from kiwi_policy.nodes import qos
from kiwi_policy.nodes.recorder_topics import topics

PATIENCE = 120.0    # s; bounds hangs only
CAMERAS = ('front', 'wrist', 'overview')


class Caller:
    """Calls recorder/start and recorder/stop; hears all recorded topics as serialized messages.

    Args:
        domain: ROS domain.
    """

    def __init__(self, domain):
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = node = rclpy.create_node('recorder_caller', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(node)
        self.heard = {}
        self.changed = threading.Condition()
        for topic in topics(CAMERAS):
            name = node.resolve_topic_name(topic.name)
            self.heard[name] = []
            node.create_subscription(topic.type, topic.name, lambda data, name=name: self._hear(name, data),
                                     qos.recorded(topic.profile, 1000), raw=True)
        self._start = node.create_client(StartRecording, 'recorder/start')
        self._stop = node.create_client(StopRecording, 'recorder/stop')
        self._closed = False
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def start(self, folder, **fields):
        """Call recorder/start."""
        return self._call(self._start, StartRecording.Request(folder=str(folder), **fields))

    def stop(self, **fields):
        """Call recorder/stop."""
        return self._call(self._stop, StopRecording.Request(**fields))

    def until(self, condition, seconds=PATIENCE):
        """Wait until a condition holds; it is checked at every message and now and then."""
        with self.changed:
            for _ in range(int(seconds / 0.1)):
                if condition():
                    return
                self.changed.wait(0.1)
        raise AssertionError('the condition was not met in time')

    def close(self):
        """End the node."""
        self._closed = True
        self._thread.join(5.0)
        self._executor.shutdown(timeout_sec=1.0)
        self.node.destroy_node()
        self._context.try_shutdown()

    def _call(self, client, request):
        assert client.wait_for_service(PATIENCE), f'no service {client.srv_name}'
        answered = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _: answered.set())
        assert answered.wait(PATIENCE), f'{client.srv_name} did not answer'
        return future.result()

    def _hear(self, name, data):
        with self.changed:
            self.heard[name].append(data)
            self.changed.notify_all()

    def _spin(self):
        while not self._closed and self._context.ok():
            self._executor.spin_once(timeout_sec=0.1)
