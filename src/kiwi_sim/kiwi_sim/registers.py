"""The memory of one STS3215 servo: addresses, codings, write protection. No physics.

EEPROM (below 40, and the factory block from 80) is copied to working memory at power-up. A write
there always changes working memory; it survives a power cycle only if the lock register is 0.
"""

from enum import IntEnum

MODEL_STS3215 = 777
FIRMWARE = (3, 10)
RESOLUTION = 4096
"""Encoder ticks per revolution."""


class Address(IntEnum):
    """First byte of the registers the emulation gives a meaning to."""

    FIRMWARE_MAJOR = 0
    FIRMWARE_MINOR = 1
    MODEL = 3
    ID = 5
    BAUD_RATE = 6
    RETURN_DELAY = 7
    RESPONSE_LEVEL = 8
    MIN_POSITION = 9
    MAX_POSITION = 11
    MAX_TEMPERATURE = 13
    MAX_VOLTAGE = 14
    MIN_VOLTAGE = 15
    MAX_TORQUE = 16
    PHASE = 18
    P_COEFFICIENT = 21
    D_COEFFICIENT = 22
    I_COEFFICIENT = 23
    HOMING_OFFSET = 31
    MODE = 33
    TORQUE_ENABLE = 40
    ACCELERATION = 41
    GOAL_POSITION = 42
    GOAL_TIME = 44
    GOAL_VELOCITY = 46
    TORQUE_LIMIT = 48
    LOCK = 55
    PRESENT_POSITION = 56
    PRESENT_VELOCITY = 58
    PRESENT_LOAD = 60
    PRESENT_VOLTAGE = 62
    PRESENT_TEMPERATURE = 63
    STATUS = 65
    MOVING = 66
    PRESENT_CURRENT = 69
    MOVING_THRESHOLD = 80
    MAX_ACCELERATION = 85


class Mode(IntEnum):
    """Values of the operating mode register."""

    POSITION = 0
    VELOCITY = 1


SIZE = 87
SIGN_BIT = {
    Address.HOMING_OFFSET: 11,
    Address.GOAL_POSITION: 15,
    Address.GOAL_VELOCITY: 15,
    Address.PRESENT_POSITION: 15,
    Address.PRESENT_VELOCITY: 15,
    Address.PRESENT_LOAD: 10,
}
"""Bit that carries the sign of a sign-magnitude word."""

PRESENT = range(Address.PRESENT_POSITION, 71)
_READ_ONLY = (range(0, 5), range(Address.ID, Address.RETURN_DELAY), range(56, 80))
_EEPROM = (range(5, 40), range(80, SIZE))
_FACTORY_BYTES = {
    Address.BAUD_RATE: 0, Address.RETURN_DELAY: 250, Address.RESPONSE_LEVEL: 1, Address.MAX_TEMPERATURE: 70,
    Address.MAX_VOLTAGE: 140, Address.MIN_VOLTAGE: 40, Address.PHASE: 0x0C, Address.P_COEFFICIENT: 32,
    Address.D_COEFFICIENT: 32, Address.I_COEFFICIENT: 0, Address.MOVING_THRESHOLD: 1,
    Address.MAX_ACCELERATION: 254, Address.LOCK: 1,
}
_FACTORY_WORDS = {Address.MAX_TORQUE: 1000, Address.TORQUE_LIMIT: 1000}


def encode_sign_magnitude(value, sign_bit):
    """Magnitude below `sign_bit`, sign in it; the magnitude saturates."""
    magnitude = min(abs(int(value)), (1 << sign_bit) - 1)
    return magnitude | (1 << sign_bit if value < 0 else 0)


def decode_sign_magnitude(word, sign_bit):
    """Inverse of `encode_sign_magnitude`."""
    magnitude = word & ((1 << sign_bit) - 1)
    return -magnitude if word >> sign_bit & 1 else magnitude


class ServoRegisters:
    """Memory of one servo.

    Args:
        servo_id: bus id, 0..253.
        homing_offset: ticks, -2047..2047; Present_Position = encoder - homing_offset.
        range_min, range_max: position limits in ticks, 0..4095.
        mode: operating mode stored in EEPROM.
    """

    def __init__(self, servo_id, homing_offset=0, range_min=0, range_max=RESOLUTION - 1, mode=Mode.POSITION):
        self._memory = bytearray(SIZE)
        memory = self._memory
        memory[Address.FIRMWARE_MAJOR], memory[Address.FIRMWARE_MINOR] = FIRMWARE
        memory[Address.ID] = servo_id
        memory[Address.MODE] = mode
        for address, value in _FACTORY_BYTES.items():
            memory[address] = value
        for address, value in _FACTORY_WORDS.items():
            self.set(address, value)
        self.set(Address.MODEL, MODEL_STS3215)
        self.set(Address.MIN_POSITION, range_min)
        self.set(Address.MAX_POSITION, range_max)
        self.set(Address.HOMING_OFFSET, homing_offset)
        self._saved = bytes(memory)

    def __getitem__(self, address):
        """Byte at an address."""
        return self._memory[address]

    def __setitem__(self, address, value):
        self._memory[address] = min(max(int(value), 0), 255)

    def get(self, address):
        """Word at an address, its sign decoded where the register carries one."""
        word = int.from_bytes(self._memory[address:address + 2], 'little')
        return decode_sign_magnitude(word, SIGN_BIT[address]) if address in SIGN_BIT else word

    def set(self, address, value):
        """Store a word from inside the servo: not subject to write protection."""
        if address in SIGN_BIT:
            word = encode_sign_magnitude(value, SIGN_BIT[address])
        else:
            word = min(max(int(value), 0), 0xFFFF)
        self._memory[address:address + 2] = word.to_bytes(2, 'little')

    def read(self, address, length):
        """Bytes as a read instruction returns them; zeros beyond the table."""
        return bytes(self._memory[address:address + length]).ljust(length, b'\0')

    def write(self, address, data):
        """Store bytes as a write instruction does. Read-only bytes, id and baud rate keep their value."""
        saved = bytearray(self._saved)
        unlocked = self._memory[Address.LOCK] == 0
        for offset, value in enumerate(data):
            here = address + offset
            if here >= SIZE or any(here in block for block in _READ_ONLY):
                continue
            self._memory[here] = value
            if unlocked and any(here in block for block in _EEPROM):
                saved[here] = value
        self._saved = bytes(saved)

    def power_cycle(self):
        """Restore working memory from EEPROM: torque off, unsaved settings lost."""
        self._memory[:] = self._saved
