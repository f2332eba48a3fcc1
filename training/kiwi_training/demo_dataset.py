"""Demonstrations as a LeRobotDataset v3 with LeKiwi's feature names, and a log of where they came from."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kiwi_policy.core import features

ROBOT_TYPE = 'lekiwi'
LOG_NAME = 'meta/kiwi_demos.json'
_QUEUE = 4096
"""Frames the video encoder may lag behind; above any episode's length, since a full queue drops frames."""


class DatasetExistsError(Exception):
    """The dataset's folder is in use in a way that does not fit the request."""


@dataclass
class DemoLog:
    """What a demonstration dataset holds; kept in its folder as JSON.

    Attributes:
        options: what decides the content of a demonstration besides its seed.
        next_seed: first seed not yet tried.
        episodes: per episode of the dataset its seed, side and success, in the dataset's order.
        left_out: seeds whose failure was not recorded.
    """

    options: dict
    next_seed: int
    episodes: list = field(default_factory=list)
    left_out: list = field(default_factory=list)

    @classmethod
    def load(cls, root):
        """Read the log in a dataset's folder."""
        return cls(**json.loads((Path(root) / LOG_NAME).read_text()))

    def save(self, root):
        """Write the log into a dataset's folder, whole or not at all."""
        path = Path(root) / LOG_NAME
        draft = path.with_suffix('.tmp')
        draft.write_text(json.dumps(asdict(self), indent=1) + '\n')
        draft.replace(path)


def dataset_features(image_size, cameras=features.CAMERAS, video=True):
    """LeRobot's feature specification for LeKiwi.

    Args:
        image_size: (height, width) of all cameras, or camera -> (height, width).
        cameras: names.
        video: store videos, else one PNG per frame inside the parquet files.
    """
    sizes = image_size if isinstance(image_size, dict) else dict.fromkeys(cameras, image_size)
    vector = {'dtype': 'float32', 'shape': (features.DIM,), 'names': list(features.NAMES)}
    image = {'dtype': 'video' if video else 'image', 'names': ['height', 'width', 'channels']}
    return {
        'observation.state': vector,
        'action': dict(vector),
        **{f'observation.images.{camera}': image | {'shape': (*sizes[camera], 3)} for camera in cameras},
    }


def writing_options(video=True, codec='h264'):
    """Arguments of `LeRobotDataset.create` and `.resume` for writing frame by frame, libraries silenced."""
    import av
    import datasets
    from lerobot.configs.video import RGBEncoderConfig

    av.logging.set_libav_level(av.logging.ERROR)
    datasets.disable_progress_bars()
    return {
        'video_backend': 'pyav',
        'rgb_encoder': RGBEncoderConfig(vcodec=codec, **_tuning(codec)),
        'streaming_encoding': video,
        'encoder_queue_maxsize': _QUEUE,
        'encoder_threads': 1,
    }


class DemoWriter:
    """Writes demonstrations to a new dataset, or appends to one it made before.

    Use as a context manager: leaving it, by whatever way, completes the files written so far.

    Args:
        repo_id: name of the dataset in LeRobot's form, owner/name.
        root: its folder.
        options: recorded in the log; must be the log's own when appending.
        seed: first seed of a new dataset.
        image_size: (height, width).
        video: store videos, else one PNG per frame inside the parquet files.
        codec: video codec of LeRobot's encoder.
        resume: append to the dataset in `root`.

    Raises:
        DatasetExistsError: `root` exists and `resume` is not set, or cannot be resumed.
    """

    def __init__(self, repo_id, root, options, seed, image_size, video=True, codec='h264', resume=False):
        from lerobot.datasets.lerobot_dataset import LeRobotDataset

        self.root = Path(root)
        streaming = writing_options(video, codec)
        if resume:
            self.log = _resumable_log(self.root, options)
            self._dataset = LeRobotDataset.resume(repo_id, root=self.root, **streaming)
        else:
            if self.root.exists():
                raise DatasetExistsError(
                    f'{self.root} already exists. Choose another --root, delete it, or add --resume to '
                    'append demonstrations to a dataset that kiwi-demos made'
                )
            self.log = DemoLog(options=options, next_seed=seed)
            self._dataset = LeRobotDataset.create(
                repo_id,
                fps=int(features.RATE_HZ),
                features=dataset_features(image_size, video=video),
                root=self.root,
                robot_type=ROBOT_TYPE,
                use_videos=video,
                **streaming,
            )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def add(self, demonstration):
        """Append one demonstration as an episode."""
        self._check_seed(demonstration)
        for row in range(len(demonstration)):
            frame = {
                'observation.state': demonstration.state[row],
                'action': demonstration.action[row],
                'task': demonstration.instruction,
            }
            for camera, pictures in demonstration.images.items():
                frame[f'observation.images.{camera}'] = pictures[row]
            self._dataset.add_frame(frame)
        self._dataset.save_episode()
        self.log.episodes.append({
            'seed': demonstration.seed,
            'side': demonstration.side,
            'success': demonstration.success,
        })
        self.log.next_seed = demonstration.seed + 1

    def leave_out(self, demonstration):
        """Note that a demonstration was made and not recorded."""
        self._check_seed(demonstration)
        self.log.left_out.append(demonstration.seed)
        self.log.next_seed = demonstration.seed + 1

    def close(self):
        """Drop an unfinished episode and complete the files; the dataset can then be read."""
        if self._dataset is None:
            return
        dataset, self._dataset = self._dataset, None
        complete(dataset)
        self.log.save(self.root)

    def _check_seed(self, demonstration):
        if demonstration.seed < self.log.next_seed:
            raise ValueError(f'seed {demonstration.seed} comes before {self.log.next_seed}, the next one')


def complete(dataset):
    """Drop an unfinished episode of a LeRobotDataset and complete its files."""
    if dataset.has_pending_frames():
        dataset.clear_episode_buffer()
    dataset.finalize()


def _tuning(codec):
    if codec == 'h264':
        return {'crf': 18, 'preset': 'veryfast'}
    return {}


def _resumable_log(root, options):
    try:
        log = DemoLog.load(root)
    except FileNotFoundError:
        raise DatasetExistsError(
            f'{root / LOG_NAME} is missing: nothing there that kiwi-demos made and completed. '
            'Leave out --resume for a new dataset'
        ) from None
    different = {key for key in log.options.keys() | options.keys() if log.options.get(key) != options.get(key)}
    if different:
        asked = ', '.join(f'{key} {options.get(key)} (there: {log.options.get(key)})' for key in sorted(different))
        raise DatasetExistsError(f'{root} was made with other options: {asked}')
    return log
