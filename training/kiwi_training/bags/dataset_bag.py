"""An episode of a LeRobotDataset as a bag, as if the executor had run it."""

import json
from dataclasses import dataclass

import numpy as np

from kiwi_policy.bags.offered_qos import OfferedQos
from kiwi_policy.bags.writer import BagWriter
from kiwi_policy.core import features
from kiwi_policy.core.messages import NANO
from kiwi_policy.core.states import Source
from kiwi_policy.nodes.images import encode_rgb
from kiwi_training.bags.messages import Messages

_IMAGE, _JOINTS, _BASE, _ACTION = ('sensor_msgs/msg/CompressedImage', 'sensor_msgs/msg/JointState',
                                   'geometry_msgs/msg/TwistStamped', 'kiwi_msgs/msg/ExecutedAction')
_STATE_QOS = OfferedQos(history='keep_last', depth=5)
_ACTION_QOS = OfferedQos(history='keep_last', depth=60)
_CAMERA_QOS = OfferedQos(history='keep_last', depth=1, reliability='best_effort')
_AFTER_IMAGE, _AFTER_STATE = 1_000_000, 2_000_000
"""ns between a tick's stamp and the log time of its state, and of its action; its images come first."""


class WrongDatasetError(ValueError):
    """The dataset is not a LeKiwi's. The text names what is there and what is needed."""


@dataclass(frozen=True)
class DatasetEpisode:
    """One episode of a dataset.

    Attributes:
        meta: LeRobotDatasetMetadata.
        number: of the episode.
        cameras: name in the dataset -> name in the bag.
    """

    meta: object
    number: int
    cameras: dict

    @property
    def frames(self):
        """Number of frames."""
        return int(self.meta.episodes[self.number]['length'])

    @property
    def task(self):
        """Task text, '' for none."""
        return next(iter(self.meta.episodes[self.number]['tasks']), '')

    def rows(self):
        """Yield (state (9,), action (9,), camera -> uint8 (height, width, 3), row) per frame."""
        from lerobot.datasets.lerobot_dataset import LeRobotDataset

        dataset = LeRobotDataset(self.meta.repo_id, root=self.meta.root, episodes=[self.number], video_backend='pyav')
        for index in range(len(dataset)):
            row = dataset[index]
            yield (row['observation.state'].numpy(), row['action'].numpy(),
                   {new: _pixels(row[f'observation.images.{old}']) for old, new in self.cameras.items()}, row)


def find_episode(meta, number, renamed):
    """The `DatasetEpisode`, after a check that a LeKiwi's graph can take it.

    Args:
        meta: LeRobotDatasetMetadata.
        number: of the episode.
        renamed: camera in the dataset -> name it shall have.

    Raises:
        WrongDatasetError: other values than LeKiwi's, no such episode, or cameras are missing.
    """
    for key in ('observation.state', 'action'):
        there = _names(meta.features.get(key))
        if there != features.NAMES:
            raise WrongDatasetError(
                f'{meta.root}: {key} is {", ".join(there) or "missing"} ({meta.robot_type or "robot unknown"}); '
                f'needed are the values of a LeKiwi: {", ".join(features.NAMES)}')
    if not 0 <= number < meta.total_episodes:
        raise WrongDatasetError(f'{meta.root} has the episodes 0 to {meta.total_episodes - 1}, not {number}')
    there = [key.removeprefix('observation.images.') for key in meta.camera_keys]
    unknown = sorted(renamed.keys() - set(there))
    if unknown:
        raise WrongDatasetError(f'{meta.root} has no camera {", ".join(unknown)}; it has {", ".join(there) or "none"}')
    cameras = {name: renamed.get(name, name) for name in there}
    if len(set(cameras.values())) < len(cameras):
        raise WrongDatasetError(f'two cameras would get one name: {cameras}')
    lacking = [name for name in features.CAMERAS if name not in cameras.values()]
    if lacking:
        raise WrongDatasetError(
            f'{meta.root} has the cameras {", ".join(there) or "none"}; needed are {", ".join(features.CAMERAS)}: '
            f'say which one is {lacking[0]} with --camera OLD:={lacking[0]}')
    return DatasetEpisode(meta, number, cameras)


