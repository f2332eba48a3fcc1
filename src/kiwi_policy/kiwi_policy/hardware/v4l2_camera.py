"""V4L2 cameras through OpenCV."""

import os
import stat
import time
from pathlib import Path

from kiwi_policy.hardware.camera import CameraError, CameraRefusal, Frame, Stream
from kiwi_policy.hardware.jpeg_bytes import whole_jpeg

BUFFERS = 2
"""Frames the driver may hold. OpenCV gives a buffer back before it has copied a JPEG out of it: with one alone
the driver could overwrite the JPEG meanwhile."""

SILENCE = 2
"""s after which OpenCV gives up waiting for a frame; its own default is 10."""

_LONGEST_AGE = 60.0     # s; a frame's time that lies further back is of another clock
_JPEG = ('MJPG', 'JPEG')


class V4L2Camera:
    """A camera below /dev. Implements `FrameSource`.

    A camera that delivers MJPG is read as the JPEGs it sends; every other format as pixels.

    Args:
        device: path, also of a link such as /dev/v4l/by-id/..., or the number N of /dev/videoN.
        width, height: of the sensor's picture, pixels.
        rate: Hz.
        fourcc: pixel format, four characters; empty leaves the camera's own.
        open_capture: makes an object like cv2.VideoCapture from (path, backend).
        clock: s, that of the driver's frame times.
    """

    def __init__(self, device, width=640, height=480, rate=30.0, fourcc='MJPG', open_capture=None,
                 clock=time.monotonic):
        if fourcc and (len(fourcc) != 4 or not fourcc.isascii()):
            raise ValueError(f'fourcc is {fourcc!r}, must have four characters, e.g. MJPG or YUYV')
        self.name = device_path(device)
        self._width, self._height, self._rate, self._fourcc = width, height, rate, fourcc
        self._open_capture, self._clock = open_capture, clock
        self._capture = None
        self._compressed = False

    def open(self):
        """Open the device, ask for format, size and rate, and see what it gives.

        Raises:
            CameraRefusal: it gives another size.
            CameraError: there is no such device, it may not be opened, or it is in use.
        """
        import cv2

        self.close()
        check_device(self.name)
        if self._open_capture is None:
            os.environ.setdefault('OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT', str(SILENCE))
            if 'OPENCV_LOG_LEVEL' not in os.environ:
                cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
        try:
            self._capture = (self._open_capture or cv2.VideoCapture)(self.name, cv2.CAP_V4L2)
            if not self._capture.isOpened():
                raise CameraError(f'cannot open {self.name}: it is in use by another program, or no camera but its '
                                  f'metadata; present: {describe_devices()}')
            return self._configure(cv2)
        except cv2.error as error:
            self.close()
            raise CameraError(f'cannot set up {self.name}: {error}') from error
        except CameraError:
            self.close()
            raise

    def read(self):
        """Wait for the next frame, SILENCE s at most; None for one that arrived damaged."""
        import cv2

        if self._capture is None:
            raise CameraError(f'{self.name} is not open: call open() first')
        try:
            done, image = self._capture.read()
            stamp = self._capture.get(cv2.CAP_PROP_POS_MSEC)
        except cv2.error as error:
            raise CameraError(f'reading {self.name} failed: {error}') from error
        if not done or image is None:
            raise CameraError(f'{self.name} stopped delivering frames')
        captured = self._captured(stamp)
        if self._compressed and (image.ndim < 3 or image.shape[2] == 1):
            found = whole_jpeg(image.tobytes())
            if found is None:
                return None
            image, *size = found
        else:
            size = image.shape[1::-1]
        if tuple(size) != (self._width, self._height):
            raise CameraError(f'{self.name} delivers {size[0]}x{size[1]}, but said it would deliver '
                              f'{self._width}x{self._height}')
        return Frame(captured, image)

    def close(self):
        """Release the device."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()

    def _configure(self, cv2):
        """Ask for everything, then see what came of it: a driver may change one on behalf of another."""
        capture = self._capture
        if self._fourcc:
            capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter_fourcc(*self._fourcc))
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, self._width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, self._height)
        capture.set(cv2.CAP_PROP_FPS, self._rate)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, BUFFERS)
        code = int(capture.get(cv2.CAP_PROP_FOURCC))
        fourcc = ''.join(chr(code >> shift & 0xFF) for shift in (0, 8, 16, 24)) if code > 0 else '?'
        self._compressed = fourcc in _JPEG and bool(capture.set(cv2.CAP_PROP_CONVERT_RGB, 0))
        got = Stream(round(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), round(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
                     fourcc, capture.get(cv2.CAP_PROP_FPS))
        asked = Stream(self._width, self._height, self._fourcc or fourcc, self._rate)
        if (got.width, got.height) != (self._width, self._height):
            raise CameraRefusal(
                f'{self.name} was asked for {asked} and gives {got}: set width and height, which are those of the '
                f'sensor before rotation, to a size it has (v4l2-ctl --list-formats-ext -d {self.name} lists them)')
        as_asked = got.format == asked.format and abs(got.rate - asked.rate) < 0.5
        return got if as_asked else Stream(got.width, got.height, got.format, got.rate, f'asked for {asked}')

    def _captured(self, stamp):
        """When a frame was captured, s; `stamp` is the driver's time for it, ms, of the same clock."""
        now, taken = self._clock(), stamp / 1000.0
        return taken if 0.0 <= now - taken <= _LONGEST_AGE else now


def device_path(device):
    """/dev/videoN for a number N, else the path itself. Raises ValueError for an empty one."""
    text = str(device).strip()
    if not text:
        raise ValueError(f'device is empty: name a camera; present: {describe_devices()}')
    return f'/dev/video{int(text)}' if text.isdecimal() else text


def check_device(path):
    """Raise CameraError where `path` is no device that this user may open."""
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        raise CameraError(f'no camera {path} ({error.strerror}); present: {describe_devices()}') from error
    if not stat.S_ISCHR(mode):
        raise CameraError(f'{path} is no device; present: {describe_devices()}')
    if not os.access(path, os.R_OK | os.W_OK):
        raise CameraError(f'no permission to open {path}: add your user to its group (sudo usermod -aG video $USER) '
                          'and log in again')


def describe_devices(devices=Path('/dev'), names=Path('/sys/class/video4linux')):
    """The video devices of this machine in words, with what the driver calls them."""
    found = sorted(devices.glob('video*'), key=lambda path: (len(path.name), path.name))
    return ', '.join(_described(path, names) for path in found) or f'none in {devices}/video*'


def _described(path, names):
    try:
        return f'{path} ({(names / path.name / "name").read_text().strip()})'
    except OSError:
        return str(path)
