"""LeKiwiHardware on the emulated bus: what it writes, in which order, and how it fails."""

import contextlib
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from kiwi_policy.core import features
from kiwi_policy.hardware.interface import Hardware, HardwareError
from kiwi_policy.hardware.lekiwi import LeKiwiHardware
from kiwi_policy.hardware.servo_health import decode_health

pytest.importorskip('kiwi_sim')
from bus_rig import ARM_IDS, PATIENT, WHEEL_IDS, Rig  # noqa: E402
from kiwi_sim.feetech_protocol import Instruction  # noqa: E402
from kiwi_sim.registers import Address, Mode  # noqa: E402
from kiwi_sim.servos import CALIBRATION_PATH  # noqa: E402


@pytest.fixture
def rig():
    rig = Rig()
    yield rig
    rig.bus.stop()


@pytest.fixture
def no_stdin(monkeypatch):
    def refuse(*_):
        raise AssertionError('read from stdin')

    monkeypatch.setattr('builtins.input', refuse)


def persistently(call, attempts=50):
    """Result of a call whose short timeout a busy test machine may miss a few times."""
    for _ in range(attempts - 1):
        with contextlib.suppress(HardwareError):
            return call()
    return call()


def index_of(writes, servo_id, address):
    return [i for i, write in enumerate(writes) if write[:2] == (servo_id, address)]


@pytest.mark.parametrize('goal_enables_torque', [False, True])
def test_a_limp_robot_gets_its_goals_before_its_torque(goal_enables_torque):
    rig = Rig(goal_enables_torque)
    rig.servos.position[:] = 2000 + np.arange(9)
    for servo_id in WHEEL_IDS:
        rig.bank.registers(servo_id).set(Address.GOAL_VELOCITY, 900)
    with rig.hardware() as hardware:
        assert isinstance(hardware, Hardware)
        eeprom = [i for i, (_, where, _) in enumerate(rig.writes) if where < Address.TORQUE_ENABLE]
        for servo_id in rig.bank.ids:
            goal = Address.GOAL_POSITION if servo_id in ARM_IDS else Address.GOAL_VELOCITY
            torque = index_of(rig.writes, servo_id, Address.TORQUE_ENABLE)
            switched = [i for i in torque if rig.writes[i][2] == 1]
            given = index_of(rig.writes, servo_id, goal)
            assert max(eeprom) < given[0] < switched[0]
            assert rig.writes[given[0]][2] == (2000 + servo_id - 1 if servo_id in ARM_IDS else 0)
        assert rig.torque() == [1] * 9
        np.testing.assert_array_equal(rig.servos.position[:6], 2000 + np.arange(6))
        modes = [rig.bank.registers(servo_id)[Address.MODE] for servo_id in rig.bank.ids]
        assert modes == [Mode.POSITION] * 6 + [Mode.VELOCITY] * 3
        assert [rig.bank.registers(servo_id)[Address.P_COEFFICIENT] for servo_id in ARM_IDS] == [16] * 6
    rig.bus.stop()


def test_a_powered_robot_is_left_alone_but_for_its_wheels(rig):
    rig.power()
    rig.bank.write([(1, Address.GOAL_POSITION, (1700).to_bytes(2, 'little'))])
    rig.bank.write([(8, Address.GOAL_VELOCITY, (500).to_bytes(2, 'little'))])
    with rig.hardware():
        assert {(servo_id, address) for servo_id, address, _ in rig.writes} == {
            (servo_id, Address.GOAL_VELOCITY) for servo_id in WHEEL_IDS
        }
        assert rig.bank.registers(1).get(Address.GOAL_POSITION) == 1700
        assert rig.bank.registers(8).get(Address.GOAL_VELOCITY) == 0


def test_only_the_limp_servos_of_a_half_powered_robot_are_configured(rig):
    rig.power()
    rig.bank.write([(4, Address.TORQUE_ENABLE, b'\0')])
    with rig.hardware():
        touched = {servo_id for servo_id, address, _ in rig.writes if address != Address.GOAL_VELOCITY}
        assert touched == {4}
        assert rig.torque() == [1] * 9


def test_settings_that_fit_are_not_written_to_the_eeprom_again(rig):
    with rig.hardware():
        pass
    rig.bank.power_cycle()
    rig.writes.clear()
    with rig.hardware():
        assert not [write for write in rig.writes if write[1] < Address.TORQUE_ENABLE]
        assert rig.torque() == [1] * 9


