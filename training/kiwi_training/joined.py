"""Several LeRobotDatasets trained on as one: demonstrations with recorded rollouts or corrections, say.

Each keeps its own frame cache; nothing is copied. A dataset named twice counts twice.
"""

import copy
from pathlib import Path

import numpy as np
import pandas as pd
from datasets import Dataset
from lerobot.datasets.compute_stats import aggregate_stats

from kiwi_training.dataset_source import IMAGE_DTYPES, DatasetError, camera_shapes, open_dataset
from kiwi_training.frame_cache import FrameCache, load_frames

NEEDED = ('observation.state', 'action')
_BOUNDS = ('dataset_from_index', 'dataset_to_index')


class JoinedMetadata:
    """What training asks of `LeRobotDatasetMetadata`, for several of them one after the other.

    Args:
        parts: their metadata, in order.

    Attributes:
        parts: as given.
        features: those that all parts have alike; the shapes of images are the first part's.
        ignored: keys of features that some part lacks or has in another form.
        stats: over all frames.

    Raises:
        DatasetError: rates differ, or states, actions or cameras do.
    """

    def __init__(self, parts):
        self.parts = tuple(parts)
        first = self.parts[0]
        self.repo_id, self.root, self.fps = ' + '.join(part.repo_id for part in self.parts), first.root, first.fps
        self._check()
        alike = [key for key, feature in first.features.items()
                 if all(_form(part.features.get(key)) == _form(feature) for part in self.parts)]
        self.features = {key: copy.deepcopy(first.features[key]) for key in alike}
        self.ignored = sorted({key for part in self.parts for key in part.features} - set(alike))
        self.camera_keys = [key for key in first.camera_keys if key in alike]
        self.video_keys = [key for key in first.video_keys if key in alike]
        self.image_keys = [key for key in first.image_keys if key in alike]
        self.depth_keys = [key for key in first.depth_keys if key in alike]
        if first.camera_keys and not self.camera_keys:
            raise DatasetError(f'no camera is in all datasets: {_told(self.parts, lambda part: part.camera_keys)}')
        self.stats = aggregate_stats([{key: part.stats[key] for key in alike if key in part.stats}
                                      for part in self.parts])
        texts = list(dict.fromkeys(str(text) for part in self.parts for text in part.tasks.index))
        self.tasks = pd.DataFrame({'task_index': range(len(texts))}, index=pd.Index(texts, name='task'))
        self.total_frames = sum(part.total_frames for part in self.parts)
        self.total_episodes = sum(part.total_episodes for part in self.parts)
        self.episodes = self._episodes()

    def _check(self):
        if len({part.fps for part in self.parts}) > 1:
            raise DatasetError(f'the datasets differ in frames per second: {_told(self.parts, lambda part: part.fps)}')
        for key in NEEDED:
            if len({_form(part.features.get(key)) for part in self.parts}) > 1:
                raise DatasetError(f'the datasets differ in {key}: '
                                   f'{_told(self.parts, lambda part: _form(part.features.get(key)))}')

    def _episodes(self):
        bounds, tasks, offset = {key: [] for key in _BOUNDS}, [], 0
        for part in self.parts:
            columns = part.episodes.select_columns([*_BOUNDS, 'tasks'])
            for key in _BOUNDS:
                bounds[key] += [int(value) + offset for value in columns[key]]
            tasks += list(columns['tasks'])
            offset += part.total_frames
        return Dataset.from_dict({**bounds, 'tasks': tasks})


class JoinedArray:
    """Arrays one after the other, alike but for their first axis. Only `take` is offered."""

    def __init__(self, parts):
        self._parts = parts
        self._starts = np.cumsum([0, *map(len, parts)])
        self.shape, self.dtype = (int(self._starts[-1]), *parts[0].shape[1:]), parts[0].dtype

    def __len__(self):
        return self.shape[0]

    def take(self, indices, axis=0):
        """The rows at `indices`, an int array of any shape, as `numpy.take` gives them."""
        if axis != 0:
            raise ValueError(f'rows are taken along axis 0, not {axis}')
        indices = np.asarray(indices)
        taken = np.empty((*indices.shape, *self.shape[1:]), self.dtype)
        which = np.searchsorted(self._starts, indices, side='right') - 1
        for number in np.unique(which):
            here = which == number
            taken[here] = self._parts[number].take(indices[here] - self._starts[number], axis=0)
        return taken


def open_datasets(names):
    """Metadata of one dataset, or of several as one.

    Raises:
        DatasetError: one cannot be had, or they do not go together.
    """
    parts = [open_dataset(name) for name in names]
    return parts[0] if len(parts) == 1 else JoinedMetadata(parts)


def load_joined(meta, cache_dir: Path | None = None, size=None, workers=None, say=print):
    """As `load_frames`, also for `JoinedMetadata`.

    Raises:
        DiskFullError, DatasetError: as there; also where images of different sizes were not to be resized.
    """
    if not isinstance(meta, JoinedMetadata):
        return load_frames(meta, cache_dir, size, workers, say)
    shapes = {key: {camera_shapes(part)[key] for part in meta.parts} for key in meta.camera_keys}
    uneven = {key: found for key, found in shapes.items() if len(found) > 1}
    if uneven and size is None:
        told = '; '.join(f'{key} {" and ".join(f"{height}x{width}" for height, width, _ in sorted(found))}'
                         for key, found in uneven.items())
        raise DatasetError(f'the datasets have images of different sizes ({told}): give --resize HEIGHTxWIDTH')
    if meta.ignored:
        say(f'not in all datasets alike, ignored: {", ".join(meta.ignored)}')
    caches = [load_frames(part, cache_dir, size, workers, say) for part in meta.parts]
    frames = np.cumsum([0, *(part.total_frames for part in meta.parts)])
    episodes = np.cumsum([0, *(part.total_episodes for part in meta.parts)])
    columns = {key: np.concatenate([cache.columns[key] for cache in caches])
               for key in meta.features if meta.features[key]['dtype'] not in IMAGE_DTYPES}
    columns['index'] = np.arange(meta.total_frames)
    columns['episode_index'] = np.concatenate(
        [cache.columns['episode_index'] + first for cache, first in zip(caches, episodes)])
    columns['task_index'] = np.concatenate(
        [_task_numbers(meta, part)[cache.columns['task_index']] for part, cache in zip(meta.parts, caches)])
    return FrameCache(
        folder=caches[0].folder,
        cameras={key: JoinedArray([cache.cameras[key] for cache in caches]) for key in meta.camera_keys},
        columns=columns,
        episode_start=np.concatenate([cache.episode_start + first for cache, first in zip(caches, frames)]),
        episode_end=np.concatenate([cache.episode_end + first for cache, first in zip(caches, frames)]))


def _task_numbers(meta, part):
    known = {text: number for number, text in enumerate(meta.tasks.index)}
    return np.array([known[str(text)] for text in part.tasks.index], np.int64)


def _form(feature):
    """What must be equal for two features to go together."""
    if feature is None:
        return None
    if feature['dtype'] in IMAGE_DTYPES:
        return 'picture', tuple(feature.get('names') or ())
    names = feature.get('names')
    return feature['dtype'], tuple(feature['shape']), tuple(names) if isinstance(names, (list, tuple)) else str(names)


def _told(parts, what):
    return '; '.join(f'{part.root} {what(part)}' for part in parts)
