"""The frames of a recorded rollout: what the policy saw and what the robot did, tick by tick.

At a tick for which a chunk was made, the images are those the policy says it used. At any other tick
they are the newest ones that had reached the recorder when the tick's joint_states did.
"""

from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass, field

import numpy as np

from kiwi_policy.core.features import from_ros
from kiwi_policy.core.messages import NANO, positions_of, to_nanoseconds, velocity_of
from kiwi_policy.core.states import Source
from kiwi_policy.nodes.images import decode_rgb
from kiwi_training.bags.reader import BagError

DRIVEN = frozenset({Source.RAMP, Source.CHUNK, Source.OPERATOR})
"""Sources of a command that somebody meant: a rollout begins and ends with one."""
KEPT_IMAGES = 64


@dataclass(frozen=True)
class Frame:
    """One row of a dataset.

    Attributes:
        tick: row of the rollout's `Ticks`.
        state: (9,) float32, measured, as the policy saw it.
        action: (9,) float32, executed.
        pictures: camera -> number of its image among all of the recording.
        operator: an operator drove.
    """

    tick: int
    state: np.ndarray
    action: np.ndarray
    pictures: dict
    operator: bool


@dataclass
class Counts:
    """What became of the ticks of a rollout.

    Attributes:
        frames: used.
        before, after: ticks outside the first and the last driven one.
        no_image: ticks at which a camera had shown nothing yet.
        old_image: ticks at which a camera had been silent for too long.
        no_state: ticks without a state.
        measured: ticks whose state is the executor's own, since joint_states or base_velocity are missing.
        missed: control ticks that never were, or are not on record.
        other: ticks not asked for, e.g. those the operator did not drive.
        short: frames in stretches too short for an episode.
    """

    frames: int = 0
    before: int = 0
    after: int = 0
    no_image: int = 0
    old_image: int = 0
    no_state: int = 0
    measured: int = 0
    missed: int = 0
    other: int = 0
    short: int = 0

    def __add__(self, other):
        return Counts(**{name: value + getattr(other, name) for name, value in vars(self).items()})


@dataclass(frozen=True)
class Choice:
    """Which frames to make.

    Attributes:
        operator_only: only those that an operator drove.
        max_gap: ticks that may be missing inside an episode; a longer gap ends it.
        min_frames: shorter episodes are left out.
        max_image_age: s, older images make no frame.
    """

    operator_only: bool = False
    max_gap: int = 2
    min_frames: int = 15
    max_image_age: float = 0.5


@dataclass
class _Track:
    stamps: list = field(default_factory=list)
    log_times: list = field(default_factory=list)


