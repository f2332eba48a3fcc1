"""The memory of one servo: codings and write protection."""

import pytest

from kiwi_sim.registers import Address, Mode, ServoRegisters, decode_sign_magnitude, encode_sign_magnitude


@pytest.mark.parametrize(('value', 'sign_bit', 'word'), [
    (0, 15, 0), (300, 15, 300), (-300, 15, 0x8000 | 300), (-1, 10, 0x401), (-2047, 11, 0xFFF),
    (40000, 15, 0x7FFF), (-5000, 10, 0x7FF),
])
def test_sign_magnitude(value, sign_bit, word):
    assert encode_sign_magnitude(value, sign_bit) == word
    limit = (1 << sign_bit) - 1
    assert decode_sign_magnitude(word, sign_bit) == max(-limit, min(limit, value))


def test_words_are_little_endian_and_signed_where_the_servo_signs_them():
    servo = ServoRegisters(4, homing_offset=-85, range_min=967, range_max=3128)
    servo.set(Address.PRESENT_VELOCITY, -300)
    assert servo.read(Address.PRESENT_VELOCITY, 2) == bytes((0x2C, 0x81))
    assert servo.get(Address.PRESENT_VELOCITY) == -300
    assert servo.read(Address.HOMING_OFFSET, 2) == bytes((85, 0x08))
    assert servo.read(Address.MODEL, 3) == bytes((0x09, 0x03, 4))
    assert servo.read(Address.MIN_POSITION, 4) == (967).to_bytes(2, 'little') + (3128).to_bytes(2, 'little')


def test_a_locked_eeprom_forgets_at_power_off_and_an_open_one_does_not():
    servo = ServoRegisters(1)
    servo.write(Address.MIN_POSITION, (500).to_bytes(2, 'little'))
    assert servo.get(Address.MIN_POSITION) == 500
    servo.power_cycle()
    assert servo.get(Address.MIN_POSITION) == 0

    servo.write(Address.LOCK, b'\0')
    servo.write(Address.MIN_POSITION, (500).to_bytes(2, 'little'))
    servo.write(Address.TORQUE_ENABLE, b'\1')
    servo.power_cycle()
    assert servo.get(Address.MIN_POSITION) == 500
    assert servo[Address.TORQUE_ENABLE] == 0
    assert servo[Address.LOCK] == 1


@pytest.mark.parametrize('address', [
    Address.FIRMWARE_MAJOR, Address.MODEL, Address.ID, Address.PRESENT_POSITION, Address.PRESENT_VOLTAGE,
])
def test_read_only_bytes_keep_their_value(address):
    servo = ServoRegisters(7, mode=Mode.VELOCITY)
    before = servo.read(0, 87)
    servo.write(address, b'\x55')
    assert servo.read(0, 87) == before


def test_reading_beyond_the_table_gives_zeros_and_writing_there_nothing():
    servo = ServoRegisters(1)
    servo.write(84, bytes(10))
    assert servo.read(84, 6) == bytes(6)
