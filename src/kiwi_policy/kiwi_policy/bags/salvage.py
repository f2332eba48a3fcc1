"""Reads the records of an MCAP file that may end anywhere, or be damaged within."""

import os
import struct
from dataclasses import dataclass
from io import BytesIO

from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Channel, Chunk, DataEnd, Message, Metadata, Schema
from mcap.stream_reader import get_chunk_data_stream
from mcap.writer import MCAP0_MAGIC

_FRAME = struct.Struct('<BQ')
_LARGEST_CUT = 64 * 2**20
"""bytes of a record that was cut off which are looked through; a chunk is far smaller."""


@dataclass
class Damage:
    """What was found wrong.

    Attributes:
        finished: the data section has its end, so nothing was cut off.
        bad_chunks: chunks whose checksum or structure is wrong.
        position: bytes read so far.
    """

    finished: bool = False
    bad_chunks: int = 0
    position: int = 0


def records(path, damage):
    """Yield the Schema, Channel, Message and Metadata records of a file as far as they are whole, in file order.

    Args:
        path: of the MCAP file.
        damage: a `Damage`, filled while the records are read.

    Raises:
        ValueError: the file is no MCAP file.
    """
    size = os.path.getsize(path)
    with open(path, 'rb') as file:
        if file.read(len(MCAP0_MAGIC)) != MCAP0_MAGIC:
            raise ValueError(f'{path} ({size} bytes) does not begin as an MCAP file')
        for opcode, body, whole in _frames(file, size):
            damage.position = file.tell()
            if opcode == Opcode.CHUNK:
                yield from _of_chunk(body, whole, damage)
            elif opcode == Opcode.DATA_END and whole:
                DataEnd.read(ReadDataStream(BytesIO(body)))
                damage.finished = True
                return
            elif whole:
                yield from _parse(opcode, body)


def _frames(file, size):
    """(opcode, body, whether the body is all there) of each record."""
    while len(head := file.read(_FRAME.size)) == _FRAME.size:
        opcode, length = _FRAME.unpack(head)
        left = size - file.tell()
        if opcode == 0:
            return
        if length > left:
            if left <= _LARGEST_CUT:
                yield opcode, file.read(left), False
            return
        yield opcode, file.read(length), True


def _of_chunk(body, whole, damage):
    """The records of a chunk; of one that was cut off, those before the cut, where it is not compressed."""
    try:
        chunk = Chunk.read(ReadDataStream(BytesIO(body)))
        if not whole and chunk.compression:
            return
        stream, length = get_chunk_data_stream(chunk, validate_crc=whole)
        data = stream.read(length)
    except Exception:       # whatever a decompressor or parser makes of damaged bytes
        damage.bad_chunks += whole
        return
    for opcode, inner, inner_whole in _frames(BytesIO(data), len(data)):
        if inner_whole:
            yield from _parse(opcode, inner)


def _parse(opcode, body):
    stream = ReadDataStream(BytesIO(body))
    if opcode == Opcode.MESSAGE:
        yield Message.read(stream, len(body))
    elif opcode in (Opcode.SCHEMA, Opcode.CHANNEL, Opcode.METADATA):
        yield {Opcode.SCHEMA: Schema, Opcode.CHANNEL: Channel, Opcode.METADATA: Metadata}[opcode].read(stream)
