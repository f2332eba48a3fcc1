"""Where camera frames come from: a Protocol of three methods, the records it speaks in, and its errors."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from kiwi_policy.hardware.interface import HardwareError


class CameraError(HardwareError):
    """A camera delivers no frames. The message names the device and what to do."""


class CameraRefusal(CameraError):
    """A camera is there but cannot deliver what was asked of it: opening it again would not help."""


@dataclass(frozen=True)
class Stream:
    """What an opened source delivers.

    Attributes:
        width, height: pixels.
        format: four characters or a word, e.g. 'MJPG', 'YUYV', 'video'.
        rate: Hz.
        shortfall: how it differs from what was asked; empty where it does not.
    """

    width: int
    height: int
    format: str
    rate: float
    shortfall: str = ''

    def __str__(self):
        return f'{self.width}x{self.height} {self.format} at {self.rate:g} Hz'


@dataclass(frozen=True)
class Frame:
    """One frame.

    Attributes:
        captured: s on the clock of time.monotonic.
        image: JPEG bytes, or uint8 (height, width, 3) pixels in OpenCV's order BGR.
    """

    captured: float
    image: bytes | np.ndarray


@runtime_checkable
class FrameSource(Protocol):
    """A camera, or something that stands in for one. Used by one thread at a time.

    Attributes:
        name: what messages call it, e.g. /dev/video0.
    """

    name: str

    def open(self) -> Stream:
        """Start delivering.

        Raises:
            CameraRefusal: it is there, but cannot deliver what was asked.
            CameraError: it cannot be opened now.
        """

    def read(self) -> Frame | None:
        """Wait for the next frame, a bounded time; None for one that arrived damaged.

        Raises:
            CameraError: it delivers nothing any more.
        """

    def close(self) -> None:
        """Release the device. Safe to call more than once; never raises CameraError."""
