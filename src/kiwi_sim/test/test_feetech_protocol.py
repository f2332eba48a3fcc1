"""Packets against byte strings from Feetech's protocol manual and worked out by hand."""

from hypothesis import given
from hypothesis import strategies as st

from kiwi_sim.feetech_protocol import (
    BROADCAST,
    Instruction,
    Packet,
    PacketParser,
    encode_instruction,
    encode_status,
)

PING = bytes.fromhex('ff ff 01 02 01 fb')
READ_POSITION = bytes.fromhex('ff ff 01 04 02 38 02 be')
WRITE_GOAL = bytes.fromhex('ff ff 01 09 03 2a 00 08 00 00 e8 03 d5')
SYNC_READ = bytes.fromhex('ff ff fe 06 82 38 08 01 02 36')


def test_known_packets_are_encoded_byte_by_byte():
    assert encode_instruction(1, Instruction.PING) == PING
    assert encode_instruction(1, Instruction.READ, bytes((56, 2))) == READ_POSITION
    assert encode_instruction(1, Instruction.WRITE, bytes.fromhex('2a 00 08 00 00 e8 03')) == WRITE_GOAL
    assert encode_instruction(BROADCAST, Instruction.SYNC_READ, bytes((56, 8, 1, 2))) == SYNC_READ
    assert encode_status(1) == bytes.fromhex('ff ff 01 02 00 fc')
    assert encode_status(1, 0x20, bytes.fromhex('18 05')) == bytes.fromhex('ff ff 01 04 20 18 05 bd')


def test_known_packets_are_parsed():
    assert PacketParser().feed(PING + SYNC_READ) == [
        Packet(1, Instruction.PING),
        Packet(BROADCAST, Instruction.SYNC_READ, bytes((56, 8, 1, 2))),
    ]


def test_a_wrong_checksum_is_ignored_and_the_next_packet_still_heard():
    wrong = PING[:-1] + b'\x00'
    parser = PacketParser()
    assert parser.feed(wrong + READ_POSITION) == [Packet(1, Instruction.READ, bytes((56, 2)))]
    assert parser.rejected == 1


def test_a_false_header_does_not_swallow_the_packet_behind_it():
    assert PacketParser().feed(b'\xff\xff\xff' + PING[2:]) == [Packet(1, Instruction.PING)]
    assert PacketParser().feed(b'\xff\xff\x05\x03' + PING + PING)[-1] == Packet(1, Instruction.PING)


@given(st.lists(st.tuples(st.integers(0, 253), st.binary(max_size=20)), max_size=5), st.data())
def test_any_split_of_the_stream_gives_the_same_packets(packets, data):
    stream = b''.join(encode_instruction(servo_id, Instruction.WRITE, params) for servo_id, params in packets)
    cut = data.draw(st.integers(0, len(stream)))
    parser = PacketParser()
    received = parser.feed(stream[:cut]) + parser.feed(stream[cut:])
    assert received == [Packet(servo_id, Instruction.WRITE, params) for servo_id, params in packets]
