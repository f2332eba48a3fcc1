"""Real nodes as processes in a ROS graph of their own, and a node that talks to them."""

import fcntl
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from kiwi_msgs.msg import ActionChunk, ChunkRequest, ExecutedAction, ExecutorStatus, PolicyInfo, TaskState
from kiwi_msgs.srv import BeginEpisode, EndEpisode, ResetWorld
from rcl_interfaces.srv import SetParameters
from rclpy.executors import SingleThreadedExecutor
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from kiwi_policy.core.features import NAMES
from kiwi_policy.nodes import conversions, qos

os.environ.setdefault('ROS_AUTOMATIC_DISCOVERY_RANGE', 'LOCALHOST')

PATIENCE = 300.0    # s; bounds hangs only, nothing is asserted about speed
PERIOD = 1.0 / 30.0


def claim_domain():
    """(a ROS domain that no other test of this user has, the open file that keeps it so)."""
    folder = Path(tempfile.gettempdir()) / f'kiwi-test-domains-{os.getuid()}'
    folder.mkdir(mode=0o700, exist_ok=True)
    for number in random.sample(range(1, 101), 100):
        file = open(folder / str(number), 'w')
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return number, file
        except BlockingIOError:
            file.close()
    raise RuntimeError(f'all ROS domains from 1 to 100 are taken in {folder}')


