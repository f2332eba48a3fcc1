"""The guardian: whatever becomes of the driver's process, the wheels come to rest."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip('kiwi_sim')
from bus_rig import WHEEL_IDS, Rig  # noqa: E402
from kiwi_sim.feetech_protocol import encode_instruction  # noqa: E402
from kiwi_sim.registers import Address  # noqa: E402

from kiwi_policy.hardware import guardian  # noqa: E402
from kiwi_policy.hardware.guard import Guard  # noqa: E402
from kiwi_policy.hardware.interface import HardwareError  # noqa: E402

LATE = 5.0
"""s in which a busy test machine gets there; the true times are `make bench-faults`'s."""

DRIVER = """
import os, sys, time
from kiwi_policy.hardware.guard import Guard
from kiwi_policy.hardware.guardian import packet
port = os.open(sys.argv[1], os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
guard = Guard(port, [7, 8, 9], 0.2)
speed, moving = int(sys.argv[2]), guard.moving if int(sys.argv[2]) else guard.resting
print(guard.pid, flush=True)
while True:
    for _ in range(10 if sys.argv[3:] else 0):
        moving()
        time.sleep(0.05)
    moving()
    os.write(port, packet(0xFE, 0x83, 46, 2, *(b for wheel in (7, 8, 9) for b in (wheel, *speed.to_bytes(2, 'little')))))
    time.sleep(0.033)
"""


@pytest.fixture
def rig():
    rig = Rig()
    rig.power()
    yield rig
    rig.bus.stop()


@pytest.fixture
def drive(rig):
    """Starts a process that turns the wheels; returns it and the pid of its guardian."""
    running = []

    def start(speed=500, *pace):
        driver = subprocess.Popen([sys.executable, '-c', DRIVER, rig.bus.path, str(speed), *pace],
                                  stdout=subprocess.PIPE, text=True)
        running.append(driver)
        pid = int(driver.stdout.readline())
        assert within(LATE, lambda: speeds(rig) == [speed] * 3)
        return driver, pid

    yield start
    for driver in running:
        driver.kill()
        driver.wait()


def speeds(rig):
    goals = rig.goals(Address.GOAL_VELOCITY)
    return [goals[wheel - 1] for wheel in WHEEL_IDS]


def within(seconds, condition):
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.005)
    return condition()


def alive(pid):
    try:
        with open(f'/proc/{pid}/stat') as stat:
            return stat.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False


def test_packets_are_the_protocols():
    theirs = encode_instruction(254, 0x83, bytes((46, 2, 7, 0, 0)))
    assert guardian.packet(254, guardian.SYNC_WRITE, guardian.GOAL_VELOCITY, 2, 7, 0, 0) == theirs
    assert guardian.GOAL_VELOCITY == Address.GOAL_VELOCITY


@pytest.mark.parametrize('end', [signal.SIGKILL, signal.SIGSTOP], ids=['killed', 'hung'])
def test_the_wheels_stop_without_their_driver(rig, drive, end):
    driver, pid = drive()
    driver.send_signal(end)
    assert within(LATE, lambda: speeds(rig) == [0] * 3)
    assert driver.wait(LATE) == -signal.SIGKILL
    assert within(LATE, lambda: not alive(pid))
    before = len(rig.writes)
    time.sleep(0.2)
    assert len(rig.writes) == before, 'somebody still drives'


def test_a_driver_at_rest_may_take_its_time(rig, drive):
    driver, pid = drive(speed=0)
    driver.send_signal(signal.SIGSTOP)
    time.sleep(1.0)
    assert alive(driver.pid) and alive(pid)
    driver.send_signal(signal.SIGCONT)


def test_signals_of_a_terminal_do_not_end_it(rig, drive):
    driver, pid = drive()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(pid, number)
    assert os.getsid(pid) == pid
    driver.kill()
    assert within(LATE, lambda: speeds(rig) == [0] * 3)


def test_it_goes_on_until_every_wheel_has_confirmed(rig, drive):
    driver, pid = drive()
    rig.bus.faults.silent.add(8)
    driver.kill()
    assert within(LATE, lambda: speeds(rig) == [0, 500, 0])
    time.sleep(0.3)
    assert alive(pid)
    rig.bus.faults.silent.clear()
    assert within(LATE, lambda: speeds(rig) == [0] * 3)
    assert within(LATE, lambda: not alive(pid))


def test_a_bus_that_is_gone_ends_it(rig, drive):
    driver, pid = drive()
    rig.bus.stop()
    driver.kill()
    assert within(LATE, lambda: not alive(pid))


@pytest.fixture
def guard(rig):
    port = os.open(rig.bus.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    guard = Guard(port, WHEEL_IDS, 0.2)
    yield guard
    guard.kill()
    os.close(port)


def test_a_driver_that_quits_is_left_alone(rig, guard):
    rig.bank.write([(7, Address.GOAL_VELOCITY, (300).to_bytes(2, 'little'))])
    guard.quit()
    assert not alive(guard.pid)
    assert speeds(rig)[0] == 300


def test_a_driver_that_leaves_a_turning_wheel_lives_on_while_the_guardian_stops_it(rig, guard):
    rig.bank.write([(7, Address.GOAL_VELOCITY, (300).to_bytes(2, 'little'))])
    guard.leave()
    assert within(LATE, lambda: speeds(rig)[0] == 0)


def test_beats_between_slow_packets_count(drive):
    driver, pid = drive(500, 'slow')
    time.sleep(1.5)
    assert alive(driver.pid) and alive(pid)


def test_without_a_guardian_the_wheels_do_not_turn(guard):
    os.kill(guard.pid, signal.SIGKILL)
    assert within(LATE, lambda: not guard.beat())
    with pytest.raises(HardwareError, match=rf'guardian \(process {guard.pid}\) is gone'):
        guard.moving()


HARDWARE = """
import sys, time
from kiwi_policy.hardware.lekiwi import LeKiwiHardware
from kiwi_sim.servos import CALIBRATION_PATH
hardware = LeKiwiHardware(sys.argv[1], CALIBRATION_PATH, retries=5, reply_timeout=0.1)
hardware.connect()
action = hardware.read()
action[6:] = 0.1, 0.0, 20.0
until = time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    hardware.read()
    hardware.write(action)
    time.sleep(0.03)
print('closing', flush=True)
hardware.close()
"""


@pytest.fixture
def lekiwi(rig):
    running = []

    def start(seconds):
        running.append(subprocess.Popen([sys.executable, '-c', HARDWARE, rig.bus.path, str(seconds)],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        assert within(60.0, lambda: any(speeds(rig)))
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.wait()


@pytest.mark.parametrize('end', [signal.SIGKILL, signal.SIGSTOP], ids=['killed', 'hung'])
def test_lekiwi_stops_without_its_process_and_its_arm_holds(rig, lekiwi, end):
    process = lekiwi(60.0)
    goals = rig.goals(Address.GOAL_POSITION)
    process.send_signal(end)
    assert within(LATE, lambda: speeds(rig) == [0] * 3)
    assert process.wait(LATE) == -signal.SIGKILL
    assert rig.goals(Address.GOAL_POSITION) == goals
    assert rig.torque() == [1] * 9
    said = process.stderr.read()
    assert f'guardian: process {process.pid}' in said and 'commanded to stand, and confirm it' in said


def test_lekiwi_closes_in_peace(rig, lekiwi):
    process = lekiwi(0.5)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, 'closing\n', '')
    assert speeds(rig) == [0] * 3