class FrameSource:
    """Makes frames of a `RecordedRollout`.

    Args:
        rollout: the recording.
        cameras: names of the cameras to use.

    Raises:
        BagError: there is no image of a camera, or a joint is missing from joint_states.
    """

    def __init__(self, rollout, cameras):
        self.rollout, self.cameras = rollout, tuple(cameras)
        topics = {f'camera/{camera}/image_raw/compressed': camera for camera in self.cameras}
        lacking = [camera for topic, camera in topics.items() if not rollout.bag.topics.get(topic)]
        if lacking:
            raise BagError(f'{rollout.bag.folder}: no image of camera {", ".join(lacking)} is on record; there is '
                           f'{", ".join(rollout.bag.cameras) or "no camera"}')
        joints, bases = {}, {}
        self._tracks = {camera: _Track() for camera in self.cameras}
        for record in rollout.bag.records('joint_states', 'base_velocity', *topics):
            stamp = to_nanoseconds(record.message.header.stamp)
            if record.topic in topics:
                track = self._tracks[topics[record.topic]]
                track.stamps.append(stamp)
                track.log_times.append(record.log_time)
                continue
            try:
                if record.topic == 'joint_states':
                    joints[stamp] = positions_of(record.message), record.log_time
                else:
                    bases[stamp] = velocity_of(record.message)
            except ValueError as error:
                raise BagError(f'{rollout.bag.folder}: {error}') from None
        self._states = {stamp: (from_ros(positions, bases[stamp]).astype(np.float32), log_time)
                        for stamp, (positions, log_time) in joints.items() if stamp in bases}
        self._seen = self._shown_to_policy()

    def state(self, tick):
        """(state (9,) float32, log time in ns, whether it is on record as joint_states), None where there is none."""
        ticks = self.rollout.ticks
        known = self._states.get(int(ticks.stamps[tick]))
        if known is not None:
            return *known, True
        if np.all(np.isfinite(ticks.measured[tick])):
            return ticks.measured[tick], int(ticks.log_times[tick]), False
        return None

    def newest(self, camera, log_time):
        """Number of the newest image of a camera on record at `log_time` ns, -1 where there is none."""
        return bisect_right(self._tracks[camera].log_times, log_time) - 1

    def stamp(self, camera, number):
        """Header stamp in ns of an image."""
        return self._tracks[camera].stamps[number]

    def shown(self, stamp):
        """camera -> number of the images the policy used for its chunk of the tick at `stamp` ns, None without one."""
        return self._seen.get(int(stamp))

    def episodes(self, choice):
        """Cut the rollout into episodes by a `Choice`; returns (lists of `Frame`, `Counts`)."""
        ticks, counts = self.rollout.ticks, Counts()
        driven = np.flatnonzero(np.isin(ticks.sources, list(DRIVEN)) & self._of_the_episode())
        if not len(driven):
            counts.before = len(ticks)
            return [], counts
        first, last = int(driven[0]), int(driven[-1])
        counts.before, counts.after = first, len(ticks) - 1 - last
        slots = np.rint((ticks.stamps - ticks.stamps[first]) / NANO / ticks.period).astype(np.int64)
        counts.missed = int(slots[last] - slots[first]) - (last - first)
        stretches, previous = [], None
        for tick in range(first, last + 1):
            operator = bool(ticks.sources[tick] == Source.OPERATOR)
            frame = self._frame(tick, operator, choice, counts)
            if frame is None:
                continue
            gap = None if previous is None else int(slots[tick] - slots[previous]) - 1
            if gap is None or gap > choice.max_gap or choice.operator_only and not np.all(
                    ticks.sources[previous:tick] == Source.OPERATOR):
                stretches.append([])
            stretches[-1].append(frame)
            previous = tick
        episodes = [stretch for stretch in stretches if len(stretch) >= choice.min_frames]
        counts.short = sum(map(len, stretches)) - sum(map(len, episodes))
        counts.frames = sum(map(len, episodes))
        return episodes, counts

    def decoded(self, frames):
        """Yield (frame, camera -> uint8 (height, width, 3) RGB) of an episode's frames.

        Raises:
            BagError: an image is damaged.
        """
        streams = {camera: _Stream(self.rollout, camera) for camera in self.cameras}
        try:
            for frame in frames:
                yield frame, {camera: streams[camera].pixels(frame.pictures[camera]) for camera in self.cameras}
        finally:
            for stream in streams.values():
                stream.close()

    def _of_the_episode(self):
        ids, wanted = self.rollout.ticks.episode_ids, self.rollout.bag.custom.get('episode_id', '')
        return np.array([bool(each) and wanted in ('', each) for each in ids])

    def _frame(self, tick, operator, choice, counts):
        if choice.operator_only and not operator:
            counts.other += 1
            return None
        state = self.state(tick)
        if state is None:
            counts.no_state += 1
            return None
        values, log_time, on_record = state
        pictures = self.shown(self.rollout.ticks.stamps[tick])
        if pictures is None:
            pictures = {camera: self.newest(camera, log_time) for camera in self.cameras}
            if min(pictures.values(), default=0) < 0:
                counts.no_image += 1
                return None
            if any(log_time - self._tracks[camera].log_times[number] > choice.max_image_age * NANO
                   for camera, number in pictures.items()):
                counts.old_image += 1
                return None
        counts.measured += not on_record
        return Frame(tick, values, self.rollout.ticks.commands[tick], pictures, operator)

    def _shown_to_policy(self):
        by_stamp = {camera: {stamp: number for number, stamp in enumerate(track.stamps)}
                    for camera, track in self._tracks.items()}
        seen = {}
        for chunk in self.rollout.chunks:
            used = dict(zip(chunk.image_names, chunk.image_stamps))
            numbers = {camera: by_stamp[camera].get(used.get(camera)) for camera in self.cameras}
            if None not in numbers.values():
                seen[chunk.stamp] = numbers
        return seen


class _Stream:
    """Images of one camera by number, asked for nearly in order."""

    def __init__(self, rollout, camera):
        self._rollout, self._camera = rollout, camera
        self._images, self._next = rollout.images(camera), 0
        self._kept, self._last = OrderedDict(), (-1, None)

    def pixels(self, number):
        if self._last[0] == number:
            return self._last[1]
        while self._next <= number:
            self._kept[self._next] = next(self._images)[2]
            self._next += 1
            if len(self._kept) > KEPT_IMAGES:
                self._kept.popitem(last=False)
        try:
            self._last = number, decode_rgb(self._kept[number])
        except ValueError as error:
            raise BagError(f'{self._rollout.bag.folder}: image {number} of camera {self._camera}: {error}') from None
        return self._last[1]

    def close(self):
        self._images.close()
