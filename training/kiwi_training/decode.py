"""Decodes the frames of a LeRobotDataset in the order in which they are stored.

Videos are read once from front to back (no seek per frame); images one parquet row group (an
episode) at a time. Frames leave as uint8 (3, height, width), resized when asked.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch.nn import functional as F

from kiwi_training.dataset_source import DatasetError

TIMESTAMP_TOLERANCE_S = 1e-3
_PNG = b'\x89PNG'

Write = Callable[[int, np.ndarray], None]
"""write(frame index in the dataset, uint8 image (3, height, width))"""


@dataclass(frozen=True)
class Job:
    """One piece of decoding work that touches frames no other job touches.

    Attributes:
        key: camera key, such as `observation.images.front`.
        frames: how many frames it will write.
        run: does the work; argument: where to write each frame.
    """

    key: str
    frames: int
    run: Callable[[Write], None]


def decoding_jobs(meta, size: tuple[int, int] | None) -> Iterator[Job]:
    """Jobs that together write each frame of each camera once.

    Args:
        meta: LeRobotDatasetMetadata.
        size: (height, width) to resize to, or None to keep the stored size.
    """
    for key, feature in meta.features.items():
        if feature['dtype'] == 'image':
            yield from _image_jobs(meta, key, size)
        elif feature['dtype'] == 'video':
            yield from _video_jobs(meta, key, size)


def _image_jobs(meta, key: str, size) -> Iterator[Job]:
    for path in sorted((Path(meta.root) / 'data').rglob('*.parquet')):
        parquet = pq.ParquetFile(path)
        for group in range(parquet.num_row_groups):
            rows = parquet.metadata.row_group(group).num_rows

            def run(write: Write, path=path, group=group) -> None:
                table = pq.ParquetFile(path).read_row_group(group, columns=['index', key])
                for index, cell in zip(table['index'].to_pylist(), table[key], strict=True):
                    write(index, _chw(_decode_image(cell.as_py(), meta.root), size))

            yield Job(key, rows, run)


def _decode_image(cell: dict, root: Path) -> np.ndarray:
    data = cell['bytes'] if cell['bytes'] is not None else (Path(root) / cell['path']).read_bytes()
    if data[:4] == _PNG:
        # OpenCV lets other threads run while it inflates; lossless, so equal to PIL's result.
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        if image is not None:
            return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
    return np.asarray(Image.open(io.BytesIO(data)).convert('RGB'))


def _video_jobs(meta, key: str, size) -> Iterator[Job]:
    spans: dict[Path, list[int]] = {}
    for episode in range(meta.total_episodes):
        spans.setdefault(Path(meta.root) / meta.get_video_file_path(episode, key), []).append(episode)
    for path, episodes in spans.items():
        rows = [meta.episodes[episode] for episode in episodes]
        times = np.concatenate([
            row[f'videos/{key}/from_timestamp']
            + np.arange(row['dataset_to_index'] - row['dataset_from_index']) / meta.fps for row in rows])
        indices = np.concatenate([np.arange(row['dataset_from_index'], row['dataset_to_index']) for row in rows])
        order = np.argsort(times, kind='stable')

        def run(write: Write, path=path, times=times[order], indices=indices[order]) -> None:
            _decode_video(path, times, indices, size, write)

        yield Job(key, len(indices), run)


def _decode_video(path: Path, times: np.ndarray, indices: np.ndarray, size, write: Write) -> None:
    """Writes, for each of the ascending `times` (s), the frame of `path` shown at that time."""
    wanted = 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = 'AUTO'
        for frame in container.decode(stream):
            if wanted == len(times):
                return
            if frame.pts is None:
                continue
            shown = float(frame.pts * stream.time_base)
            if shown < times[wanted] - TIMESTAMP_TOLERANCE_S:
                continue
            if shown > times[wanted] + TIMESTAMP_TOLERANCE_S:
                break
            write(int(indices[wanted]), _chw(frame.to_ndarray(format='rgb24'), size))
            wanted += 1
    if wanted < len(times):
        raise DatasetError(
            f'{path} has no frame at {times[wanted]:.4f} s (tolerance {TIMESTAMP_TOLERANCE_S} s), '
            f'wanted for dataset frame {int(indices[wanted])}: {wanted} of {len(times)} frames found.')


def _chw(image: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """(height, width, 3) -> (3, height, width), resized by antialiased bilinear interpolation.

    That is how our heads resize the images they are given, so a policy trained on resized frames
    sees the same at run time.
    """
    if size is None or image.shape[:2] == size:
        return image.transpose(2, 0, 1)
    stored = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
    return F.interpolate(stored, size=size, mode='bilinear', antialias=True, align_corners=False)[0].numpy()
