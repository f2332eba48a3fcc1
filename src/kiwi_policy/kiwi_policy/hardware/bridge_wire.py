"""The datagrams between the executor and the bridge, which run on one machine.

A datagram is a magic word, the kind, the monotonic time of the machine at which its content was true
(s), and then nine float64 values, a text in UTF-8, or nothing.
"""

import math
import struct
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from kiwi_policy.core import features

MAX_TEXT = 500
_HEAD = struct.Struct('<4sBd')
_VALUES = struct.Struct(f'<{features.DIM}d')
_MAGIC = b'KWB1'
MAX_BYTES = _HEAD.size + 4 * MAX_TEXT


class Kind(IntEnum):
    """What a datagram says."""

    HELLO = 1       # executor: here I am, send me the state
    COMMAND = 2     # executor: send these nine values to the robot
    STATE = 3       # bridge: the nine values the robot measured
    NOTICE = 4      # bridge: why there is no state


CARRIES_VALUES = (Kind.COMMAND, Kind.STATE)


@dataclass(frozen=True)
class Datagram:
    """A datagram taken apart.

    Attributes:
        kind: `Kind`.
        time: s, time.monotonic() of the machine.
        values: (9,) float64 of COMMAND and STATE, else None.
        text: of NOTICE.
    """

    kind: Kind
    time: float
    values: np.ndarray | None = None
    text: str = ''


def pack(datagram):
    """The bytes of a `Datagram`; a long text is cut."""
    head = _HEAD.pack(_MAGIC, datagram.kind, datagram.time)
    if datagram.kind in CARRIES_VALUES:
        return head + _VALUES.pack(*datagram.values)
    return head + datagram.text[:MAX_TEXT].encode()


def unpack(data):
    """The `Datagram` of its bytes.

    Raises:
        ValueError: they are none, are not of this version, or carry a time or values that are not finite.
    """
    if len(data) < _HEAD.size or data[:4] != _MAGIC:
        raise ValueError(f'{len(data)} bytes that begin with {bytes(data[:4])!r} are no datagram of the bridge')
    _, kind, time = _HEAD.unpack_from(data)
    kind, rest = Kind(kind), bytes(data[_HEAD.size:])
    if not math.isfinite(time):
        raise ValueError(f'a {kind.name} carries the time {time}')
    if kind not in CARRIES_VALUES:
        return Datagram(kind, time, text=rest.decode(errors='replace'))
    if len(rest) != _VALUES.size:
        raise ValueError(f'a {kind.name} carries {_VALUES.size} bytes of values, got {len(rest)}')
    values = np.array(_VALUES.unpack(rest))
    if not np.all(np.isfinite(values)):
        raise ValueError(f'a {kind.name} carries values that are not finite: {values.tolist()}')
    return Datagram(kind, time, values)
