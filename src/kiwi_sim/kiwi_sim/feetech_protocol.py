"""Packets of the Feetech serial protocol (STS and SMS series): encoding and a resynchronising parser.

An instruction packet is `FF FF id length instruction params... checksum`, a status packet
`FF FF id length error params... checksum`; length counts everything after itself, and
checksum = ~(id + length + ... + last param) & 0xFF. Words are little-endian.
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag

HEADER = b'\xff\xff'
BROADCAST = 0xFE
OVERHEAD = 6
"""Bytes of a packet without parameters."""


class Instruction(IntEnum):
    """Instructions a servo understands."""

    PING = 0x01
    READ = 0x02
    WRITE = 0x03
    REG_WRITE = 0x04
    ACTION = 0x05
    SYNC_READ = 0x82
    SYNC_WRITE = 0x83


class StatusError(IntFlag):
    """Bits of a status packet's error byte, and of the status register."""

    NONE = 0
    VOLTAGE = 1
    ANGLE = 2
    OVERHEAT = 4
    OVERCURRENT = 8
    OVERLOAD = 32


@dataclass(frozen=True)
class Packet:
    """An instruction packet.

    Attributes:
        servo_id: 0..253, or BROADCAST.
        instruction: the raw instruction byte.
        params: everything between the instruction and the checksum.
    """

    servo_id: int
    instruction: int
    params: bytes = b''

    @property
    def size(self):
        """Bytes on the wire."""
        return OVERHEAD + len(self.params)


def checksum(body):
    """Checksum of the bytes from the id to the last parameter."""
    return ~sum(body) & 0xFF


def encode_instruction(servo_id, instruction, params=b''):
    """Bytes of an instruction packet."""
    return _encode(servo_id, instruction, params)


def encode_status(servo_id, error=0, params=b''):
    """Bytes of a status packet."""
    return _encode(servo_id, error, params)


def _encode(servo_id, code, params):
    body = bytes((servo_id, len(params) + 2, code)) + bytes(params)
    return HEADER + body + bytes((checksum(body),))


class PacketParser:
    """Turns a byte stream into instruction packets; noise and packets with a wrong checksum are skipped."""

    def __init__(self):
        self._buffer = bytearray()
        self.rejected = 0

    def feed(self, data):
        """Add received bytes and return the packets they complete, oldest first."""
        self._buffer += data
        packets = []
        while (packet := self._next()) is not None:
            packets.append(packet)
        return packets

    def reset(self):
        """Forget a half-received packet."""
        self._buffer.clear()

    def _next(self):
        buffer = self._buffer
        while True:
            start = buffer.find(HEADER)
            if start < 0:
                del buffer[:max(0, len(buffer) - 1)]
                return None
            del buffer[:start]
            if len(buffer) < 4:
                return None
            servo_id, length = buffer[2], buffer[3]
            if servo_id == 0xFF or length < 2:
                self._skip()
                continue
            if len(buffer) < 4 + length:
                return None
            body, received = bytes(buffer[2:3 + length]), buffer[3 + length]
            if checksum(body) != received:
                self._skip()
                continue
            del buffer[:4 + length]
            return Packet(servo_id, body[2], body[3:])

    def _skip(self):
        """Drop one byte, so that a packet hidden behind a false header is still found."""
        self.rejected += 1
        del self._buffer[:1]
