"""A LeRobotDataset decoded once into memory-mapped arrays.

Layout of a cache folder, all written by numpy, none of it pickled:

    <cache dir>/frames/<key>/
        index.json                         what is here; written last
        observation.images.front.npy       uint8 (frames, 3, height, width)
        observation.state.npy, action.npy  float32 (frames, 9), ...

`key` is a digest of the dataset's content, the image size and the layout's version. A cache is
built under a temporary name and renamed when it is whole.
"""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from kiwi_training.columns import read_columns
from kiwi_training.dataset_source import camera_shapes, content_digest
from kiwi_training.decode import Job, decoding_jobs

LAYOUT_VERSION = 1
KEEP_FREE_BYTES = 1 << 30


class DiskFullError(RuntimeError):
    """The cache would not fit on the disk that holds the cache folder."""


@dataclass(frozen=True)
class FrameCache:
    """Read-only view of a decoded dataset of N frames.

    Attributes:
        folder: where it lies.
        cameras: key -> uint8 (N, 3, height, width), memory-mapped.
        columns: key -> (N, ...) numbers, memory-mapped.
        episode_start: int64 (N,) first frame of the episode of each frame.
        episode_end: int64 (N,) one past its last frame.
    """

    folder: Path
    cameras: dict[str, np.ndarray]
    columns: dict[str, np.ndarray]
    episode_start: np.ndarray
    episode_end: np.ndarray

    def __len__(self) -> int:
        return len(self.episode_start)


def default_cache_dir() -> Path:
    """`$XDG_CACHE_HOME/kiwi`, else `~/.cache/kiwi`."""
    return Path(os.environ.get('XDG_CACHE_HOME') or Path.home() / '.cache') / 'kiwi'


def cache_key(meta, size: tuple[int, int] | None, memo: Path | None = None) -> str:
    """Name of the cache of this content at this image size (height, width)."""
    what = json.dumps([LAYOUT_VERSION, content_digest(meta, memo), size])
    return hashlib.blake2b(what.encode(), digest_size=12).hexdigest()


def cache_bytes(meta, size: tuple[int, int] | None) -> int:
    """Size of the cache's images and an upper estimate of its columns, in bytes."""
    images = sum(3 * (size[0] * size[1] if size else height * width)
                 for height, width, _ in camera_shapes(meta).values())
    numbers = sum(8 * int(np.prod(feature['shape'])) for key, feature in meta.features.items())
    numbers -= sum(8 * int(np.prod(shape)) for shape in camera_shapes(meta).values())
    return meta.total_frames * (images + numbers)


def load_frames(meta, cache_dir: Path | None = None, size: tuple[int, int] | None = None,
                workers: int | None = None, say=print) -> FrameCache:
    """The cache of `meta`, built first where it is missing.

    Args:
        meta: LeRobotDatasetMetadata.
        cache_dir: parent of `frames/`; `default_cache_dir()` when None.
        size: (height, width) of the cached images; None keeps the dataset's.
        workers: decoding threads; the number of CPUs when None.
        say: prints one line.

    Raises:
        DiskFullError: it would leave less than `KEEP_FREE_BYTES` free.
        DatasetError: the dataset cannot be cached.
    """
    frames = Path(cache_dir or default_cache_dir()).expanduser() / 'frames'
    key = cache_key(meta, size, frames / 'digests.json')
    folder = frames / key
    if not folder.is_dir():
        frames.mkdir(parents=True, exist_ok=True)
        with _locked(frames / f'{key}.lock'):
            if not folder.is_dir():
                _build(meta, folder, size, workers, say)
    return _open(meta, folder)


def _build(meta, folder: Path, size, workers: int | None, say) -> None:
    needed, free = cache_bytes(meta, size), shutil.disk_usage(folder.parent).free
    shapes = {key: (size or shape[:2]) for key, shape in camera_shapes(meta).items()}
    sizes = ', '.join(f'{key} {height}x{width}' for key, (height, width) in shapes.items())
    say(f'frame cache: {meta.total_frames} frames ({sizes}) take {_gigabytes(needed)}, '
        f'{_gigabytes(free)} free at {folder.parent}')
    if needed + KEEP_FREE_BYTES > free:
        raise DiskFullError(
            f'the frame cache needs {_gigabytes(needed)} and {_gigabytes(KEEP_FREE_BYTES)} must stay free, but '
            f'{folder.parent} has {_gigabytes(free)}. Make room, choose another disk with --cache-dir DIR, '
            'or cache smaller images with --resize HEIGHTxWIDTH.')
    partial = folder.with_name(folder.name + '.partial')
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        columns = read_columns(meta)
        for name, array in columns.items():
            np.save(partial / f'{name}.npy', array, allow_pickle=False)
        _decode_all(meta, partial, shapes, size, workers)
        index = {'layout': LAYOUT_VERSION, 'frames': meta.total_frames, 'fps': meta.fps, 'dataset': meta.repo_id,
                 'cameras': list(shapes), 'columns': list(columns)}
        (partial / 'index.json').write_text(json.dumps(index, indent=2))
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _decode_all(meta, partial: Path, shapes: dict, size, workers: int | None) -> None:
    images = {key: np.lib.format.open_memmap(partial / f'{key}.npy', mode='w+', dtype=np.uint8,
                                             shape=(meta.total_frames, 3, height, width))
              for key, (height, width) in shapes.items()}
    jobs = list(decoding_jobs(meta, size))
    with (tqdm(total=sum(job.frames for job in jobs), desc='decoding', unit='frame') as bar,
          ThreadPoolExecutor(workers or os.cpu_count()) as pool):
        running = [pool.submit(_run, job, images[job.key], bar) for job in jobs]
        try:
            for done in as_completed(running):
                done.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    for array in images.values():
        array.flush()


def _run(job: Job, images: np.ndarray, bar: tqdm) -> None:
    written = 0

    def write(index: int, image: np.ndarray) -> None:
        nonlocal written
        images[index] = image
        written += 1
        bar.update()

    job.run(write)
    if written != job.frames:
        raise RuntimeError(f'{job.key}: {written} frames decoded where {job.frames} were promised')


def _open(meta, folder: Path) -> FrameCache:
    index = json.loads((folder / 'index.json').read_text())

    def load(key: str) -> np.ndarray:
        return np.load(folder / f'{key}.npy', mmap_mode='r', allow_pickle=False)

    episodes = [(int(row['dataset_from_index']), int(row['dataset_to_index']))
                for row in meta.episodes.select_columns(['dataset_from_index', 'dataset_to_index'])]
    lengths = [end - start for start, end in episodes]
    return FrameCache(
        folder=folder,
        cameras={key: load(key) for key in index['cameras']},
        columns={key: load(key) for key in index['columns']},
        episode_start=np.repeat([start for start, _ in episodes], lengths),
        episode_end=np.repeat([end for _, end in episodes], lengths))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open('w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _gigabytes(size: int) -> str:
    return f'{size / 1e9:.2f} GB' if size >= 1e8 else f'{size / 1e6:.1f} MB'
