"""JPEG to the RGB pixels LeRobot's policies expect."""

import cv2
import numpy as np


def decode_rgb(data):
    """uint8 (height, width, 3) RGB of compressed image bytes (JPEG or PNG).

    Raises:
        ValueError: where the bytes are no image.
    """
    try:
        pixels = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:       # no bytes, or more pixels than OpenCV takes
        pixels = None
    if pixels is None:
        raise ValueError(f'{len(data)} bytes are no JPEG or PNG image')
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def encode_rgb(pixels, quality=95):
    """JPEG bytes of uint8 (height, width, 3) RGB pixels."""
    done, data = cv2.imencode('.jpg', cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not done:
        raise ValueError(f'cannot encode an image of shape {pixels.shape}')
    return data.tobytes()
