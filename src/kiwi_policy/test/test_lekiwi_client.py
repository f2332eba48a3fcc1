"""LeKiwiClientHardware through a running bridge: what arrives, what is refused, and when the base rests."""

import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from host_support import STATE, PlayedHost, RunningBridge, Talk, readable, wait_for

from kiwi_policy.core import features
from kiwi_policy.hardware.command_gate import at_rest
from kiwi_policy.hardware.interface import Hardware, HardwareError

DRIVE = np.array([10.0, -20.0, 30.0, 60.0, -90.0, 50.0, 0.2, -0.1, 30.0])


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


def heard(host, wanted):
    """Wait for a command; returns all up to it."""
    seen = []
    wait_for(lambda: seen.extend(host.commands()) or any(np.array_equal(wanted, each) for each in seen))
    return seen


def test_the_state_of_the_host_arrives_and_a_command_leaves(executor, host):
    assert isinstance(executor, Hardware)
    state = executor.read()
    assert state.dtype == np.float64
    np.testing.assert_array_equal(state, STATE)
    executor.write(DRIVE)
    heard(host, DRIVE)


def test_hold_keeps_the_last_goal_and_before_any_where_the_arm_was(executor, host):
    executor.hold()
    heard(host, at_rest(STATE))
    executor.write(DRIVE)
    executor.hold()
    heard(host, at_rest(DRIVE))


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('index', [0, 5, 8])
def test_values_that_are_not_finite_are_refused_and_nothing_is_sent(executor, host, bad, index):
    values = DRIVE.copy()
    values[index] = bad
    with pytest.raises(HardwareError, match=features.NAMES[index]):
        executor.write(values)
    with pytest.raises(HardwareError, match='shape'):
        executor.write(np.zeros(8))
    time.sleep(0.05)
    assert host.commands() == []


def test_a_state_that_is_too_old_is_an_error_that_names_its_age(bridge, host, talk):
    executor = bridge.executor(stale_after=0.3)
    executor.connect()
    talk.end()
    time.sleep(0.4)
    with pytest.raises(HardwareError, match=r'newest state of the robot is 0\.\d+ s old, stale_after is 0\.30 s'):
        executor.read()
    wait_for(lambda: host.send_state(STATE + 1) or readable(executor))
    np.testing.assert_array_equal(executor.read(), STATE + 1)
    executor.close()


def test_close_brings_the_base_to_rest_last(executor, host):
    executor.write(DRIVE)
    heard(host, DRIVE)
    executor.close()
    wait_for(lambda: np.array_equal((host.commands() or [DRIVE])[-1], at_rest(DRIVE)))
    executor.close()
    for call in (executor.read, executor.hold, lambda: executor.write(DRIVE)):
        with pytest.raises(HardwareError, match='not connected'):
            call()


def test_close_says_when_the_base_still_moves(bridge, host, caplog):
    over = threading.Event()

    def roll():
        while not over.wait(0.02):
            host.send_state(DRIVE)

    thread = threading.Thread(target=roll, daemon=True)
    thread.start()
    executor = bridge.executor()
    executor.connect()
    executor.close()
    assert 'still moves' in caplog.text and '[0.2, -0.1, 30.0]' in caplog.text
    over.set()
    thread.join()


def test_the_torque_cannot_be_released_from_here(executor, host):
    with pytest.raises(HardwareError, match='end lekiwi_host'):
        executor.release()
    assert executor.next_health() is None
    executor.write(DRIVE)
    executor.engage()
    heard(host, at_rest(STATE))


def test_the_bridge_brings_the_base_to_rest_when_the_executor_falls_silent(executor, host):
    executor.write(DRIVE)
    seen = heard(host, DRIVE)
    seen += heard(host, at_rest(DRIVE))
    assert np.array_equal(seen[-1], at_rest(DRIVE))


def test_the_bridge_brings_the_base_to_rest_at_its_end(host, talk, tmp_path):
    bridge = RunningBridge(host.ports, tmp_path, command_timeout=30.0)
    executor = bridge.executor()
    executor.connect()
    executor.write(DRIVE)
    heard(host, DRIVE)
    bridge.end()
    heard(host, at_rest(DRIVE))
    assert not bridge.path.exists()
    executor.close()


def test_the_base_does_not_drive_while_the_state_is_stale(host, talk, tmp_path):
    bridge = RunningBridge(host.ports, tmp_path, stale_after=0.1)
    executor = bridge.executor()
    executor.connect()
    talk.end()
    wait_for(lambda: bridge.bridge.status().age > 0.1)
    executor.write(DRIVE)
    seen = heard(host, at_rest(DRIVE))
    assert not any(np.array_equal(each, DRIVE) for each in seen)
    bridge.end()
    executor.close()


def test_the_clients_import_needs_no_lerobot():
    code = (
        'import sys, kiwi_policy.hardware.lekiwi_client, kiwi_policy.hardware.lekiwi_bridge\n'
        'sys.exit(bool({"lerobot", "torch"} & set(sys.modules)))'
    )
    assert subprocess.run([sys.executable, '-c', code], env=os.environ, check=False).returncode == 0
