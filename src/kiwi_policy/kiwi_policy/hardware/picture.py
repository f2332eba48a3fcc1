"""From a camera's frame to the JPEG that is published: turned, resized, encoded, or passed through."""

import cv2
import numpy as np

from kiwi_policy.hardware.jpeg_bytes import whole_jpeg

ROTATIONS = {'none': None, 'cw90': cv2.ROTATE_90_CLOCKWISE, 'cw180': cv2.ROTATE_180,
             'ccw90': cv2.ROTATE_90_COUNTERCLOCKWISE}
"""What is done to a frame so that it stands upright; LeRobot's ROTATE_90, ROTATE_180, ROTATE_270 in this order."""


class PictureMaker:
    """Makes JPEGs of one orientation and size.

    A JPEG that needs neither turning nor resizing is passed through as it is: decoding and encoding it
    again would cost time and quality.

    Args:
        rotation: one of ROTATIONS.
        size: (width, height) in pixels after the rotation; None keeps the frame's.
        quality: of JPEG, 1..100.
    """

    def __init__(self, rotation='none', size=None, quality=95):
        if rotation not in ROTATIONS:
            raise ValueError(f'rotation is {rotation!r}, must be one of {", ".join(ROTATIONS)}')
        if size is not None and not (len(size) == 2 and min(size) > 0):
            raise ValueError(f'size is {size!r}, must be (width, height) in pixels')
        if not 1 <= quality <= 100:
            raise ValueError(f'JPEG quality must lie in 1..100, got {quality!r}')
        self._rotation, self._size = ROTATIONS[rotation], None if size is None else tuple(size)
        self._options = [cv2.IMWRITE_JPEG_QUALITY, quality]

    def jpeg(self, image):
        """The published picture of a frame.

        Args:
            image: JPEG bytes or uint8 (height, width, 3) BGR.

        Returns:
            (JPEG bytes, width, height).

        Raises:
            ValueError: the bytes are no JPEG, or the pixels cannot be encoded.
        """
        if isinstance(image, bytes):
            found = whole_jpeg(image)
            if found is None:
                raise ValueError(f'{len(image)} bytes are no whole JPEG')
            if self._rotation is None and self._size in (None, found[1:]):
                return found
            pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
            if pixels is None:
                raise ValueError(f'a JPEG of {len(image)} bytes cannot be decoded')
        else:
            pixels = image
        return self._encoded(pixels)

    def _encoded(self, pixels):
        if self._rotation is not None:
            pixels = cv2.rotate(pixels, self._rotation)
        if self._size is not None and pixels.shape[1::-1] != self._size:
            pixels = cv2.resize(pixels, self._size, interpolation=cv2.INTER_AREA)
        done, data = cv2.imencode('.jpg', pixels, self._options)
        if not done:
            raise ValueError(f'cannot encode an image of shape {pixels.shape}')
        return data.tobytes(), pixels.shape[1], pixels.shape[0]
