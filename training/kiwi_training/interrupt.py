"""Turns Ctrl-C and SIGTERM into a request to stop after the present step."""

import signal
import sys
from types import FrameType


class StopRequest:
    """Context manager; true once a signal came. A second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self._signal: int | None = None
        self._before: dict[int, object] = {}

    def __bool__(self) -> bool:
        return self._signal is not None

    def __enter__(self) -> 'StopRequest':
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = number
        print('\nstopping after this step and saving a checkpoint (Ctrl-C again: stop at once)', file=sys.stderr)
