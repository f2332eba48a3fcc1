"""One servo's health in one packet: the STS3215's registers from Present_Load to Present_Current."""

from kiwi_policy.core.derating import ServoHealth
from kiwi_policy.core.features import JOINTS
from kiwi_policy.hardware.interface import HardwareError

FIRST, LENGTH = 60, 11          # load 60, voltage 62, temperature 63, status 65, current 69
LOAD_SIGN, LOAD_FULL = 0x400, 1000.0
VOLT, AMPERE = 0.1, 0.0065      # per count
FAULTS = {1: 'voltage', 2: 'position sensor', 4: 'overheated', 8: 'overcurrent', 32: 'overload'}
"""Bits of the status register."""


def read_health(bus, motor):
    """`ServoHealth` of one servo on LeRobot's bus.

    Raises:
        HardwareError: no valid answer.
    """
    data, result, _ = bus.packet_handler.readTxRx(bus.port_handler, bus.motors[motor].id, FIRST, LENGTH)
    if result != 0 or len(data) != LENGTH:
        raise HardwareError(f'{motor} did not tell its health: {bus.packet_handler.getTxRxResult(result)}')
    return decode_health(motor, bytes(data))


def decode_health(motor, data):
    """`ServoHealth` of the LENGTH register bytes from FIRST on."""
    load = int.from_bytes(data[0:2], 'little')
    current = int.from_bytes(data[9:11], 'little') & 0x7FFF
    faults = tuple(name for bit, name in FAULTS.items() if data[5] & bit)
    joint = motor.removeprefix('arm_')
    return ServoHealth(joint if joint in JOINTS else motor, round(data[2] * VOLT, 1), float(data[3]),
                       (load & (LOAD_SIGN - 1)) / LOAD_FULL, current * AMPERE, faults)
