"""Reads a camera in a thread of its own and opens it again when it freezes or goes away."""

import threading
import time

from kiwi_policy.hardware.camera import CameraError, CameraRefusal
from kiwi_policy.hardware.frame_watch import FrozenError

STREAMING, OPENING, GONE, FROZEN = 'streaming', 'opening', 'gone', 'frozen'


class Capture:
    """Hands new frames of a source on, and keeps the source alive.

    Reading is all its thread does, so that no frame waits in the driver for the work of another one.

    Args:
        source: a `FrameSource`.
        watch: a `FrameWatch`.
        on_frame: called with every new `Frame`; must return at once.
        on_open: called with the `Stream` after an opening, where it is another one than before.
        on_error: called with a text, once per fault and cause.
        on_recovery: called with a text when frames come again after a fault.
        reconnect_interval: s from a fault to opening the source again, and between attempts.

    Attributes:
        state: STREAMING, OPENING, GONE or FROZEN.
        stream: the `Stream` of the last opening, None before.
        frames: new frames so far.
        newest: s on the clock of time.monotonic when the last of them was read, None before.
        gone, frozen: faults so far.
        last_error: text, empty before the first.
        refusal: the text of a `CameraRefusal` of a source that never delivered a frame: reading has ended.
    """

    def __init__(self, source, watch, on_frame, on_open, on_error, on_recovery, reconnect_interval=1.0):
        self._source, self.watch = source, watch
        self._on_frame, self._on_open = on_frame, on_open
        self._on_error, self._on_recovery = on_error, on_recovery
        self._interval = reconnect_interval
        self.state, self.stream = OPENING, None
        self.frames = self.gone = self.frozen = 0
        self.newest = self.refusal = None
        self.last_error = ''
        self._failed_since, self._said = None, set()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name='capture', daemon=True)

    def start(self):
        """Start the thread."""
        self._thread.start()

    def close(self, timeout=3.0):
        """End it; the thread releases the source. Returns False where a read still blocks after `timeout` s."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self):
        while not self._closed.is_set():
            try:
                self._read_frames()
            except CameraRefusal as error:
                if not self.frames:
                    self.last_error = self.refusal = str(error)
                    return
                self._fail(GONE, str(error))
            except FrozenError as error:
                self._fail(FROZEN, str(error))
            except CameraError as error:
                self._fail(GONE, str(error))
            except Exception as error:
                self._fail(GONE, f'{self._source.name}: {type(error).__name__}: {error}')
            finally:
                self._source.close()
            self._closed.wait(self._interval)

    def _read_frames(self):
        stream = self._source.open()
        self.watch.opened()
        if stream != self.stream:
            self.stream = stream
            self._on_open(stream)
        while not self._closed.is_set():
            frame = self._source.read()
            now = time.monotonic()
            if self.watch.is_new(frame, now):
                self.frames += 1
                self.newest = now
                self._recover(now)
                self._on_frame(frame)

    def _fail(self, state, text):
        if state != self.state:
            self.gone += state == GONE
            self.frozen += state == FROZEN
        if self._failed_since is None:
            self._failed_since = time.monotonic()
        self.state, self.last_error = state, text
        if text not in self._said:
            self._said.add(text)
            self._on_error(text)

    def _recover(self, now):
        self.state = STREAMING
        if self._failed_since is not None:
            self._on_recovery(f'{self._source.name} delivers new frames again after {now - self._failed_since:.1f} s')
            self._failed_since = None
            self._said.clear()
