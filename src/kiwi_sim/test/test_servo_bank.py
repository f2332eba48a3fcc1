"""What registers do to joints and joints to registers."""

import numpy as np
import pytest

from kiwi_sim.ideal_servos import IdealServos
from kiwi_sim.registers import Address
from kiwi_sim.servo_bank import ServoBank
from kiwi_sim.servos import ServoCalibration


def word(value):
    return value.to_bytes(2, 'little')


@pytest.fixture
def servos():
    return IdealServos(position=2000)


@pytest.fixture
def bank(servos):
    return ServoBank(servos, goal_enables_torque=False)


def read_word(bank, servo_id, address):
    bank.read([servo_id], address, 2)
    return bank.registers(servo_id).get(address)


def test_power_up_is_limp_with_goals_where_the_joints_are(bank, servos):
    assert not servos.command.torque.any()
    assert [bank.registers(i).get(Address.GOAL_POSITION) for i in bank.ids] == [2000] * 9


def test_a_goal_is_followed_only_under_torque_and_kept_until_then(bank, servos):
    bank.write([(1, Address.GOAL_POSITION, word(1500))])
    assert read_word(bank, 1, Address.PRESENT_POSITION) == 2000
    bank.write([(1, Address.TORQUE_ENABLE, b'\1')])
    assert read_word(bank, 1, Address.PRESENT_POSITION) == 1500
    bank.write([(1, Address.TORQUE_ENABLE, b'\0')])
    servos.position[0] = 1800
    assert read_word(bank, 1, Address.PRESENT_POSITION) == 1800
    bank.write([(1, Address.TORQUE_ENABLE, b'\1')])
    assert read_word(bank, 1, Address.PRESENT_POSITION) == 1500


def test_a_goal_switches_the_torque_on_where_the_firmware_does(servos):
    bank = ServoBank(servos)
    bank.write([(2, Address.GOAL_POSITION, word(1500))])
    assert bank.registers(2)[Address.TORQUE_ENABLE] == 1
    assert read_word(bank, 2, Address.PRESENT_POSITION) == 1500


def test_goals_stop_at_the_position_limits(bank):
    bank.write([(3, Address.MIN_POSITION, word(1000)), (3, Address.MAX_POSITION, word(3000))])
    bank.write([(3, Address.TORQUE_ENABLE, b'\1'), (3, Address.GOAL_POSITION, word(3500))])
    assert read_word(bank, 3, Address.PRESENT_POSITION) == 3000
    assert bank.registers(3).get(Address.GOAL_POSITION) == 3500


def test_wheels_turn_at_a_signed_velocity(bank, servos):
    bank.write([(7, Address.TORQUE_ENABLE, b'\1'), (7, Address.GOAL_VELOCITY, word(0x8000 | 700))])
    assert servos.command.velocity[6] == -700
    assert bank.read([7], Address.PRESENT_VELOCITY, 2) == [word(0x8000 | 700)]
    assert bank.read([7], Address.MOVING, 1) == [b'\1']
    bank.write([(7, Address.TORQUE_ENABLE, b'\0')])
    assert bank.read([7], Address.MOVING, 1) == [b'\0']


def test_the_homing_offset_shifts_what_is_read_and_what_is_meant(servos):
    entries = [ServoCalibration(i, 0, 100, 0, 4095) for i in range(1, 10)]
    bank = ServoBank(servos, entries)
    assert read_word(bank, 1, Address.PRESENT_POSITION) == 2000
    bank.write([(1, Address.HOMING_OFFSET, word(150))])
    assert read_word(bank, 1, Address.PRESENT_POSITION) == 1950
    bank.write([(1, Address.GOAL_POSITION, word(2000)), (1, Address.TORQUE_ENABLE, b'\1')])
    assert servos.position[0] == 2050
    assert read_word(bank, 1, Address.PRESENT_POSITION) == 2000


def test_128_makes_the_present_position_the_middle(bank, servos):
    bank.write([(1, Address.TORQUE_ENABLE, b'\x80')])
    assert read_word(bank, 1, Address.PRESENT_POSITION) == 2048
    assert bank.registers(1).get(Address.HOMING_OFFSET) == -48
    assert bank.registers(1)[Address.TORQUE_ENABLE] == 0
    assert servos.position[0] == 2000


def test_reset_goals_stops_the_wheels_and_holds_where_the_joints_were_put(bank, servos):
    bank.write([(i, Address.TORQUE_ENABLE, b'\1') for i in bank.ids])
    bank.write([(8, Address.GOAL_VELOCITY, word(500)), (1, Address.GOAL_POSITION, word(1500))])
    servos.position[0] = 2500
    bank.reset_goals()
    assert read_word(bank, 1, Address.GOAL_POSITION) == read_word(bank, 1, Address.PRESENT_POSITION) == 2500
    assert servos.command.velocity[7] == 0
    assert servos.command.torque.all()


def test_a_power_cycle_lets_go(bank, servos):
    bank.write([(i, Address.TORQUE_ENABLE, b'\1') for i in bank.ids])
    bank.power_cycle()
    assert not servos.command.torque.any()


def test_health_registers_follow_the_load(bank, servos, monkeypatch):
    rest = bank.read([1], Address.PRESENT_VOLTAGE, 2)[0]
    assert rest == bytes((120, 25))
    readings = servos.measure()
    loaded = type(readings)(readings.position, readings.velocity, np.full(9, -0.5), readings.seconds + 600.0)
    monkeypatch.setattr(servos, 'measure', lambda: loaded)
    assert bank.read([1], Address.PRESENT_LOAD, 2) == [word(0x400 | 500)]
    voltage, temperature = bank.read([1], Address.PRESENT_VOLTAGE, 2)[0]
    assert voltage < 110
    assert 35 < temperature < 41
    assert bank.read([1], Address.PRESENT_CURRENT, 2) == [word(round((0.006 + 1.35) / 0.0065))]
