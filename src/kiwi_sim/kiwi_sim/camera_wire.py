"""What the simulation and its camera process tell each other over pipes.

Towards the cameras: a Shot per record. Back: a Frame per record, or once READY.
"""

import struct
from dataclasses import dataclass

import mujoco
import numpy as np

STATE = mujoco.mjtState.mjSTATE_QPOS | mujoco.mjtState.mjSTATE_MOCAP_POS | mujoco.mjtState.mjSTATE_MOCAP_QUAT
"""The part of MuJoCo's state that a picture depends on."""

_SHOT = struct.Struct('<qI')
_FRAME = struct.Struct('<qIII')
_READY = 0xFFFFFFFF


@dataclass(frozen=True)
class CameraSpec:
    """A camera to render.

    Attributes:
        name: camera name in the model.
        height, width: pixels.
    """

    name: str
    height: int
    width: int


@dataclass(frozen=True)
class Frame:
    """An encoded picture.

    Attributes:
        stamp: ns since the epoch, when the state it shows was taken.
        camera: index of the camera.
        last: whether it ends its shot.
        jpeg: the encoded bytes.
    """

    stamp: int
    camera: int
    last: bool
    jpeg: bytes


def pack_shot(stamp, mask, state):
    """Bytes of a shot: capture time in ns, a bit per camera, and the MuJoCo state (n,) to render."""
    return _SHOT.pack(stamp, mask) + state.tobytes()


def read_shot(stream, size):
    """The next (stamp, mask, state (size,)) from a stream, or None at its end."""
    data = stream.read(_SHOT.size + 8 * size)
    if len(data) < _SHOT.size + 8 * size:
        return None
    return (*_SHOT.unpack_from(data), np.frombuffer(data, np.float64, size, _SHOT.size))


def write_ready(stream):
    """Say that rendering works."""
    stream.write(_FRAME.pack(0, _READY, 0, 0))
    stream.flush()


def write_frame(stream, frame):
    """Send a Frame."""
    stream.write(_FRAME.pack(frame.stamp, frame.camera, frame.last, len(frame.jpeg)) + frame.jpeg)
    stream.flush()


def read_ready(stream):
    """Wait for READY. Returns False where the stream ends instead."""
    data = stream.read(_FRAME.size)
    return len(data) == _FRAME.size and _FRAME.unpack(data)[1] == _READY


def read_frame(stream):
    """The next Frame from a stream, or None at its end."""
    header = stream.read(_FRAME.size)
    if len(header) < _FRAME.size:
        return None
    stamp, camera, last, length = _FRAME.unpack(header)
    jpeg = stream.read(length)
    return Frame(stamp, camera, bool(last), jpeg) if len(jpeg) == length else None
