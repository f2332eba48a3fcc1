"""Every camera in one film with one frame per control tick: what scrubbing shows is the picture of that very tick."""

import io
import math
from collections import deque
from dataclasses import dataclass

import numpy as np

from kiwi_training.bakeoff.film import find_encoder

LARGEST = (320, 240)
"""Width and height in pixels that a picture is scaled down to."""
SMALLEST = 120
"""Pixels of height up to which a picture is doubled, since H.264 halves the resolution of colour."""
MOST_FRAMES = 1800
"""Longer recordings show every second, third, ... tick."""
KEY_EVERY = 12
"""Frames between key frames: a seek decodes fewer than this."""
QUALITY = {'libx264': {'crf': '20', 'preset': 'medium', 'bf': '0'}}
BIT_RATE = 600_000
"""bit/s, for encoders that know no constant quality."""
STILL_QUALITY = 70
RETRIES = 4
"""Pictures tried, the newest first, where one cannot be read."""


class FilmError(Exception):
    """The film of a rollout cannot be made."""


@dataclass(frozen=True)
class View:
    """Where one camera stands in the film, pixels; `width` and `height` are even."""

    camera: str
    x: int
    width: int
    height: int


@dataclass(frozen=True)
class Film:
    """An MP4 and what its frames show.

    Attributes:
        content: bytes of the file.
        rate: frames per s, constant; frame i is on screen from i / rate.
        ticks: (F,) index into the times given of each frame.
        views: `View` per camera.
        ages: camera -> (F,) s between the picture's time and the frame's, NaN before the first picture.
        still: JPEG of the last frame of the best view.
        unreadable: pictures that could not be decoded.
    """

    content: bytes
    rate: int
    ticks: np.ndarray
    views: list
    ages: dict
    still: bytes
    unreadable: int


def make_film(cameras, images, times):
    """A `Film` with a frame for each time, or None where no camera has a picture.

    Args:
        cameras: names, the most telling first.
        images: callable, camera -> iterable of (s, JPEG bytes) in the order of time.
        times: (T,) s, increasing.

    Raises:
        FilmError: the film cannot be made; the text says why.
    """
    try:
        return _make_film(cameras, images, times)
    except (RuntimeError, ValueError, OSError) as error:
        raise FilmError(f'{type(error).__name__}: {error}') from error


def _make_film(cameras, images, times):
    import av

    if not len(times):
        return None
    chosen = np.arange(0, len(times), math.ceil(len(times) / MOST_FRAMES))
    reels = [reel for reel in (Reel(camera, images(camera)) for camera in cameras) if reel.size]
    if not reels:
        return None
    spacing = float(np.median(np.diff(times[chosen]))) if len(chosen) > 1 else 1 / 30
    rate = max(round(1 / max(spacing, 1e-3)), 1)
    views, x = [], 0
    for reel in reels:
        views.append(View(reel.camera, x, *reel.size))
        x += reel.size[0]
    height = max(view.height for view in views)
    buffer, ages = io.BytesIO(), {reel.camera: np.full(len(chosen), np.nan) for reel in reels}
    encoder = find_encoder(av.codecs_available)
    canvas = np.zeros((height, x, 3), np.uint8)
    with av.open(buffer, 'w', format='mp4') as container:
        stream = container.add_stream(encoder, rate=rate)
        stream.width, stream.height, stream.pix_fmt = x, height, 'yuv420p'
        stream.options = QUALITY.get(encoder, {})
        if encoder not in QUALITY:
            stream.bit_rate = BIT_RATE
        stream.codec_context.gop_size = KEY_EVERY
        stream.codec_context.thread_count = 1
        for frame, tick in enumerate(chosen):
            for reel, view in zip(reels, views, strict=True):
                picture, age = reel.at(times[tick])
                if picture is not None:
                    canvas[:view.height, view.x:view.x + view.width] = picture
                    ages[reel.camera][frame] = age
            container.mux(stream.encode(av.VideoFrame.from_ndarray(canvas, format='rgb24')))
        container.mux(stream.encode())
    best = views[0]
    return Film(buffer.getvalue(), rate, chosen, views, ages,
                _jpeg(canvas[:best.height, best.x:best.x + best.width]), sum(reel.unreadable for reel in reels))


class Reel:
    """The pictures of one camera, handed out by time; holds a few of them at most.

    Args:
        camera: name.
        pictures: iterable of (s, JPEG bytes) in the order of time.
    """

    def __init__(self, camera, pictures):
        self.camera, self.unreadable, self.size = camera, 0, None
        self._pictures = iter(pictures)
        self._next = next(self._pictures, None)
        self._shown, self._since = None, math.nan
        while self._next is not None and self.size is None:
            first = self._decode(self._next[1])
            if first is None:
                self._next = next(self._pictures, None)
            else:
                self.size = first.shape[1], first.shape[0]

    def at(self, seconds):
        """(picture (h, w, 3) RGB or None, its age in s) of the newest picture taken no later than `seconds`."""
        due = deque(maxlen=RETRIES)
        while self._next is not None and self._next[0] <= seconds:
            due.append(self._next)
            self._next = next(self._pictures, None)
        while due:
            taken, content = due.pop()
            picture = self._decode(content)
            if picture is not None:
                self._shown, self._since = picture, taken
                break
        return self._shown, seconds - self._since

    def _decode(self, content):
        import cv2

        pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            self.unreadable += 1
            return None
        if self.size is None:
            scale = min(LARGEST[0] / pixels.shape[1], LARGEST[1] / pixels.shape[0], 1.0)
            scale = 2.0 if pixels.shape[0] <= SMALLEST and scale == 1.0 and 2 * pixels.shape[1] <= LARGEST[0] else scale
            size = tuple(max(round(scale * side / 2) * 2, 2) for side in pixels.shape[1::-1])
        else:
            size = self.size
        if pixels.shape[1::-1] != size:
            larger = size[0] > pixels.shape[1]
            pixels = cv2.resize(pixels, size, interpolation=cv2.INTER_NEAREST if larger else cv2.INTER_AREA)
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def _jpeg(picture):
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, 'JPEG', quality=STILL_QUALITY, optimize=True)
    return buffer.getvalue()
