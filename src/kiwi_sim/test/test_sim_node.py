"""sim_node as a process in a ROS graph of its own."""

import contextlib
import functools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from kiwi_policy.core.parameters import to_yaml
from kiwi_sim import sim_parameters

rclpy = pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')

CONFIG = Path(__file__).parents[1] / 'config' / 'sim.yaml'


@pytest.fixture(scope='module')
def environment():
    path = os.pathsep.join(path for path in sys.path if path)
    return os.environ | {
        'PYTHONPATH': path,
        'ROS_DOMAIN_ID': str(random.randint(1, 100)),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
    }


class Process:
    """sim_node with parameters, until told to stop."""

    def __init__(self, environment, link, *parameters):
        arguments = ['--ros-args', '-r', '__ns:=/robot', '-p', f'port_link:={link}']
        for parameter in parameters:
            arguments += ['-p', parameter]
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'kiwi_sim.sim_node', *arguments], env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.first_line = self.process.stdout.readline()

    def stop(self, number=signal.SIGINT):
        """Signal it and return what it still printed and its exit code."""
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=120)
        return output, self.process.returncode


def without_pauses(output):
    """Output without what the node says of pauses of the machine."""
    return ''.join(line for line in output.splitlines(True) if 'the machine paused' not in line)


@pytest.fixture(scope='module')
def simulation(environment, tmp_path_factory):
    link = tmp_path_factory.mktemp('run') / 'servo-bus'
    simulation = Process(environment, link, 'seed:=4', 'overview_rate:=5.0')
    simulation.link = link
    yield simulation
    output, code = simulation.stop(signal.SIGINT)
    assert (without_pauses(output), code) == ('', 0)
    assert not simulation.link.is_symlink()


@pytest.fixture(scope='module')
def node(environment):
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(environment['ROS_DOMAIN_ID']))
    node = rclpy.create_node('watcher', namespace='/robot', context=context)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(node)
    node.spin_until = lambda condition, seconds=90.0: _spin_until(executor, condition, seconds)
    yield node
    executor.shutdown()
    node.destroy_node()
    context.try_shutdown()


