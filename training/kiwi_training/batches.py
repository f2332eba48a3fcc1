"""Batches for a policy, taken from the frame cache as LeRobotDataset would give them.

For a key with frame offsets `deltas`, item t holds the frames clip(t + d, start, end - 1) of its
episode and `<key>_is_pad` marks where t + d lay outside of it: LeRobot's rule for delta_timestamps.
"""

import queue
import threading
from collections.abc import Iterator

import numpy as np
import torch
from lerobot.datasets.sampler import EpisodeAwareSampler, compute_sampler_state

from kiwi_training.frame_cache import FrameCache


class BatchReader:
    """Reads batches of any frames of a cache.

    Args:
        cache: the decoded dataset.
        meta: its LeRobotDatasetMetadata (task texts, kinds of features).
        deltas: key -> frame offsets; keys without offsets give the frame itself, without a time axis.
    """

    def __init__(self, cache: FrameCache, meta, deltas: dict[str, list[int]] | None):
        unknown = set(deltas or {}) - set(cache.cameras) - set(cache.columns)
        if unknown:
            raise ValueError(f'no such features: {sorted(unknown)}, the dataset has '
                             f'{sorted([*cache.cameras, *cache.columns])}')
        self._cache = cache
        self._deltas = {key: np.asarray(offsets, np.int64) for key, offsets in (deltas or {}).items()}
        self._tasks = [str(task) for task in meta.tasks.index]
        # LeRobot squeezes the time axis of a video that was asked for one frame only.
        self._squeezed = {key for key in meta.video_keys if len(self._deltas.get(key, ())) == 1}

    def read(self, frames: np.ndarray) -> dict:
        """Batch of `frames`, int (B,): images uint8 (B, [T,] 3, H, W), numbers, `task` texts."""
        batch = {}
        for key, array in (self._cache.cameras | self._cache.columns).items():
            offsets = self._deltas.get(key)
            if offsets is None:
                batch[key] = _take(array, frames)
                continue
            wanted = frames[:, None] + offsets  # (B, T)
            start, end = self._cache.episode_start[frames, None], self._cache.episode_end[frames, None]
            batch[f'{key}_is_pad'] = torch.from_numpy((wanted < start) | (wanted >= end))
            wanted = np.clip(wanted, start, end - 1)
            batch[key] = _take(array, wanted[:, 0] if key in self._squeezed else wanted)
        batch['task'] = [self._tasks[index] for index in batch['task_index'].tolist()]
        return batch


def _take(array: np.ndarray, frames: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.take(frames, axis=0))


def images_to_float(batch: dict) -> dict:
    """Turns uint8 images into float32 in [0, 1], the form in which LeRobot's policies expect them."""
    return {key: value.to(torch.float32).div_(255) if isinstance(value, torch.Tensor) and value.dtype == torch.uint8
            else value for key, value in batch.items()}


class BatchOrder:
    """The endless sequence of batches' frames, the same that lerobot-train draws for this seed.

    Args:
        meta: LeRobotDatasetMetadata.
        episodes: episodes to draw from.
        batch_size: frames per batch and process; the last batch of an epoch may be smaller.
        seed: seed of the permutation.
        drop_last: frames at the end of each episode that are never drawn.
        process, processes: this process's number among all that train together.
    """

    def __init__(self, meta, episodes: list[int], batch_size: int, seed: int, drop_last: int = 0,
                 process: int = 0, processes: int = 1):
        bounds = meta.episodes.select_columns(['dataset_from_index', 'dataset_to_index'])
        self._sampler = EpisodeAwareSampler(
            bounds['dataset_from_index'], bounds['dataset_to_index'], episode_indices_to_use=episodes,
            drop_n_last_frames=drop_last, shuffle=True, seed=seed)
        self._batch_size, self._process, self._processes = batch_size, process, processes

    def __len__(self) -> int:
        """Frames per epoch."""
        return len(self._sampler)

    def batches_from(self, step: int) -> Iterator[np.ndarray]:
        """Batches, int64 (B,) each, as they follow after `step` training steps."""
        self._sampler.load_state_dict(
            compute_sampler_state(step, len(self._sampler), self._batch_size, self._processes))
        while True:
            yield from self._epoch()

    def _epoch(self) -> Iterator[np.ndarray]:
        group, size = [], self._batch_size
        first = []
        for frame in self._sampler:
            group.append(frame)
            if len(first) < size * self._processes:
                first.append(frame)
            if len(group) == size * self._processes:
                yield self._own(group)
                group = []
        if group:
            if self._processes > 1:
                # Every process gets a full batch, filled up from the epoch's start as accelerate does.
                while len(group) < size * self._processes:
                    group.extend(first[:size * self._processes - len(group)])
            yield self._own(group)

    def _own(self, group: list[int]) -> np.ndarray:
        start = self._process * self._batch_size
        return np.asarray(group[start:start + self._batch_size], np.int64)


def prefetched(batches: Iterator[dict], depth: int = 2) -> Iterator[dict]:
    """The same items, made by a background thread that keeps `depth` of them ready.

    The thread ends when the iterator is closed. An error inside it is raised here.
    """
    ready: queue.Queue = queue.Queue(maxsize=depth)
    closed = threading.Event()

    def put(item) -> bool:
        while not closed.is_set():
            try:
                ready.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def fill() -> None:
        try:
            for item in batches:
                if not put((item, None)):
                    return
            put((None, StopIteration()))
        except BaseException as error:
            put((None, error))

    thread = threading.Thread(target=fill, name='batches', daemon=True)
    thread.start()
    try:
        while True:
            item, error = ready.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item
    finally:
        closed.set()
        thread.join()
