"""What LeRobot's `lekiwi_host` and its client tell each other over ZMQ, as of LeRobot 0.6.

A command is one JSON object with the nine values. An observation is a multipart message: a JSON header
with the nine values and `_cams`, the names of the cameras, then one JPEG per camera. Before 0.6 it was a
single JSON object with the pictures in base64, which is recognised and refused.
"""

import json
from dataclasses import dataclass

import cv2
import numpy as np

from kiwi_policy.core import features

NEEDED = 'kiwi needs LeRobot 0.6.x on the robot'
MAX_HEADER, MAX_PICTURE, MAX_CAMERAS = 65_536, 16_777_216, 16   # bytes, bytes, cameras
MAX_VALUE = 1e6         # deg, percent, m/s or deg/s: far beyond what any servo reports


class WireError(ValueError):
    """A message is not what a `lekiwi_host` of LeRobot 0.6 sends, or cannot be sent to one. The text says why."""


@dataclass(frozen=True)
class HostObservation:
    """One observation.

    Attributes:
        state: (9,) float64 in LeRobot's order and units.
        pictures: camera name -> JPEG as the host made it, red and blue exchanged: see `true_colours`.
            A picture that the host failed to encode is left out.
    """

    state: np.ndarray
    pictures: dict


def encode_command(values):
    """The bytes that command the nine values, (9,) finite.

    Raises:
        WireError: the shape is wrong, or a value is NaN or infinite.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.shape != (features.DIM,):
        raise WireError(f'an action has shape ({features.DIM},), got {values.shape}')
    bad = [f'{name}={value}' for name, value in zip(features.NAMES, values) if not np.isfinite(value)]
    if bad:
        raise WireError(f'refused an action with values that are not finite: {", ".join(bad)}')
    return json.dumps(dict(zip(features.NAMES, values.tolist()))).encode()


def decode_observation(frames):
    """The `HostObservation` of a multipart message.

    Args:
        frames: list of bytes, the header first.

    Raises:
        WireError: naming what is wrong; with a host from before LeRobot 0.6 it says so.
    """
    if len(frames) == 1 and b'_cams' not in frames[0] and features.NAMES[0].encode() in frames[0]:
        raise WireError(f'the host speaks the format of LeRobot before 0.6 (one JSON message); {NEEDED}')
    header = _header(frames)
    cameras = header.get('_cams')
    if cameras is None:
        raise WireError(f'the header lists no _cams but {_some(header)}: this is no lekiwi_host; {NEEDED}')
    if not isinstance(cameras, list) or not all(isinstance(camera, str) for camera in cameras):
        raise WireError(f'_cams is {cameras!r:.80}, expected a list of camera names')
    pictures = frames[1:]
    if len(cameras) > MAX_CAMERAS or len(pictures) != len(cameras):
        raise WireError(f'{len(pictures)} pictures came for {len(cameras)} cameras: {", ".join(cameras) or "none"}')
    for camera, picture in zip(cameras, pictures):
        if len(picture) > MAX_PICTURE:
            raise WireError(f'the picture of {camera} has {len(picture)} bytes, more than {MAX_PICTURE}')
    return HostObservation(_state(header), {camera: bytes(picture) for camera, picture in zip(cameras, pictures)
                                            if len(picture)})


def true_colours(picture, quality=95):
    """JPEG bytes of a host's picture with the colours that the camera saw.

    The host encodes RGB pixels with an encoder that takes them for BGR, so its red is blue.

    Args:
        picture: JPEG bytes as the host made them.
        quality: of the JPEG made, 1..100.

    Raises:
        WireError: the bytes are no picture.
    """
    try:
        rgb = cv2.imdecode(np.frombuffer(picture, dtype=np.uint8), cv2.IMREAD_COLOR)    # its "BGR" is the camera's RGB
    except cv2.error:       # no bytes, or more pixels than OpenCV takes
        rgb = None
    if rgb is None:
        raise WireError(f'{len(picture)} bytes of the host are no JPEG picture')
    bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
    return cv2.imencode('.jpg', bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def _header(frames):
    if not frames:
        raise WireError('the host sent an empty message')
    if len(frames[0]) > MAX_HEADER:
        raise WireError(f'the header has {len(frames[0])} bytes, more than {MAX_HEADER}')
    try:
        header = json.loads(frames[0])
    except (ValueError, RecursionError) as error:
        raise WireError(f'the header is no JSON: {error}') from error
    if not isinstance(header, dict):
        raise WireError(f'the header is {header!r:.80}, expected a JSON object')
    return header


def _state(header):
    missing = [name for name in features.NAMES if name not in header]
    if missing:
        raise WireError(f'the observation lacks {", ".join(missing)}; it has {_some(header)}')
    values = [header[name] for name in features.NAMES]
    bad = [f'{name}={value!r:.40}' for name, value in zip(features.NAMES, values)
           if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MAX_VALUE]
    if bad:
        raise WireError(f'the observation has values that are no numbers below {MAX_VALUE:g}: {", ".join(bad)}')
    return np.array(values, dtype=np.float64)


def _some(header):
    return f'{", ".join(sorted(header))[:200] or "nothing"}'