def write_bag(episode, folder, start, namespace='', quality=95, progress=lambda rows: rows):
    """Write an episode to a new bag; returns its number of frames.

    Args:
        episode: `DatasetEpisode`.
        folder: of the bag, new.
        start: ns since the epoch, stamp of the first tick.
        namespace: of the topics, '' or with a leading slash.
        quality: of the JPEG images, 1 to 100.
        progress: wraps the iterator of rows.

    Raises:
        FileExistsError: the folder exists.
    """
    messages = Messages.installed((_IMAGE, _JOINTS, _BASE, _ACTION))
    meta, name = episode.meta, f'{episode.meta.repo_id}#{episode.number}'
    details = {'task': episode.task, 'dataset': meta.repo_id, 'episode': episode.number}
    bag = BagWriter(folder, {'episode_id': name, 'details': json.dumps(details), 'namespace': namespace,
                             'labelled': 'false', 'outcome': '', 'success': '', 'checkpoint_digest': ''})
    try:
        for topic, kind, profile in _topics(episode.cameras.values()):
            bag.add_topic(f'{namespace}/{topic}', kind, [profile])
        verdict, count = {}, 0
        for count, (state, action, pictures, row) in enumerate(progress(episode.rows()), 1):
            stamp = start + round((count - 1) * NANO / meta.fps)
            for topic, log_time, message in _tick(messages, stamp, name, state, action, pictures, row, quality):
                bag.write(f'{namespace}/{topic}', messages.to_bytes(message), log_time, stamp)
            verdict = _verdict(row)
        bag.close(verdict)
    except BaseException:
        bag.abandon()
        raise
    return count


def _topics(cameras):
    yield 'joint_states', _JOINTS, _STATE_QOS
    yield 'base_velocity', _BASE, _STATE_QOS
    yield 'executor/action', _ACTION, _ACTION_QOS
    for camera in cameras:
        yield f'camera/{camera}/image_raw/compressed', _IMAGE, _CAMERA_QOS


def _tick(messages, stamp, name, state, action, pictures, row, quality):
    """(topic, log time in ns, message) of one tick, images first."""
    for camera, pixels in pictures.items():
        yield (f'camera/{camera}/image_raw/compressed', stamp,
               messages.new(_IMAGE, header=messages.header(stamp, f'{camera}_camera'), format='jpeg',
                            data=np.frombuffer(encode_rgb(pixels, quality), np.uint8)))
    positions, velocity = features.to_ros(state)
    base = messages.new(_BASE, header=messages.header(stamp, 'base_link'))
    base.twist.linear.x, base.twist.linear.y, base.twist.angular.z = velocity.tolist()
    yield 'joint_states', stamp + _AFTER_IMAGE, messages.new(
        _JOINTS, header=messages.header(stamp), name=list(features.JOINTS), position=positions)
    yield 'base_velocity', stamp + _AFTER_IMAGE, base
    source = Source.OPERATOR if 'takeover' in row and bool(row['takeover']) else Source.CHUNK
    yield 'executor/action', stamp + _AFTER_STATE, messages.new(
        _ACTION, header=messages.header(stamp), episode_id=name, names=list(features.NAMES),
        command=action.astype(np.float32), measured=state.astype(np.float32), source=int(source), index=-1)


def _verdict(row):
    if 'outcome.judged' not in row or not bool(row['outcome.judged']):
        return {}
    success = bool(row['outcome.success'])
    return {'labelled': 'true', 'success': 'true' if success else 'false',
            'outcome': 'success' if success else 'failure'}


def _names(feature):
    names = (feature or {}).get('names') or ()
    if isinstance(names, dict):
        names = [name for group in names.values() for name in group]
    return tuple(map(str, names))


def _pixels(picture):
    """uint8 (height, width, 3) of a float (3, height, width) in 0..1."""
    return np.rint(picture.numpy().transpose(1, 2, 0) * 255).astype(np.uint8)
