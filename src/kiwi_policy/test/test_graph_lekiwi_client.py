"""The whole way of robot:=lekiwi_client in simulation: servo bus, LeRobot's host, bridge, executor."""

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')
pytest.importorskip('lerobot')

from graph_support import Graph, Operator, wait_for  # noqa: E402
from host_support import free_ports  # noqa: E402
from kiwi_msgs.msg import ExecutorStatus as S  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402

from kiwi_policy.nodes import qos  # noqa: E402

CAMERAS = ('front', 'wrist')


class ClientGraph(Graph):
    """A graph whose executor drives the simulated robot through LeRobot's host."""

    def run(self, name, module, *words):
        """Start a module of ours with any command line; its output goes to <folder>/<name>.log."""
        with open(self.folder / f'{name}.log', 'w') as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, '-m', module, *words], env=self.environment, cwd=self.folder,
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)

    def start_all(self):
        """Everything but a policy, patient with a loaded machine."""
        commands, observations = map(str, free_ports())
        hidden = [word for camera in CAMERAS for word in (
            '-r', f'camera/{camera}/image_raw/compressed:=sim/camera/{camera}/image_raw/compressed')]
        self.run('sim', 'kiwi_sim.sim_node', '--ros-args', '-p', f'port_link:={self.bus}', '-p', 'overview_rate:=0.0',
                 '-p', 'wire_time:=false', *hidden)
        self.run('host', 'kiwi_sim.sim_host', '--port', str(self.bus), '--command-port', commands,
                 '--observation-port', observations)
        self.start('bridge', 'kiwi_policy.nodes.lekiwi_bridge_node', 'remote_ip:=127.0.0.1', 'stale_after:=3.0',
                   f'command_port:={commands}', f'observation_port:={observations}', 'command_timeout:=0.5',
                   f'bridge_socket:={self.folder / "bridge"}')
        self.start('executor', 'kiwi_policy.nodes.chunk_executor_node', 'robot:=lekiwi_client', 'stale_after:=3.0',
                   f'bridge_socket:={self.folder / "bridge"}', 'bus_timeout:=3.0', 'connect_timeout:=300.0')


@pytest.fixture(scope='module')
def graph(tmp_path_factory):
    graph = ClientGraph(tmp_path_factory.mktemp('graph'))
    graph.start_all()
    yield graph
    graph.close()


@pytest.fixture(scope='module')
def operator(graph):
    operator = Operator(graph.domain)
    operator.pictures, operator.heard['picture'] = {}, []
    for camera in CAMERAS:
        for prefix in ('', 'sim/'):
            topic = f'{prefix}camera/{camera}/image_raw/compressed'
            operator.node.create_subscription(
                CompressedImage, topic, lambda message, key=prefix + camera: keep(operator, key, message), qos.CAMERA)
    operator.play_policy()
    operator.until(lambda: operator.state() == S.IDLE and operator.heard['action'])
    yield operator
    operator.close()


def keep(operator, key, message):
    operator.pictures[key] = message
    operator._hear('picture', message)


def pixels(message):
    return cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR).astype(int)


def test_the_host_listens_on_this_machine_only(graph, operator):
    listening = open(f'/proc/{graph.processes["host"].pid}/net/tcp').read()
    inodes = {os.readlink(link.path)[8:-1] for link in os.scandir(f'/proc/{graph.processes["host"].pid}/fd')
              if os.path.islink(link.path) and os.readlink(link.path).startswith('socket:[')}
    rows = [line.split() for line in listening.splitlines()[1:]]
    addresses = [row[1].split(':')[0] for row in rows if row[9] in inodes and row[3] == '0A']
    assert len(addresses) >= 2 and set(addresses) == {'0100007F'}


@pytest.mark.parametrize('camera', CAMERAS)
def test_the_bridge_publishes_what_the_simulation_shows(operator, camera):
    operator.until(lambda: {camera, f'sim/{camera}'} <= set(operator.pictures))

    def distance(swap):
        shown, rendered = pixels(operator.pictures[camera]), pixels(operator.pictures[f'sim/{camera}'])
        assert shown.shape == rendered.shape == (96, 96, 3)
        return np.abs(shown[..., ::-1 if swap else 1] - rendered).mean()

    operator.until(lambda: distance(swap=False) < 4.0)
    assert distance(swap=False) < 0.5 * distance(swap=True)


def begin(operator, name):
    """Begin an episode and drive forward, the arm turning."""
    answer = operator.call('begin', episode_id=name, task='t')
    assert answer.success, answer.message
    operator.until(lambda: operator.state() == S.WAITING)
    actions = np.tile(operator.values(), (300, 1))
    actions[:, 6:] = 0.1, 0.0, 0.0
    actions[:, 0] += np.minimum(np.arange(300) * 1.5, 20.0)
    operator.send(operator.chunk(actions))
    operator.until(lambda: operator.state() == S.RUNNING)


def test_a_chunk_moves_arm_and_base_and_a_stop_ends_it(operator):
    start, place = operator.pose(), operator.heard['task'][-1].base
    begin(operator, 'one')
    operator.until(lambda: operator.pose()[0] - start[0] > np.deg2rad(15.0))
    operator.until(lambda: np.hypot(operator.heard['task'][-1].base.x - place.x,
                                    operator.heard['task'][-1].base.y - place.y) > 0.05)
    assert operator.call('stop').success
    operator.until(lambda: operator.state() == S.STOPPED)
    operator.base_rests()
    assert operator.call('reset').success
    operator.until(lambda: operator.state() == S.IDLE)


def test_the_end_of_the_host_is_a_fault_and_every_process_ends_cleanly(graph, operator):
    begin(operator, 'two')
    assert graph.end('host') == 0
    operator.until(lambda: operator.state() == S.FAULT)
    reason = operator.heard['status'][-1].reason
    assert 'newest state of the robot is' in reason and 'stale_after is 3.00 s' in reason
    operator.base_rests()
    wait_for(lambda: 'has been silent' in graph.output('bridge'))
    for name in ('executor', 'bridge', 'sim'):
        assert graph.end(name) == 0
    for name in ('executor', 'bridge', 'sim', 'host'):
        assert 'Traceback' not in graph.output(name), graph.output(name)
    assert 'error' not in graph.output('host')
