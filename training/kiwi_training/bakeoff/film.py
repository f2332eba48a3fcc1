"""A film of a simulated rollout: H.264 in MP4, small, and plays in browsers."""

import os
from fractions import Fraction
from pathlib import Path

from kiwi_policy.core.features import RATE_HZ

CAMERA = 'overview'
ENCODERS = ('libx264', 'libopenh264', 'h264')
QUALITY = {'libx264': {'crf': '24', 'preset': 'slow', 'tune': 'animation'}}
BIT_RATE = 250_000
"""bit/s, for encoders that know no constant quality."""


class Film:
    """Writes what the overview camera sees; a context manager, called with the env after every control period.

    The file appears whole when the context ends, and not at all after an error or without a frame.

    Args:
        path: of the MP4; its folder must exist.
        height, width: pixels, even.
        fps: frames per s of the film.
        speed: seconds of the rollout per second of film, 1 for real time.

    Raises:
        ValueError: a size, rate or speed out of bounds.
        RuntimeError: on entry, where PyAV has no H.264 encoder.
    """

    def __init__(self, path, height=240, width=320, fps=30, speed=1):
        for name, value in (('height', height), ('width', width)):
            if value < 16 or value % 2 or value != int(value):
                raise ValueError(f'{name} must be an even number of pixels >= 16, got {value!r}')
        if fps < 1 or fps != int(fps):
            raise ValueError(f'fps must be a whole number >= 1, got {fps!r}')
        if not speed > 0:
            raise ValueError(f'speed must be > 0, got {speed!r}')
        self.path = Path(path)
        self.height, self.width, self.fps = int(height), int(width), int(fps)
        self.frames = 0
        self._ticks = 0
        self._frames_per_tick = Fraction(self.fps) / (Fraction(RATE_HZ) * Fraction(speed).limit_denominator(1000))
        self._container = None

    def __enter__(self):
        import av

        encoder = find_encoder(av.codecs_available)
        self._fresh = self.path.with_name(f'.{self.path.name}.{os.getpid()}')
        self._container = av.open(str(self._fresh), 'w', format='mp4', options={'movflags': '+faststart'})
        self._stream = self._container.add_stream(encoder, rate=self.fps)
        self._stream.width, self._stream.height, self._stream.pix_fmt = self.width, self.height, 'yuv420p'
        self._stream.options = QUALITY.get(encoder, {})
        if encoder not in QUALITY:
            self._stream.bit_rate = BIT_RATE
        self._stream.codec_context.thread_count = 1
        return self

    def __call__(self, env):
        """Film the present moment of an env with `render_view(camera, height, width)`, where a frame is due."""
        due = int(self._ticks * self._frames_per_tick) + 1
        self._ticks += 1
        if due > self.frames:
            picture = env.render_view(CAMERA, self.height, self.width)
            while self.frames < due:
                self.add(picture)

    def add(self, picture):
        """Append a frame, (height, width, 3) uint8 RGB."""
        import av

        if picture.shape != (self.height, self.width, 3):
            raise ValueError(f'a frame must have shape {(self.height, self.width, 3)}, got {picture.shape}')
        self._container.mux(self._stream.encode(av.VideoFrame.from_ndarray(picture, format='rgb24')))
        self.frames += 1

    def __exit__(self, kind, error, trace):
        try:
            if kind is None and self.frames:
                self._container.mux(self._stream.encode())
        finally:
            self._container.close()
            if kind is None and self.frames:
                os.replace(self._fresh, self.path)
            else:
                self._fresh.unlink(missing_ok=True)


def find_encoder(available):
    """The first H.264 encoder among the names `available`.

    Raises:
        RuntimeError: there is none.
    """
    import av

    for name in ENCODERS:
        if name in available:
            try:
                av.codec.Codec(name, 'w')
                return name
            except ValueError:
                continue
    raise RuntimeError(f'PyAV has no H.264 encoder among {", ".join(ENCODERS)}')