def test_what_is_written_is_read_back(rig):
    values = np.array([30.0, -45.0, 60.0, -20.0, 100.0, 75.0, 0.1, -0.05, 20.0])
    with rig.hardware() as hardware:
        hardware.write(values)
        hardware.read()
        state = hardware.read()
    assert state.shape == (features.DIM,) and state.dtype == np.float64
    np.testing.assert_allclose(state[features.ARM], values[features.ARM], atol=0.1)
    np.testing.assert_allclose(state[features.GRIPPER], values[features.GRIPPER], atol=0.1)
    np.testing.assert_allclose(state[features.BASE], values[features.BASE], rtol=0, atol=0.1)
    np.testing.assert_allclose(state[6:8], values[6:8], atol=1e-3)


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('index', [0, 5, 8])
def test_values_that_are_not_finite_are_refused_and_nothing_is_sent(rig, bad, index):
    values = np.zeros(features.DIM)
    values[index] = bad
    with rig.hardware() as hardware:
        rig.writes.clear()
        with pytest.raises(HardwareError, match=features.NAMES[index]):
            hardware.write(values)
        with pytest.raises(HardwareError, match='shape'):
            hardware.write(np.zeros(8))
        hardware.read()
        assert rig.writes == []


def test_hold_stops_the_base_and_keeps_the_arm(rig):
    with rig.hardware() as hardware:
        hardware.write([10.0, 0, 0, 0, 0, 50.0, 0.2, 0.1, 30.0])
        hardware.read()
        goals = rig.goals(Address.GOAL_POSITION)
        hardware.hold()
        hardware.read()
        assert rig.goals(Address.GOAL_VELOCITY)[6:] == [0, 0, 0]
        assert rig.goals(Address.GOAL_POSITION) == goals


def test_close_stops_the_base_last_and_leaves_the_torque_on(rig):
    hardware = rig.hardware()
    hardware.connect()
    hardware.write([10.0, 0, 0, 0, 0, 50.0, 0.2, 0.1, 30.0])
    hardware.close()
    assert rig.writes[-3:] == [(servo_id, Address.GOAL_VELOCITY, 0) for servo_id in WHEEL_IDS]
    assert rig.torque() == [1] * 9
    hardware.close()
    with pytest.raises(HardwareError, match='not connected'):
        hardware.read()


def test_a_call_interrupted_in_the_middle_does_not_keep_the_base_from_stopping(rig, monkeypatch):
    hardware = rig.hardware()
    hardware.connect()
    hardware.write([10.0, 0, 0, 0, 0, 50.0, 0.2, 0.1, 30.0])

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(hardware._robot.bus.port_handler, 'readPort', interrupt)
        with pytest.raises(KeyboardInterrupt):
            hardware.read()
    hardware.close()
    assert rig.goals(Address.GOAL_VELOCITY)[6:] == [0, 0, 0]


def test_it_connects_again_after_close_and_is_left_alone_then(rig):
    with rig.hardware():
        pass
    rig.writes.clear()
    with rig.hardware() as hardware:
        hardware.read()
        assert not [write for write in rig.writes if write[1] != Address.GOAL_VELOCITY]


def test_another_calibration_is_an_error_and_no_question(rig, tmp_path, no_stdin):
    entries = json.loads(CALIBRATION_PATH.read_text())
    entries['arm_elbow_flex']['range_min'] += 10
    path = tmp_path / 'other.json'
    path.write_text(json.dumps(entries))
    with pytest.raises(HardwareError, match=r'arm_elbow_flex Min_Position_Limit is \d+, the file says \d+'):
        LeKiwiHardware(rig.bus.path, path, reply_timeout=PATIENT).connect()
    assert rig.writes == []


def test_a_broken_or_missing_calibration_file_is_named(rig, tmp_path):
    path = tmp_path / 'broken.json'
    with pytest.raises(HardwareError, match='no calibration file .*broken.json'):
        LeKiwiHardware(rig.bus.path, path).connect()
    path.write_text('{"arm_elbow_flex": 3}')
    with pytest.raises(HardwareError, match='broken.json'):
        LeKiwiHardware(rig.bus.path, path).connect()


def test_a_missing_port_is_named_with_those_present():
    with pytest.raises(HardwareError, match=r'no serial port /dev/nowhere; present: '):
        LeKiwiHardware('/dev/nowhere', CALIBRATION_PATH).connect()


def test_a_port_is_used_by_one_at_a_time(rig):
    with rig.hardware() as hardware:
        with pytest.raises(HardwareError, match='lock'):
            rig.hardware().connect()
        hardware.read()


def test_a_missing_servo_is_named(rig):
    rig.bus.faults.silent.add(3)
    with pytest.raises(HardwareError, match=r'arm_elbow_flex \(id 3\)'):
        rig.hardware(reply_timeout=0.1).connect()
    assert rig.writes == []


def test_an_unplugged_bus_fails_and_can_be_closed(rig):
    hardware = rig.hardware(reply_timeout=0.05)
    persistently(hardware.connect)
    rig.bus.stop()
    with pytest.raises(HardwareError):
        hardware.read()
    with pytest.raises(HardwareError):
        hardware.write(np.zeros(features.DIM))
    with pytest.raises(HardwareError):
        hardware.hold()
    hardware.close()


