"""A video file or a folder of images that plays the camera, over and over."""

import time
from pathlib import Path

from kiwi_policy.hardware.camera import CameraError, CameraRefusal, Frame, Stream
from kiwi_policy.hardware.jpeg_bytes import whole_jpeg
from kiwi_policy.hardware.pace import Pace

JPEGS = ('.jpg', '.jpeg')
IMAGES = (*JPEGS, '.png')


class FileCamera:
    """Plays a file or a folder at a rate, looped. Implements `FrameSource`.

    It comes and goes with the file as a camera does with its device. JPEG files are delivered as they
    are, everything else as pixels.

    Args:
        path: a video that OpenCV can read, or a folder of .jpg, .jpeg and .png images, played in the
            order of their names.
        rate: Hz.
    """

    def __init__(self, path, rate=30.0):
        if not str(path):
            raise ValueError('device is empty: name a video file or a folder of images')
        self.name = str(path)
        self._path, self._rate = Path(path).expanduser(), rate
        self._pictures = self._next = self._pace = None

    def open(self):
        """Find the first picture.

        Raises:
            CameraRefusal: there are no pictures in it.
            CameraError: there is no such file or folder.
        """
        self.close()
        if not self._path.exists():
            raise CameraError(f'no file or folder {self._path}')
        self._pictures = self._folder() if self._path.is_dir() else self._video()
        self._next = next(self._pictures)
        self._pace = Pace(self._rate)
        found = whole_jpeg(self._next) if isinstance(self._next, bytes) else None
        width, height = found[1:] if found else self._next.shape[1::-1]
        kind = 'images' if self._path.is_dir() else 'video'
        return Stream(width, height, kind, self._rate)

    def read(self):
        """Wait until the next picture is due and return it."""
        if self._pictures is None:
            raise CameraError(f'{self._path} is not open: call open() first')
        self._pace.wait()
        if not self._path.exists():
            raise CameraError(f'{self._path} is gone')
        image = self._next if self._next is not None else next(self._pictures)
        self._next = None
        return Frame(time.monotonic(), image)

    def close(self):
        """Let go of the file."""
        if self._pictures is not None:
            self._pictures.close()
        self._pictures = self._next = None

    def _folder(self):
        import cv2

        while True:
            paths = sorted(path for path in self._path.glob('*') if path.suffix.lower() in IMAGES)
            if not paths:
                raise CameraRefusal(f'no pictures in {self._path}: it needs files that end with {", ".join(IMAGES)}')
            for path in paths:
                try:
                    data = path.read_bytes()
                except OSError as error:
                    raise CameraError(f'cannot read {path}: {error.strerror}') from error
                image = _whole(data) if path.suffix.lower() in JPEGS else cv2.imread(str(path), cv2.IMREAD_COLOR)
                if image is None:
                    raise CameraRefusal(f'{path} is no picture')
                yield image

    def _video(self):
        import cv2

        while True:
            capture, played = cv2.VideoCapture(str(self._path)), 0
            try:
                while True:
                    done, image = capture.read()
                    if not done:
                        break
                    played += 1
                    yield image
            finally:
                capture.release()
            if not played:
                raise CameraRefusal(f'{self._path} is no video that OpenCV can read')


def _whole(data):
    found = whole_jpeg(data)
    return found and found[0]
