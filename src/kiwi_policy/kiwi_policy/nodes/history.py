"""What the policy has seen lately: states and compressed images by monotonic receipt time.

Times of receipt (s, the policy's own monotonic clock) give ages; stamps (ns, the robot's own clock)
give spacing. The two are never compared.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from kiwi_policy.core.features import BASE, POSITIONS

NANO = 1_000_000_000
RESTART_GAP = 0.5       # s of silence after which stamps may begin anew


class NotReady(RuntimeError):
    """No observation can be made. The text names what is missing, how old it is and the bound."""


@dataclass(frozen=True)
class Observation:
    """A history of n_obs observations, oldest first.

    Attributes:
        stamp: ns, stamp of the newest state.
        states: n_obs arrays (9,).
        images: n_obs dicts camera -> JPEG bytes; equal images are the same object.
        ages: camera -> s, age of the newest image by the monotonic clock.
        image_stamps: camera -> ns, header stamp of the newest image.
    """

    stamp: int
    states: tuple
    images: tuple
    ages: dict
    image_stamps: dict = field(default_factory=dict)


@dataclass(frozen=True)
class _State:
    stamp: int
    received: float
    values: np.ndarray


@dataclass(frozen=True)
class _Image:
    received: float
    data: bytes
    stamp: int


@dataclass
class _Still:
    """What happened while a camera repeated one image."""

    state: np.ndarray | None        # (9,) when the image came first
    driven: float = 0.0             # m or tenths of rad since then
    stuck_since: float | None = None    # s, first repetition after the robot had moved


class HistoryRing:
    """Keeps the last seconds of states and images and cuts observations out of them.

    Args:
        cameras: names of the cameras the policy reads.
        period: s between two observations of the history.
        steps: n_obs, observations in a history.
        max_image_age: s.
        max_state_age: s.
        frozen_after: s for which a camera may repeat one image while the robot moves.
    """

    MOVED = 10.0            # deg or percent of any joint: more than a camera can miss
    DRIVEN = 0.05           # m or tenths of rad of the base

    def __init__(self, cameras, period, steps=1, max_image_age=0.15, max_state_age=0.15, frozen_after=0.5):
        if steps < 1 or not period > 0:
            raise ValueError(f'steps must be >= 1 and period > 0 s, got {steps!r} and {period!r}')
        self._period, self._steps = period, steps
        self._max_image_age, self._max_state_age = max_image_age, max_state_age
        self._frozen_after = frozen_after
        kept = int(steps * period * 60) + 60
        self._states = deque(maxlen=kept)
        self._images = {camera: deque(maxlen=kept) for camera in cameras}
        self._still = {camera: _Still(None) for camera in cameras}
        self._floor_stamp, self._floor_time = 0, -np.inf

    def add_state(self, stamp, values, now):
        """Take in the state (9,) of tick `stamp` (ns), received at `now` (s); a late one is dropped."""
        last = self._states[-1] if self._states else None
        if last is not None and stamp <= last.stamp:
            if now - last.received < RESTART_GAP:
                return
            self._states.clear()
            last = None
        self._states.append(_State(stamp, now, values))
        for still in self._still.values():
            if still.state is None and stamp >= self._floor_stamp:
                still.state = values
        if last is not None:
            driven = np.abs(values[BASE]) @ (1.0, 1.0, 0.1 * np.pi / 180.0) * min((stamp - last.stamp) / NANO, 0.1)
            for still in self._still.values():
                still.driven += driven

    def add_image(self, camera, data, now, stamp=0):
        """Take in a compressed image of `camera` with header stamp `stamp` (ns), received at `now` (s)."""
        ring = self._images[camera]
        if ring and ring[-1].data == data:
            data = ring[-1].data
            still = self._still[camera]
            if still.stuck_since is None and self._moved(still):
                still.stuck_since = now
        else:
            newest = self._states[-1] if self._states else None
            known = newest is not None and newest.stamp >= self._floor_stamp
            self._still[camera] = _Still(newest.values if known else None)
        ring.append(_Image(now, data, stamp))

    def begin_episode(self, stamp, now):
        """Forget what lies before tick `stamp` (ns) and before `now` (s): the scene may have changed."""
        self._floor_stamp, self._floor_time = stamp, now
        for camera in self._still:
            self._still[camera] = _Still(None)

    def observe(self, not_before, now):
        """The observation at the newest state.

        Args:
            not_before: ns, the newest state must not be older.
            now: s.

        Returns:
            an `Observation`.

        Raises:
            NotReady: no such state yet, or a camera is silent, late or frozen.
        """
        states = [state for state in self._states if state.stamp >= self._floor_stamp]
        if not states:
            raise NotReady('no joint_states with base_velocity of this episode have arrived')
        newest = states[-1]
        if newest.stamp < not_before:
            raise NotReady('the joint_states of the requested tick have not arrived')
        if now - newest.received > self._max_state_age:
            raise NotReady(f'joint_states are {now - newest.received:.2f} s old, max_state_age is '
                           f'{self._max_state_age:.2f} s: is the executor running?')
        ages = {camera: self._image_age(camera, now) for camera in self._images}
        chosen = [_nearest(states, newest.stamp - step * self._period * NANO)
                  for step in reversed(range(self._steps))]
        seen = [{camera: self._image_at(camera, now if state is newest else state.received)
                 for camera in self._images} for state in chosen]
        images = tuple({camera: image.data for camera, image in entry.items()} for entry in seen)
        stamps = {camera: image.stamp for camera, image in seen[-1].items()}
        return Observation(newest.stamp, tuple(state.values for state in chosen), images, ages, stamps)

    def _image_age(self, camera, now):
        ring = self._images[camera]
        if not ring or ring[-1].received < self._floor_time:
            since = f', the last came {now - ring[-1].received:.2f} s ago' if ring else ''
            raise NotReady(f'camera {camera} has sent no image in this episode{since}')
        age = now - ring[-1].received
        if age > self._max_image_age:
            raise NotReady(f'camera {camera} is {age:.2f} s old, max_image_age is {self._max_image_age:.2f} s')
        stuck = self._still[camera].stuck_since
        if stuck is not None and now - stuck > self._frozen_after:
            raise NotReady(f'camera {camera} repeats one image for {now - stuck:.2f} s while the robot moves, '
                           f'frozen_after is {self._frozen_after:.2f} s')
        return age

    def _moved(self, still):
        if still.state is None:
            return False
        travel = np.abs(self._states[-1].values[POSITIONS] - still.state[POSITIONS])
        return bool(still.driven > self.DRIVEN or np.max(travel) > self.MOVED)

    def _image_at(self, camera, received):
        """The newest image not later than `received`, the oldest of the episode where none is."""
        ring = [image for image in self._images[camera] if image.received >= self._floor_time]
        earlier = [image for image in ring if image.received <= received]
        return earlier[-1] if earlier else ring[0]


def _nearest(states, stamp):
    return min(states, key=lambda state: abs(state.stamp - stamp))
