"""A film of an episode from compressed camera images: MP4 where PyAV can write it, else a PNG strip."""

import logging
import os
from pathlib import Path

import cv2
import numpy as np

from kiwi_policy.nodes.images import decode_rgb

logger = logging.getLogger(__name__)

STRIP_FRAMES = 8


def panel(frame, cameras, height):
    """Images side by side, uint8 (height, width, 3) RGB with even sides.

    Args:
        frame: camera -> image bytes.
        cameras: names from left to right; one that is missing in `frame` is black and square.
        height: pixels.
    """
    height += height % 2
    views = []
    for camera in cameras:
        if camera not in frame:
            views.append(np.zeros((height, height, 3), np.uint8))
            continue
        pixels = decode_rgb(frame[camera])
        width = max(round(pixels.shape[1] * height / pixels.shape[0]), 2)
        width += width % 2
        views.append(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA))
    return np.hstack(views)


def write_film(path, frames, cameras, rate, height):
    """Write frames as <path>.mp4, or as a strip <path>.png where no encoder is found.

    Args:
        path: without suffix.
        frames: list of dicts camera -> image bytes.
        cameras: names from left to right; those no frame has are left out.
        rate: Hz.
        height: pixels.

    Returns:
        name of the file written, empty where there was nothing to show.
    """
    cameras = [camera for camera in cameras if any(camera in frame for frame in frames)]
    if not cameras:
        return ''
    path = Path(path)
    try:
        return _write_mp4(path.with_suffix('.mp4'), frames, cameras, rate, height)
    except (ImportError, OSError, ValueError) as error:
        logger.warning('no MP4 (%s), writing a PNG strip', error)
        return _write_strip(path.with_suffix('.png'), frames, cameras, height)


def _write_mp4(path, frames, cameras, rate, height):
    import av

    fresh = path.with_name(f'.{path.name}')
    size = None
    with av.open(str(fresh), 'w', format='mp4') as container:
        stream = container.add_stream(_codec(av), rate=round(rate))
        stream.codec_context.thread_count = 1
        for frame in frames:
            pixels = panel(frame, cameras, height)
            if size is None:
                size = pixels.shape[1], pixels.shape[0]
                stream.width, stream.height, stream.pix_fmt = *size, 'yuv420p'
            elif pixels.shape[1::-1] != size:
                pixels = cv2.resize(pixels, size)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format='rgb24')))
        container.mux(stream.encode())
    os.replace(fresh, path)
    return path.name


def _codec(av):
    for name in ('libx264', 'h264', 'mpeg4'):
        if name in av.codecs_available:
            try:
                av.codec.Codec(name, 'w')
                return name
            except ValueError:
                continue
    raise ValueError('PyAV has no encoder among libx264, h264, mpeg4')


def _write_strip(path, frames, cameras, height):
    chosen = np.linspace(0, len(frames) - 1, min(STRIP_FRAMES, len(frames))).round().astype(int)
    rows = [panel(frames[index], cameras, height) for index in chosen]
    width = min(row.shape[1] for row in rows)
    strip = np.vstack([row[:, :width] for row in rows])
    if not cv2.imwrite(str(path), cv2.cvtColor(strip, cv2.COLOR_RGB2BGR)):
        raise OSError(f'cannot write {path}')
    return path.name
