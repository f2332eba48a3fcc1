"""LeKiwiClientHardware and the bridge when the other side is dead, stuck, foreign or taken: nothing hangs."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from host_support import STATE, LeRobotHost, PlayedHost, RunningBridge, Talk, free_ports, readable, wait_for

from kiwi_policy.core import features
from kiwi_policy.hardware import bridge_wire
from kiwi_policy.hardware.bridge_wire import Datagram, Kind
from kiwi_policy.hardware.command_gate import at_rest
from kiwi_policy.hardware.executor_port import ExecutorPort
from kiwi_policy.hardware.interface import HardwareError
from kiwi_policy.hardware.lekiwi_client import LeKiwiClientHardware

DRIVE = np.array([10.0, -20.0, 30.0, 60.0, -90.0, 50.0, 0.2, -0.1, 30.0])
SOON = 2.0              # s; far below a hang, far above a call


@pytest.fixture
def host():
    host = PlayedHost()
    yield host
    host.close()


@pytest.fixture
def talk(host):
    talk = Talk(host)
    yield talk
    talk.end()


@pytest.fixture
def bridge(host, tmp_path):
    bridge = RunningBridge(host.ports, tmp_path)
    yield bridge
    bridge.end()


@pytest.fixture
def executor(bridge, talk):
    with bridge.executor() as executor:
        yield executor


def test_without_a_host_connect_says_so_in_bounded_time(tmp_path):
    bridge = RunningBridge(free_ports(), tmp_path)
    began = time.monotonic()
    with pytest.raises(HardwareError, match='no observation from 127.0.0.1 yet: is lekiwi_host running'):
        bridge.executor(connect_timeout=1.0).connect()
    assert time.monotonic() - began < 1.0 + SOON
    bridge.end()


def test_the_old_format_of_a_host_reaches_the_executor_as_an_error(bridge, host):
    over = threading.Event()

    def speak():
        while not over.wait(0.05):
            host.send(b'{"arm_shoulder_pan.pos": 1.0, "x.vel": 0.0, "front": "aGVsbG8="}')

    thread = threading.Thread(target=speak, daemon=True)
    thread.start()
    with pytest.raises(HardwareError, match=r'before 0\.6 .*needs LeRobot 0\.6\.x'):
        bridge.executor(connect_timeout=1.0).connect()
    assert 'before 0.6' in bridge.bridge.status().trouble
    over.set()
    thread.join()
    wait_for(lambda: host.send_state() or bridge.bridge.status().trouble == '')


def test_without_a_bridge_connect_says_so(tmp_path):
    with pytest.raises(HardwareError, match='no bridge on .*nowhere, is lekiwi_bridge_node running'):
        LeKiwiClientHardware(tmp_path / 'nowhere').connect()
    with pytest.raises(HardwareError, match='no bridge on'):
        LeKiwiClientHardware(tmp_path / ('long' * 50)).connect()
    with pytest.raises(ValueError, match='bridge_socket is empty'):
        LeKiwiClientHardware('')


def test_2000_commands_to_a_dead_host_do_not_wait(tmp_path):
    host = LeRobotHost().start()
    bridge = RunningBridge(host.ports, tmp_path)
    executor = bridge.executor(stale_after=0.5)
    wait_for(lambda: bridge.bridge.status().observations)
    executor.connect()
    host.end()
    longest = 0.0
    for _ in range(2000):
        began = time.monotonic()
        try:
            executor.write(DRIVE)
        except HardwareError as error:
            assert 'stuck' in str(error)
        longest = max(longest, time.monotonic() - began)
    assert longest < SOON
    wait_for(lambda: not readable(executor))
    began = time.monotonic()
    executor.close()
    bridge.end()
    assert time.monotonic() - began < 3 * SOON


def test_a_host_that_comes_back_is_read_again_and_gets_no_old_command(tmp_path):
    host = LeRobotHost().start()
    bridge = RunningBridge(host.ports, tmp_path)
    executor = bridge.executor(stale_after=0.5)
    wait_for(lambda: bridge.bridge.status().observations)
    executor.connect()
    host.end()
    wait_for(lambda: not readable(executor))
    executor.write(DRIVE)
    executor.close()
    time.sleep(0.3)
    host.robot.actions.clear()
    host.robot.state = STATE + 1
    host.start()
    wait_for(lambda: bridge.bridge.status().age < 0.1)
    executor.connect()
    np.testing.assert_array_equal(executor.read(), STATE + 1)
    executor.hold()
    wait_for(lambda: host.robot.actions)
    expected = dict(zip(features.NAMES, at_rest(STATE + 1)))
    assert all(action == expected for action in host.robot.actions)
    executor.close()
    bridge.end()
    host.end()


def test_a_stuck_bridge_stops_no_call(tmp_path):
    path = tmp_path / 'bridge'
    silent = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    silent.bind(str(path))
    executor = LeKiwiClientHardware(path, connect_timeout=0.2)
    began = time.monotonic()
    with pytest.raises(HardwareError, match='no state of the robot'):
        executor.connect()
    executor._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    executor._reach()
    refused = 0
    for _ in range(2000):
        try:
            executor.write(DRIVE)
        except HardwareError as error:
            refused += 'takes no commands' in str(error)
    executor.close()
    assert refused and time.monotonic() - began < 3 * SOON
    silent.close()


def test_a_bridge_that_dies_is_an_error_and_its_successor_is_reached(host, talk, tmp_path):
    code = ('import sys, threading\nfrom host_support import RunningBridge\nfrom pathlib import Path\n'
            'RunningBridge((int(sys.argv[1]), int(sys.argv[2])), Path(sys.argv[3]))\nthreading.Event().wait()')
    first = subprocess.Popen(
        [sys.executable, '-c', code, *map(str, host.ports), str(tmp_path)],
        env=os.environ | {'PYTHONPATH': os.pathsep.join(path for path in sys.path if path)})
    wait_for((tmp_path / 'bridge').exists)
    executor = LeKiwiClientHardware(tmp_path / 'bridge', stale_after=5.0, connect_timeout=30.0)
    executor.connect()
    first.send_signal(signal.SIGKILL)
    first.wait()
    with pytest.raises(HardwareError, match='is lekiwi_bridge_node running'):
        executor.write(DRIVE)
    executor.close()
    second = RunningBridge(host.ports, tmp_path)
    executor.connect()
    np.testing.assert_array_equal(executor.read(), STATE)
    executor.close()
    second.end()


def test_one_executor_at_a_time(bridge, executor, host):
    over = threading.Event()

    def hold():
        while not over.wait(0.05):
            executor.hold()

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    with pytest.raises(HardwareError, match='another executor drives this robot'):
        bridge.executor(connect_timeout=0.3).connect()
    over.set()
    thread.join()
    np.testing.assert_array_equal(executor.read(), STATE)


def test_a_socket_is_taken_by_one_bridge_at_a_time(tmp_path):
    port = ExecutorPort(tmp_path / 'deep' / 'bridge')
    assert (tmp_path / 'deep' / 'bridge').stat().st_mode & 0o777 == 0o600
    with pytest.raises(OSError, match='another bridge listens on'):
        ExecutorPort(tmp_path / 'deep' / 'bridge')
    port.close()
    (tmp_path / 'file').write_text('')
    with pytest.raises(OSError, match='is no socket'):
        ExecutorPort(tmp_path / 'file')


@pytest.mark.parametrize('data', [
    b'', b'KWB1', b'XXXX' + bytes(20), b'KWB1' + b'\x09' + bytes(8),
    bridge_wire.pack(Datagram(Kind.COMMAND, 1.0, DRIVE))[:-1],
    bridge_wire.pack(Datagram(Kind.COMMAND, 1.0, DRIVE * np.nan))])
def test_bytes_that_are_no_datagram_are_refused(data):
    with pytest.raises(ValueError):
        bridge_wire.unpack(data)


def test_datagrams_come_back_as_they_were():
    state = bridge_wire.unpack(bridge_wire.pack(Datagram(Kind.STATE, 12.5, DRIVE)))
    assert (state.kind, state.time) == (Kind.STATE, 12.5)
    np.testing.assert_array_equal(state.values, DRIVE)
    notice = bridge_wire.unpack(bridge_wire.pack(Datagram(Kind.NOTICE, 1.0, text='warum? ' + 'ü' * 900)))
    assert notice.text.startswith('warum? ü') and len(notice.text) == bridge_wire.MAX_TEXT
