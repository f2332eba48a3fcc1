"""LeRobot's `lekiwi_host` as a process on the emulated bus, and its `LeKiwiClient` against it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from kiwi_policy.core import features
from kiwi_sim.servos import CALIBRATION_PATH
from kiwi_sim.simulation import Simulation

pytest.importorskip('zmq')


@pytest.fixture
def simulation():
    simulation = Simulation((), on_frame=None, on_fault=pytest.fail, seed=2)
    simulation.start()
    yield simulation
    simulation.stop()


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def start_host(bus, folder, commands, observations):
    """lekiwi_host without cameras, a display or a stdin."""
    path = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [
            sys.executable, '-m', 'lerobot.robots.lekiwi.lekiwi_host',
            f'--robot.port={bus.path}', '--robot.id=sim', f'--robot.calibration_dir={folder}', '--robot.cameras={}', '--host.connection_time_s=300',
            f'--host.port_zmq_cmd={commands}', f'--host.port_zmq_observations={observations}',
        ],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {'PYTHONPATH': path, 'HF_HUB_OFFLINE': '1'})


def connect(client, host, seconds=90.0):
    """Wait for the host's first observation; False where the host gave up before."""
    deadline = time.monotonic() + seconds
    while host.poll() is None and time.monotonic() < deadline:
        try:
            client.connect()
            return True
        except ConnectionError:
            client.zmq_cmd_socket.close(linger=0)
            client.zmq_observation_socket.close(linger=0)
            client.zmq_context.term()
    return False


@pytest.mark.slow
def test_host_and_client_read_and_drive_the_robot(simulation, tmp_path):
    from lerobot.robots.lekiwi import LeKiwiClient
    from lerobot.robots.lekiwi.config_lekiwi import LeKiwiClientConfig

    shutil.copy(CALIBRATION_PATH, tmp_path / 'sim.json')
    for _ in range(3):  # the host allows a servo 50 ms and no second try, which a busy machine may miss
        ports = free_port(), free_port()
        host = start_host(simulation.bus, tmp_path, *ports)
        client = LeKiwiClient(LeKiwiClientConfig(
            id='sim', remote_ip='127.0.0.1', cameras={},
            port_zmq_cmd=ports[0], port_zmq_observations=ports[1], connect_timeout_s=2))
        if connect(client, host):
            break
        host.kill()
        output, _ = host.communicate()
    else:
        pytest.fail(f'lekiwi_host did not come up:\n{output}')

    start = simulation.world.base_pose()
    goal = dict(zip(features.NAMES, [20.0, -40.0, 50.0, 60.0, -80.0, 70.0, 0.1, 0.0, 0.0]))
    deadline = time.monotonic() + 30.0
    moved, measured = 0.0, np.zeros(features.DIM)
    while moved < 0.05 or abs(measured[0] - 20.0) > 2.0:
        assert time.monotonic() < deadline and host.poll() is None
        client.send_action(goal)
        observation = client.get_observation()
        measured = np.array([observation.get(name, 0.0) for name in features.NAMES])
        moved = np.hypot(*(simulation.world.base_pose() - start)[:2])
        time.sleep(1 / 30)

    host.send_signal(signal.SIGINT)
    output, _ = host.communicate(timeout=30)
    assert 'Shutting down Lekiwi Host' in output
    client.zmq_cmd_socket.setsockopt(client._zmq.LINGER, 0)
    client.disconnect()
    simulation.reset(2)
    deadline = time.monotonic() + 30.0
    while np.abs(simulation.world.body_velocity()).max() > 0.01:
        assert time.monotonic() < deadline, 'the base does not come to rest'
        time.sleep(0.02)