def _spin_until(executor, condition, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, 'the condition was not met in time'
        executor.spin_once(timeout_sec=0.1)


def test_it_prints_the_device_and_keeps_the_link(simulation):
    device = os.readlink(simulation.link)
    assert device.startswith('/dev/pts/')
    assert simulation.first_line == f'servo bus on {device}, link {simulation.link}\n'


def test_cameras_and_task_state_arrive_and_a_reset_shows(simulation, node):
    from kiwi_msgs.msg import TaskState
    from kiwi_msgs.srv import ResetWorld
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import CompressedImage

    newest, counts, states = {}, {}, []
    began = time.time() - 60.0

    def keep(name, message):
        newest[name] = message
        counts[name] = counts.get(name, 0) + 1

    best_effort = QoSProfile(depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
    for name in ('front', 'wrist', 'overview'):
        topic = f'camera/{name}/image_raw/compressed'
        node.create_subscription(CompressedImage, topic, functools.partial(keep, name), best_effort)
    node.create_subscription(TaskState, 'sim/task_state', states.append, 5)
    node.spin_until(lambda: len(newest) == 3 and states and min(counts.values()) >= 5)

    shapes = {}
    for name, message in newest.items():
        assert message.format == 'jpeg'
        assert began <= message.header.stamp.sec + message.header.stamp.nanosec * 1e-9 <= time.time()
        picture = cv2.imdecode(np.frombuffer(message.data, np.uint8), cv2.IMREAD_COLOR)
        assert picture.std() > 10
        shapes[name] = picture.shape
    assert shapes == {'front': (96, 96, 3), 'wrist': (96, 96, 3), 'overview': (240, 320, 3)}
    assert states[-1].seed == 4
    assert not states[-1].success
    assert states[-1].side == 'none'

    client = node.create_client(ResetWorld, 'sim/reset')
    node.spin_until(client.service_is_ready)
    called = time.time()
    future = client.call_async(ResetWorld.Request(seed=77))
    node.spin_until(future.done)
    assert future.result().success, future.result().message
    node.spin_until(lambda: states[-1].seed == 77)
    stamp = newest['front'].header.stamp
    assert stamp.sec + stamp.nanosec * 1e-9 > called - 0.1
    node.spin_until(lambda: states[-1].realtime_factor > 0.0 and states[-1].camera_rate > 0.0)


def test_the_robot_behind_the_link_moves(simulation, node):
    from kiwi_msgs.msg import TaskState
    from kiwi_policy.hardware.interface import HardwareError
    from kiwi_policy.hardware.lekiwi import LeKiwiHardware
    from kiwi_sim.servos import CALIBRATION_PATH

    poses = []
    node.create_subscription(TaskState, 'sim/task_state', lambda message: poses.append(message.base.x), 5)
    hardware = LeKiwiHardware(simulation.link, CALIBRATION_PATH, reply_timeout=1.0, guardian_timeout=0)
    hardware.connect()
    action = hardware.read()
    node.spin_until(lambda: poses)
    start = poses[-1]
    action[6:] = 0.1, 0.0, 0.0
    action[0] = 25.0
    hardware.write(action)
    node.spin_until(lambda: poses[-1] - start > 0.05 and abs(hardware.read()[0] - 25.0) < 2.0)
    hardware.close()
    with contextlib.suppress(HardwareError):
        hardware.read()


def test_a_second_one_on_the_same_link_is_refused(simulation, environment):
    second = Process(environment, simulation.link, 'camera_rate:=0.0', 'overview_rate:=0.0')
    second.process.wait(timeout=120)
    assert 'error: another simulation serves' in second.first_line
    assert second.process.returncode == 1
    assert simulation.link.is_symlink()


def test_a_signal_ends_it_without_a_trace(environment, tmp_path):
    small = 'image_height:=32', 'image_width:=32', 'overview_rate:=0.0'
    simulation = Process(environment, tmp_path / 'bus', *small)
    children = _children(simulation.process.pid)
    assert len(children) == 1
    output, code = simulation.stop(signal.SIGTERM)
    assert (without_pauses(output), code) == ('', 0)
    assert list(tmp_path.iterdir()) == []
    assert not any(os.path.exists(f'/proc/{child}') for child in children)


def test_a_wrong_parameter_is_named(environment, tmp_path):
    simulation = Process(environment, tmp_path / 'bus', 'camera_rate:=30')
    output, _ = simulation.process.communicate(timeout=120)
    text = simulation.first_line + output
    assert simulation.process.returncode == 1
    assert 'parameter camera_rate must be like 30.0 [Hz, 0 .. 120]' in text
    assert 'Traceback' not in text


def test_a_misspelt_parameter_is_refused_with_the_nearest(environment, tmp_path):
    simulation = Process(environment, tmp_path / 'bus', 'sed:=3')
    output, _ = simulation.process.communicate(timeout=120)
    assert simulation.process.returncode == 1
    assert simulation.first_line + output == (
        'sim_node: error: there is no parameter sed; did you mean seed? --help lists them\n')


def test_the_help_shows_every_parameter(environment):
    shown = subprocess.run([sys.executable, '-m', 'kiwi_sim.sim_node', '--help'], env=environment,
                           stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    assert shown.stderr == ''
    for parameter in sim_parameters.TABLE:
        assert f'  {parameter.name}:=' in shown.stdout


def test_without_opengl_it_says_what_to_install(environment, tmp_path):
    simulation = Process(environment | {'MUJOCO_GL': 'nonsense'}, tmp_path / 'bus')
    output, _ = simulation.process.communicate(timeout=120)
    assert simulation.process.returncode == 1
    assert 'libegl1' in simulation.first_line + output
    assert not (tmp_path / 'bus').is_symlink()


def test_the_parameter_file_is_the_table():
    assert CONFIG.read_text() == to_yaml(sim_parameters.TITLE, sim_parameters.TABLE)
    values = yaml.safe_load(CONFIG.read_text())['/**']['ros__parameters']
    assert values == {parameter.name: parameter.default for parameter in sim_parameters.TABLE}


def _children(pid):
    with open(f'/proc/{pid}/task/{pid}/children') as children:
        return children.read().split()