class Graph:
    """A ROS domain with processes that end with it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.domain, self._claim = claim_domain()
        self.environment = os.environ | {
            'PYTHONPATH': os.pathsep.join(path for path in sys.path if path), 'ROS_DOMAIN_ID': str(self.domain),
            'OMP_NUM_THREADS': '1'}
        self.processes = {}
        self.bus = self.folder / 'servo-bus'

    def start(self, name, module, *parameters):
        """Start a module of ours with ROS parameters; its output goes to <folder>/<name>.log."""
        words = [word for parameter in parameters for word in ('-p', parameter)]
        with open(self.folder / f'{name}.log', 'w') as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, '-m', module, '--ros-args', *words], env=self.environment, cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
        return self.processes[name]

    def start_sim(self):
        """sim_node with small pictures and no wire time."""
        return self.start('sim', 'kiwi_sim.sim_node', f'port_link:={self.bus}', 'image_height:=32', 'image_width:=32',
                          'overview_rate:=5.0', 'overview_height:=48', 'overview_width:=64', 'wire_time:=false')

    def start_executor(self, *parameters):
        """chunk_executor_node on the simulated bus, patient with a loaded machine."""
        from kiwi_sim.servos import CALIBRATION_PATH

        return self.start('executor', 'kiwi_policy.nodes.chunk_executor_node', f'robot_port:={self.bus}',
                          f'calibration:={CALIBRATION_PATH}', 'reply_timeout:=0.5', 'bus_timeout:=3.0',
                          'connect_timeout:=300.0', *parameters)

    def output(self, name):
        """What a process has printed."""
        return (self.folder / f'{name}.log').read_text()

    def end(self, name, number=signal.SIGINT):
        """Signal a process and return its exit code."""
        process = self.processes.pop(name)
        if process.poll() is None:
            process.send_signal(number)
        return process.wait(PATIENCE)

    def close(self):
        """End every process."""
        for name in reversed(list(self.processes)):
            try:
                self.end(name)
            except subprocess.TimeoutExpired:
                process = self.processes.get(name)
                if process is not None:
                    process.kill()


class Operator:
    """A node that hears the executor, publishes chunks as a policy would and calls services."""

    def __init__(self, domain):
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        self.node = node = rclpy.create_node('operator', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(node)
        self._changed = threading.Condition()
        self.heard = {name: [] for name in ('joints', 'base', 'status', 'action', 'request', 'task', 'chunk', 'info', 'diagnostics')}
        for name, kind, topic, profile in (
                ('joints', JointState, 'joint_states', qos.STATE), ('base', TwistStamped, 'base_velocity', qos.STATE),
                ('status', ExecutorStatus, 'executor/status', qos.STATUS),
                ('action', ExecutedAction, 'executor/action', qos.ACTION),
                ('request', ChunkRequest, 'chunk_request', qos.REQUEST),
                ('task', TaskState, 'sim/task_state', qos.STATE), ('chunk', ActionChunk, 'action_chunk', qos.CHUNK),
                ('info', PolicyInfo, 'policy_info', qos.LATCHED),
                ('diagnostics', DiagnosticArray, 'diagnostics', qos.STATUS)):
            node.create_subscription(kind, topic, lambda message, name=name: self._hear(name, message), profile)
        self._clients = {
            **{name: node.create_client(Trigger, f'executor/{name}') for name in (
                'stop', 'reset', 'move_to_start', 'move_to_rest', 'release_torque', 'engage_torque')},
            'set_executor': node.create_client(SetParameters, 'chunk_executor_node/set_parameters'),
            'begin': node.create_client(BeginEpisode, 'executor/begin_episode'),
            'end': node.create_client(EndEpisode, 'executor/end_episode'),
            'sim_reset': node.create_client(ResetWorld, 'sim/reset')}
        self._chunks = self._infos = None
        self._chunk_id = 0
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._closed = False
        self._thread.start()

    def play_policy(self, **changes):
        """Publish policy_info as a policy would, and be ready to publish chunks."""
        if self._infos is None:
            self._infos = self.node.create_publisher(PolicyInfo, 'policy_info', qos.LATCHED)
            self._chunks = self.node.create_publisher(ActionChunk, 'action_chunk', qos.CHUNK)
        info = {'run_id': 1, 'head': 'played', 'names': list(NAMES), 'period': PERIOD, 'horizon': 60,
                'n_action_steps': 60, 'action_spread': [1.0] * 9, 'latency_p95': 0.1} | changes
        self._infos.publish(PolicyInfo(**info))
        self.until(lambda: self.heard['info'] and self.heard['info'][-1].latency_p95 == np.float32(info['latency_p95'])
                   and self.heard['info'][-1].period == info['period'])

    def chunk(self, actions, **changes):
        """Publish a chunk for the newest joint_states; returns the message."""
        self._chunk_id += 1
        actions = np.asarray(actions, np.float32)
        message = ActionChunk(**({
            'run_id': 1, 'episode_id': self.heard['status'][-1].episode_id, 'chunk_id': self._chunk_id,
            'names': list(NAMES), 'period': PERIOD, 'horizon': len(actions), 'actions': actions.ravel().tolist(),
            'head': 'played'} | changes))
        message.header.stamp = conversions.to_stamp(self.newest_stamp())
        return message

    def send(self, message):
        """Publish a chunk."""
        self._chunks.publish(message)

    def newest_stamp(self):
        """ns, of the newest joint_states."""
        return conversions.to_nanoseconds(self.heard['joints'][-1].header.stamp)

    def pose(self):
        """Measured joints (6,) rad."""
        return conversions.positions_of(self.heard['joints'][-1])

    def values(self):
        """Measured values (9,) as the executor reported them."""
        return np.array(self.heard['action'][-1].measured)

    def call(self, service, **fields):
        """Call a service; returns the response."""
        client = self._clients[service]
        assert client.wait_for_service(PATIENCE), f'no service {service}'
        answered = threading.Event()
        future = client.call_async(client.srv_type.Request(**fields))
        future.add_done_callback(lambda _: answered.set())
        assert answered.wait(PATIENCE), f'{service} did not answer'
        return future.result()

    def state(self):
        """The executor's state."""
        return self.heard['status'][-1].state if self.heard['status'] else None

    def until(self, condition, seconds=PATIENCE):
        """Wait until a condition holds; it is checked whenever a message comes."""
        with self._changed:
            assert self._changed.wait_for(condition, seconds), 'the condition was not met in time'

    def fresh(self, name, count=1):
        """Wait for `count` further messages."""
        seen = len(self.heard[name])
        self.until(lambda: len(self.heard[name]) >= seen + count)

    def base_rests(self):
        """Wait until the simulated base stands still, over half a second of its time."""
        def still():
            newest = self.heard['task'][-1]
            before = [task for task in self.heard['task'][-40:] if task.seconds <= newest.seconds - 0.5]
            if not before:
                return False
            return np.hypot(newest.base.x - before[-1].base.x, newest.base.y - before[-1].base.y) < 1e-3

        self.until(still)

    def close(self):
        """End the node."""
        self._closed = True
        self._thread.join(5.0)
        self._executor.shutdown(timeout_sec=1.0)
        self.node.destroy_node()
        self._context.try_shutdown()

    def _hear(self, name, message):
        with self._changed:
            self.heard[name].append(message)
            self._changed.notify_all()

    def _spin(self):
        while not self._closed and self._context.ok():
            self._executor.spin_once(timeout_sec=0.1)


def wait_for(condition, seconds=PATIENCE):
    """Poll a condition that no message announces."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, 'the condition was not met in time'
        time.sleep(0.05)
