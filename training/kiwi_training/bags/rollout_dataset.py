"""Rollouts as a LeRobotDataset v3: the schema of kiwi-demos and, per frame, how the rollout ended and who drove."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from kiwi_training.demo_dataset import ROBOT_TYPE, complete, dataset_features, writing_options

LOG_NAME = 'meta/kiwi_bags.json'
OUTCOME = {
    'outcome.success': {'dtype': 'bool', 'shape': (1,), 'names': None},
    'outcome.judged': {'dtype': 'bool', 'shape': (1,), 'names': None},
    'takeover': {'dtype': 'bool', 'shape': (1,), 'names': None},
}
"""Features besides kiwi-demos': the rollout succeeded, somebody judged it, an operator drove at this frame."""


class DatasetMismatchError(ValueError):
    """The folder holds something else than asked for. The text names what differs."""


@dataclass
class BagLog:
    """Which recordings a dataset's episodes come from; kept in its folder as JSON.

    Attributes:
        episodes: of the bags, in the dataset's order: index in the dataset, bag, episode_id, outcome, success,
            only (what was asked for), first and last tick's stamp in ns, frames, takeover_frames, checkpoint.
    """

    episodes: list = field(default_factory=list)

    @classmethod
    def load(cls, root):
        """Read the log in a dataset's folder, an empty one where there is none."""
        path = Path(root) / LOG_NAME
        return cls(**json.loads(path.read_text())) if path.exists() else cls()

    def save(self, root):
        """Write the log into a dataset's folder, whole or not at all."""
        path = Path(root) / LOG_NAME
        draft = path.with_suffix('.tmp')
        draft.write_text(json.dumps(asdict(self), indent=1) + '\n')
        draft.replace(path)

    def holds(self, episode_id, first, last):
        """Whether the dataset has an episode that overlaps these ticks (stamps in ns) of this recording."""
        return any(entry['episode_id'] == episode_id and entry['first'] <= last and first <= entry['last']
                   for entry in self.episodes)


class RolloutWriter:
    """Writes episodes to a new dataset, or appends to one that has LeKiwi's features.

    Use as a context manager: leaving it, by whatever way, completes the files written so far.

    Args:
        root: the dataset's folder.
        repo_id: its name in LeRobot's form, owner/name.
        fps: frames per second.
        sizes: camera -> (height, width).
        video: of a new dataset: store videos, else PNG.
        codec: video codec of LeRobot's encoder.

    Raises:
        DatasetMismatchError: `root` holds something else, or a dataset whose fps or features differ.
    """

    def __init__(self, root, repo_id, fps, sizes, video=True, codec='h264'):
        from lerobot.datasets.lerobot_dataset import LeRobotDataset

        self.root, self.resumed, self.log = Path(root), False, BagLog()
        wanted = dataset_features(sizes, tuple(sizes), video) | OUTCOME
        if not self.root.exists():
            self._dataset = LeRobotDataset.create(
                repo_id, fps=fps, features=wanted, root=self.root, robot_type=ROBOT_TYPE, use_videos=video,
                **writing_options(video, codec))
        else:
            there = _existing(self.root)
            _check(self.root, there, fps, wanted)
            video = any(feature['dtype'] == 'video' for feature in there['features'].values())
            self._dataset = LeRobotDataset.resume(repo_id, root=self.root, **writing_options(video, codec))
            self.resumed, self.log = True, BagLog.load(self.root)
        self.left_out = sorted(OUTCOME.keys() - self._dataset.meta.features.keys())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def add(self, frames, task, success, origin):
        """Append an episode.

        Args:
            frames: iterable of (`frames.Frame`, camera -> uint8 (height, width, 3)).
            task: text.
            success: bool, or None where nobody judged.
            origin: what the log says of the episode.
        """
        outcome = {'outcome.success': np.array([bool(success)]), 'outcome.judged': np.array([success is not None])}
        for frame, pictures in frames:
            row = {'observation.state': frame.state, 'action': frame.action, 'task': task, **outcome,
                   'takeover': np.array([frame.operator]),
                   **{f'observation.images.{camera}': pixels for camera, pixels in pictures.items()}}
            self._dataset.add_frame({key: value for key, value in row.items() if key not in self.left_out})
        self._dataset.save_episode()
        self.log.episodes.append({'index': self._dataset.meta.total_episodes - 1, **origin})

    def close(self):
        """Drop an unfinished episode and complete the files; the dataset can then be read."""
        if self._dataset is None:
            return
        dataset, self._dataset = self._dataset, None
        complete(dataset)
        self.log.save(self.root)


def _existing(root):
    path = root / 'meta' / 'info.json'
    if not path.is_file():
        raise DatasetMismatchError(f'{root} exists and is no LeRobotDataset (it has no meta/info.json): choose another '
                                   '--output')
    return json.loads(path.read_text())


def _check(root, there, fps, wanted):
    """Refuse to append where the rate or the features differ; storage (video or PNG) is the dataset's own choice."""
    problems = []
    if there['fps'] != fps:
        problems.append(f'it has {there["fps"]} frames per second, the recording {fps}')
    here = {key: feature for key, feature in there['features'].items()
            if key in wanted or key.startswith(('observation.', 'action'))}
    for key in sorted(wanted.keys() | here.keys()):
        if key not in here:
            if key not in OUTCOME:
                problems.append(f'it lacks {key}, which the recording has')
        elif key not in wanted:
            problems.append(f'it has {key}, which the recording lacks')
        elif _form(here[key]) != _form(wanted[key]):
            problems.append(f'{key} is {_form(here[key])} there and {_form(wanted[key])} in the recording')
    if problems:
        raise DatasetMismatchError(f'{root} cannot take these rollouts: ' + '; '.join(problems))


def _form(feature):
    kind = 'picture' if feature['dtype'] in ('image', 'video') else feature['dtype']
    names = list(feature['names'] or ()) if kind != 'picture' else []
    return f'{kind} {"x".join(map(str, feature["shape"]))}' + (f' ({", ".join(names)})' if names else '')
