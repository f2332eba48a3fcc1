"""lekiwi_bridge_node as a process: pictures in the graph, the last command, what it says and what it refuses."""

import json
import signal
import sys
import threading

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('lerobot')

import rclpy  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray  # noqa: E402
from graph_support import PATIENCE, Graph, wait_for  # noqa: E402
from host_support import STATE, LeRobotHost, PlayedHost, Talk  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402

from kiwi_policy.core import features  # noqa: E402
from kiwi_policy.hardware.command_gate import at_rest  # noqa: E402
from kiwi_policy.hardware.interface import HardwareError  # noqa: E402
from kiwi_policy.hardware.lekiwi_client import LeKiwiClientHardware  # noqa: E402
from kiwi_policy.nodes import qos  # noqa: E402
from kiwi_policy.nodes.bridge_diagnostics import HostWatch  # noqa: E402

DRIVE = np.array([10.0, -20.0, 30.0, 60.0, -90.0, 50.0, 0.2, -0.1, 30.0])
RED, BLUE = (210, 30, 20), (20, 40, 200)


def plain(colour):
    return np.full((48, 64, 3), colour, np.uint8)


class Watcher:
    """Hears the cameras and the diagnostics of the bridge."""

    def __init__(self, domain):
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        self._node = rclpy.create_node('watcher', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self.pictures, self.diagnostics = {}, {}
        for camera in ('front', 'wrist'):
            self._node.create_subscription(
                CompressedImage, f'camera/{camera}/image_raw/compressed',
                lambda message, camera=camera: self.pictures.update({camera: message}), qos.CAMERA)
        self._node.create_subscription(DiagnosticArray, 'diagnostics', self._on_diagnostics, qos.STATUS)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _on_diagnostics(self, message):
        for status in message.status:
            self.diagnostics = {value.key: value.value for value in status.values} | {
                'name': status.name, 'level': status.level, 'message': status.message}

    def _spin(self):
        while not self._over.is_set():
            self._executor.spin_once(timeout_sec=0.1)

    def close(self):
        self._over.set()
        self._thread.join(5.0)
        self._executor.shutdown(timeout_sec=1.0)
        self._node.destroy_node()
        self._context.try_shutdown()


@pytest.fixture
def graph(tmp_path):
    graph = Graph(tmp_path)
    yield graph
    graph.close()


@pytest.fixture
def watcher(graph):
    watcher = Watcher(graph.domain)
    yield watcher
    watcher.close()


def start_bridge(graph, ports, *parameters):
    return graph.start('bridge', 'kiwi_policy.nodes.lekiwi_bridge_node', 'remote_ip:=127.0.0.1',
                       f'command_port:={ports[0]}', f'observation_port:={ports[1]}',
                       f'bridge_socket:={graph.folder / "bridge"}', 'stale_after:=5.0', 'command_timeout:=0.5',
                       *parameters)


def reach(graph):
    executor = LeKiwiClientHardware(graph.folder / 'bridge', stale_after=5.0, connect_timeout=5.0)

    def reached():
        try:
            executor.connect()
        except HardwareError:
            return False
        return True

    wait_for(reached)
    return executor


def test_pictures_of_lerobots_host_are_published_in_their_true_colours(graph, watcher):
    host = LeRobotHost({'front': plain(RED), 'wrist': plain(BLUE)}).start()
    start_bridge(graph, host.ports)
    wait_for(lambda: len(watcher.pictures) == 2)
    for camera, colour in (('front', RED), ('wrist', BLUE)):
        message = watcher.pictures[camera]
        assert (message.format, message.header.frame_id) == ('jpeg', f'{camera}_camera')
        assert message.header.stamp.sec > 0
        shown = cv2.cvtColor(cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        assert np.abs(shown.reshape(-1, 3).mean(axis=0) - colour).max() < 8
    wait_for(lambda: watcher.diagnostics.get('cameras') == 'front, wrist')
    assert watcher.diagnostics['name'] == 'lekiwi_bridge_node: host'

    executor = reach(graph)
    np.testing.assert_array_equal(executor.read(), STATE)
    executor.write(DRIVE)
    wait_for(lambda: host.robot.actions and host.robot.actions[-1]['x.vel'] == 0.2)
    wait_for(lambda: host.robot.actions[-1] == dict(zip(features.NAMES, at_rest(DRIVE))))
    executor.close()
    host.end()
    wait_for(lambda: 'has been silent' in graph.output('bridge'))
    host.start()
    wait_for(lambda: 'lekiwi_host on 127.0.0.1 answers, after' in graph.output('bridge'))
    assert graph.output('bridge').count('has been silent') == 1
    assert graph.end('bridge') == 0
    assert not (graph.folder / 'bridge').exists()
    host.end()


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_the_last_command_of_a_bridge_that_is_stopped_is_a_base_at_rest(graph, number):
    host = PlayedHost()
    talk = Talk(host)
    bridge = start_bridge(graph, host.ports)
    executor = reach(graph)
    over = threading.Event()

    def drive():
        while not over.wait(0.02):
            try:
                executor.write(DRIVE)
            except HardwareError:
                return

    thread = threading.Thread(target=drive, daemon=True)
    thread.start()
    wait_for(lambda: any(np.array_equal(DRIVE, each) for each in host.commands()))
    bridge.send_signal(number)
    assert bridge.wait(PATIENCE) == 0
    over.set()
    thread.join()
    commands = []
    wait_for(lambda: commands.extend(host.commands()) or (
        commands and np.array_equal(commands[-1], at_rest(DRIVE))))
    executor.close()
    talk.end()
    host.close()


def test_the_old_format_is_said_once(graph, watcher):
    host = PlayedHost()
    start_bridge(graph, host.ports)
    message = json.dumps(dict(zip(features.NAMES, STATE.tolist())) | {'front': 'aGVsbG8='}).encode()
    wait_for(lambda: host.send(message) or 'before 0.6' in watcher.diagnostics.get('message', ''))
    assert watcher.diagnostics['level'] == b'\x02'
    assert graph.output('bridge').count('the host speaks the format of LeRobot before 0.6') == 1
    host.close()


@pytest.mark.parametrize(('parameters', 'says'), [
    (['remote_ip:=""'], 'parameter remote_ip is empty'),
    (['bridge_socket:=""'], 'parameter bridge_socket is empty'),
    (['command_timeout:=3.0'], 'command_timeout'),
    (['remote_ip:="no host"'], "'no host' is no address of a robot"),
    (['remote_up:="10.0.0.7"'], 'there is no parameter remote_up; did you mean remote_ip'),
])
def test_what_it_cannot_run_with_is_named(graph, parameters, says):
    process = start_bridge(graph, (5555, 5556), *parameters)
    assert process.wait(PATIENCE) == 2
    assert says in graph.output('bridge')


class Status:
    """What `HostWatch` looks at."""

    def __init__(self, age=0.0, trouble='', observations=1, cameras=('front', 'wrist')):
        self.age, self.trouble, self.observations, self.cameras = age, trouble, observations, cameras


def test_silence_and_return_are_said_once():
    warned, announced = [], []
    watch = HostWatch('pi', ('front', 'wrist'), warned.append, announced.append)
    watch.look(Status(sys.float_info.max, observations=0), 10.0)
    watch.look(Status(sys.float_info.max, observations=0), 12.0)
    watch.look(Status(sys.float_info.max, observations=0), 13.0)
    assert warned == ['no observation from pi yet: is lekiwi_host running there?']
    for now in (14.0, 15.0, 16.0):
        assert announced == []
        watch.look(Status(), now)
    assert announced == ['lekiwi_host on pi answers, after 4.0 s']
    for now in (20.0, 21.0):
        watch.look(Status(age=now - 18.0), now)
    assert len(warned) == 2 and 'has been silent for 2.0 s' in warned[1] and 'connection_time_s' in warned[1]
    watch.look(Status(), 22.0)
    watch.look(Status(age=1.5), 24.0)
    for now in (25.0, 27.0):
        watch.look(Status(), now)
    assert len(warned) == 2 and announced[1:] == ['lekiwi_host on pi answers, after 7.0 s']


def test_a_camera_that_the_host_lacks_is_named():
    warned, announced = [], []
    watch = HostWatch('pi', ('front', 'wrist'), warned.append, announced.append)
    for now in (1.0, 2.0):
        watch.look(Status(cameras=('front', 'top')), now)
    assert warned == ['lekiwi_host on pi sends no picture of wrist; it has front, top']
    watch.look(Status(), 3.0)
    assert announced == ['lekiwi_host on pi sends all cameras again']