def test_a_dead_bus_fails_after_bounded_tries_and_recovers(rig):
    hardware = rig.hardware(reply_timeout=0.05)
    persistently(hardware.connect)
    rig.bus.faults.silent.update(rig.bank.ids)
    with pytest.raises(HardwareError, match='reading failed'):
        hardware.read()
    rig.bus.faults.silent.clear()
    assert np.isfinite(persistently(hardware.read)).all()
    hardware.close()


def test_lost_and_garbled_replies_never_become_false_values(rig):
    hardware = rig.hardware(reply_timeout=0.02)
    persistently(hardware.connect)
    hardware.write(np.array([30.0, -45.0, 60.0, -20.0, 100.0, 75.0, 0.1, -0.05, 20.0]))
    truth = persistently(hardware.read)
    rig.bus.faults.drop = rig.bus.faults.corrupt = 0.03
    good = 0
    for _ in range(60):
        with contextlib.suppress(HardwareError):
            np.testing.assert_array_equal(hardware.read(), truth)
            good += 1
    rig.bus.faults.drop = rig.bus.faults.corrupt = 0.0
    hardware.close()
    assert good > 0


def test_importing_the_interface_needs_no_lerobot():
    code = (
        'import sys, kiwi_policy.hardware.lekiwi\n'
        'sys.exit(bool({"lerobot", "torch"} & set(sys.modules)))'
    )
    assert subprocess.run([sys.executable, '-c', code], env=os.environ, check=False).returncode == 0


def test_every_servo_tells_its_health_in_turn(rig):
    with rig.hardware() as hardware:
        told = [hardware.next_health() for _ in range(10)]
    assert [health.servo for health in told[:6]] == list(features.JOINTS)
    assert [health.servo for health in told[6:9]] == ['base_left_wheel', 'base_back_wheel', 'base_right_wheel']
    assert told[9].servo == told[0].servo
    assert all(health.temperature == 25.0 and 11.0 < health.voltage < 12.1 and health.faults == () for health in told)


def test_health_is_decoded_from_the_registers():
    data = bytes((0x0A, 0x04 | 0x02, 121, 64, 0, 4 | 32, 0, 0, 0, 100, 0))
    health = decode_health('arm_elbow_flex', data)
    assert (health.servo, health.voltage, health.temperature) == ('elbow_flex', 12.1, 64.0)
    assert health.load == pytest.approx(0.522)
    assert health.current == pytest.approx(0.65)
    assert health.faults == ('overheated', 'overload')


def test_a_silent_servo_tells_no_health_and_is_named(rig):
    with rig.hardware(reply_timeout=0.02) as hardware:
        rig.bus.faults.silent.add(1)
        with pytest.raises(HardwareError, match='arm_shoulder_pan did not tell its health'):
            hardware.next_health()
        rig.bus.faults.silent.clear()


def test_a_robot_that_is_reached_again_stops_its_wheels_before_all_else(rig):
    packets = []
    hardware = rig.hardware()
    hardware.connect()
    hardware.write(np.array([10.0, -20.0, 30.0, 40.0, 0.0, 50.0, 0.1, 0.0, 20.0]))
    hardware.read()
    goals = rig.goals(Address.GOAL_POSITION)
    rig.bus.stop()
    hardware.close()
    assert all(rig.goals(Address.GOAL_VELOCITY)[6:])        # nothing reached them
    hardware.port = rig.bus.start()
    note, rig.bus._on_packet = rig.bus._on_packet, lambda packet: (packets.append(packet), note(packet))
    rig.writes.clear()
    hardware.connect()
    assert packets[0].instruction == Instruction.SYNC_WRITE
    assert rig.writes[:3] == [(wheel, Address.GOAL_VELOCITY, 0) for wheel in WHEEL_IDS]
    assert rig.goals(Address.GOAL_POSITION) == goals and rig.torque() == [1] * 9
    hardware.close()


def test_a_garbled_reading_is_repeated_at_once(rig):
    with rig.hardware(retries=0) as hardware:
        truth = hardware.read()
        given = iter([1.0])
        pass_on = rig.bus.faults.pass_on
        rig.bus.faults.pass_on = lambda packet: pass_on(packet) if not next(given, 0) else packet[:-1] + b'\0'
        np.testing.assert_array_equal(hardware.read(), truth)


def test_released_servos_stay_limp_over_a_reconnect_and_come_back_without_a_jump(rig):
    hardware = rig.hardware()
    hardware.connect()
    hardware.write(np.array([10.0, -20.0, 30.0, 40.0, 0.0, 50.0, 0.1, 0.0, 0.0]))
    hardware.release()
    assert rig.torque() == [0] * 9
    assert rig.goals(Address.GOAL_VELOCITY)[6:] == [0] * 3
    rig.servos.position[:5] = 1900
    hardware.close()
    hardware.connect()
    assert rig.torque() == [0] * 9
    rig.writes.clear()
    hardware.engage()
    assert rig.torque() == [1] * 9
    np.testing.assert_array_equal(rig.servos.position[:5], 1900)
    assert rig.goals(Address.GOAL_POSITION)[:5] == [1900] * 5
    hardware.close()
