"""Whether a frame is new: repeated, old and damaged ones are not, and too many of them are a fault."""

import numpy as np

from kiwi_policy.hardware.camera import CameraError


class FrozenError(CameraError):
    """A camera repeats one frame."""


class FrameWatch:
    """Tells new frames from others.

    A sensor's noise makes two equal frames all but impossible, so a repeated frame is an old one. What
    was last seen is remembered beyond a reopening: a camera that comes back with the same frame is
    still frozen.

    Args:
        name: of the camera, for messages.
        patience: s for which frames may be repeated, old or damaged.
        max_age: s from capture to reading; 0 for no bound.
        may_repeat: whether repeated frames count as new.

    Attributes:
        repeated, late, damaged: frames so far.
    """

    def __init__(self, name, patience, max_age=0.0, may_repeat=False):
        self._name = name
        self._patience, self._max_age, self._may_repeat = patience, max_age, may_repeat
        self._last = self._bad_since = None
        self.repeated = self.late = self.damaged = 0

    def opened(self):
        """The camera was opened anew: it gets its full patience again."""
        self._bad_since = None

    def is_new(self, frame, now):
        """Judge the frame (None for a damaged one) that was read at `now` (s).

        Raises:
            FrozenError: one frame was repeated for longer than the patience.
            CameraError: none but old or damaged frames came for that long.
        """
        if frame is None:
            self.damaged += 1
            error = CameraError(f'{self._name} delivers only damaged frames for {self._patience:g} s: try another '
                                'cable or USB port, or fourcc YUYV')
        elif self._max_age and now - frame.captured > self._max_age:
            self.late += 1
            error = CameraError(f'{self._name} delivers only frames older than max_frame_age {self._max_age:g} s: is '
                                'the machine too busy? 0 switches this check off')
        elif not self._may_repeat and _equal(frame.image, self._last):
            self.repeated += 1
            error = FrozenError(f'{self._name} is frozen: it repeats one frame for longer than frozen_timeout '
                                f'{self._patience:g} s')
        else:
            self._last, self._bad_since = frame.image, None
            return True
        if self._bad_since is None:
            self._bad_since = now
        if now - self._bad_since > self._patience:
            raise error
        return False


def _equal(image, last):
    if isinstance(image, bytes) or isinstance(last, bytes) or last is None:
        return type(image) is type(last) and image == last
    return np.array_equal(image, last)
