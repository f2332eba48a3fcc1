"""Fakes for the tests of the cameras: what cv2.VideoCapture looks like, and a source that obeys."""

import time

import cv2
import numpy as np

from kiwi_policy.hardware.camera import CameraError, Frame, Stream
from kiwi_policy.hardware.synthetic_camera import test_picture as picture

WIDTH, HEIGHT = 64, 48


def bgr(number=0, width=WIDTH, height=HEIGHT):
    """Test picture number `number`, BGR as OpenCV has it."""
    return picture(width, height, number)[..., ::-1].copy()


def jpeg(pixels, quality=95):
    """JPEG bytes of BGR pixels."""
    return cv2.imencode('.jpg', pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def corners(pixels):
    """RGB of the corners of RGB pixels: top left, top right, bottom left, bottom right."""
    height, width = pixels.shape[:2]
    y, x = height // 10, width // 10
    return [tuple(int(v) for v in pixels[row, column]) for row in (y, -1 - y) for column in (x, -1 - x)]


class FakeV4L2:
    """Looks like the camera that OpenCV opens: `open` stands in for cv2.VideoCapture.

    Attributes:
        size, fourcc, fps: what it gives whatever it is asked; None gives what is asked.
        raw: whether it can leave JPEGs alone.
        frozen, broken, silent: faults.
        clock: s, the driver's; stamp_age: ms, how old frames are by it, None where it gives no times.
        asked: property -> value.
    """

    def __init__(self, size=None, fourcc=None, fps=None, raw=True):
        self.size, self.fourcc, self.fps, self.raw = size, fourcc, fps, raw
        self.frozen = self.broken = self.silent = False
        self.damage = lambda data: data
        self.clock, self.stamp_age = time.monotonic, 0.0
        self.asked, self.opened, self.released, self.count = {}, [], 0, 0

    def open(self, path, backend):
        assert backend == cv2.CAP_V4L2
        self.opened.append(path)
        self.asked = {}
        return self

    def isOpened(self):  # noqa: N802
        return not self.broken

    def set(self, name, value):
        if name == cv2.CAP_PROP_CONVERT_RGB and not self.raw:
            return False
        self.asked[name] = value
        return True

    def get(self, name):
        width, height = self.size or (self.asked[cv2.CAP_PROP_FRAME_WIDTH], self.asked[cv2.CAP_PROP_FRAME_HEIGHT])
        if name == cv2.CAP_PROP_POS_MSEC:
            return 0.0 if self.stamp_age is None else 1e3 * self.clock() - self.stamp_age
        return {
            cv2.CAP_PROP_FRAME_WIDTH: width, cv2.CAP_PROP_FRAME_HEIGHT: height,
            cv2.CAP_PROP_FPS: self.fps or self.asked[cv2.CAP_PROP_FPS],
            cv2.CAP_PROP_FOURCC: cv2.VideoWriter_fourcc(*self.fourcc) if self.fourcc
            else self.asked.get(cv2.CAP_PROP_FOURCC, 0.0)}[name]

    def read(self):
        time.sleep(0.005)
        if self.broken:
            raise cv2.error('the device is on fire')
        if self.silent:
            return False, None
        self.count += not self.frozen
        width, height = int(self.get(cv2.CAP_PROP_FRAME_WIDTH)), int(self.get(cv2.CAP_PROP_FRAME_HEIGHT))
        pixels = bgr(self.count, width, height)
        if self.asked.get(cv2.CAP_PROP_CONVERT_RGB) == 0:
            return True, np.frombuffer(self.damage(jpeg(pixels)), np.uint8)[None]
        return True, pixels

    def release(self):
        self.released += 1


class FakeSource:
    """A `FrameSource` whose faults are set by hand.

    Attributes:
        frozen: repeats its frame; missing: cannot be opened; mute: raises when read; damaged: delivers None.
    """

    name = 'fake camera'

    def __init__(self):
        self.frozen = self.missing = self.mute = self.damaged = False
        self.opens = self.closes = self.count = 0

    def open(self):
        self.opens += 1
        if self.missing:
            raise CameraError('no fake camera')
        return Stream(WIDTH, HEIGHT, 'fake', 100.0)

    def read(self):
        time.sleep(0.005)
        if self.mute:
            raise CameraError('fake camera is mute')
        if self.damaged:
            return None
        self.count += not self.frozen
        return Frame(time.monotonic(), b'%d' % self.count)

    def close(self):
        self.closes += 1
