"""Turns, encodes and hands on a camera's frames in a thread of its own, the newest first."""

import threading
import time
from collections import deque

from kiwi_policy.nodes.worker import NewestJobWorker

RATE_WINDOW = 3.0   # s


class PictureOutput:
    """Takes frames at the camera's rate and hands pictures on at the rate the machine manages.

    Args:
        maker: a `PictureMaker`.
        publish: called with (JPEG bytes, s on the clock of time.monotonic when it was captured).
        on_error: called with a text for a frame that could not be made a picture.

    Attributes:
        size: (width, height) of the newest picture, None before the first.
        damaged: frames that could not be made a picture.
    """

    def __init__(self, maker, publish, on_error):
        self._maker, self._publish, self._on_error = maker, publish, on_error
        self._worker = NewestJobWorker(self._make, self._fail, name='pictures')
        self._lock = threading.Lock()
        self._times = deque(maxlen=1000)    # s
        self.size = None
        self.damaged = 0

    @property
    def skipped(self):
        """Frames that a newer one overtook."""
        return self._worker.replaced

    def start(self):
        """Start the thread."""
        self._worker.start()

    def submit(self, frame):
        """Take a `Frame`; returns at once."""
        self._worker.submit(frame)

    def close(self):
        """End after the running frame."""
        self._worker.close()

    def rate(self, now):
        """Pictures per second lately, Hz, 0 where fewer than two came; `now` in s."""
        with self._lock:
            times = [published for published in self._times if now - published < RATE_WINDOW]
        return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 else 0.0

    def _make(self, frame):
        data, *size = self._maker.jpeg(frame.image)
        self._publish(data, frame.captured)
        self.size = tuple(size)
        with self._lock:
            self._times.append(time.monotonic())

    def _fail(self, _frame, error):
        self.damaged += 1
        self._on_error(f'frame skipped: {error}')
