"""A moving test picture that plays the camera."""

import numpy as np

from kiwi_policy.hardware.camera import Frame, Stream
from kiwi_policy.hardware.pace import Pace

CORNERS = {'top left': (255, 0, 0), 'top right': (0, 255, 0), 'bottom left': (0, 0, 255),
           'bottom right': (255, 255, 255)}
"""Colours of the picture's corners, RGB: they show how it was turned."""

GREY = 96
SPEED = 2       # pixels of the bar per frame


class SyntheticCamera:
    """Grey with a coloured block in each corner and a bright bar that moves. Implements `FrameSource`.

    Args:
        width, height: pixels.
        rate: Hz.
    """

    name = 'synthetic camera'

    def __init__(self, width=640, height=480, rate=30.0):
        self._width, self._height, self._rate = width, height, rate
        self._pace, self._frame = None, 0

    def open(self):
        """Start the picture."""
        self._pace = Pace(self._rate)
        return Stream(self._width, self._height, 'synthetic', self._rate)

    def read(self):
        """Wait until the next picture is due and return it."""
        captured = self._pace.wait()
        self._frame += 1
        return Frame(captured, test_picture(self._width, self._height, self._frame)[..., ::-1].copy())

    def close(self):
        """Nothing is held."""


def test_picture(width, height, frame=0):
    """Picture number `frame`, uint8 (height, width, 3) RGB; no two of `width` / 2 successive ones are equal."""
    picture = np.full((height, width, 3), GREY, np.uint8)
    bar = SPEED * frame % width
    picture[:, bar:bar + max(width // 16, SPEED)] = 200
    rows, columns = height // 4, width // 4
    picture[:rows, :columns] = CORNERS['top left']
    picture[:rows, -columns:] = CORNERS['top right']
    picture[-rows:, :columns] = CORNERS['bottom left']
    picture[-rows:, -columns:] = CORNERS['bottom right']
    return picture
