"""A recorded rollout on one time axis: seconds since its first control tick, whoever's clock stamped what."""

from dataclasses import dataclass

import numpy as np

from kiwi_policy.core.features import RATE_HZ
from kiwi_policy.core.metrics import first_planned
from kiwi_policy.core.states import Source, State

NANO = 1e9
CAMERA_ORDER = ('overview', 'front', 'wrist')
"""The most telling first."""
CLOCK_TOLERANCE = 0.5
"""s by which a camera's clock may differ from the executor's before the recorder's time is taken instead."""
COUNTERS = ('accepted', 'rejected', 'skipped', 'underruns', 'clamped', 'takeovers', 'ticks', 'overlap', 'latency_p50',
            'latency_p95', 'request_interval', 'jitter_p99', 'cycle_p95')


@dataclass(frozen=True)
class Status:
    """One ExecutorStatus: `state` is a `State`'s name, `rejections` maps reasons to counts."""

    seconds: float
    state: str
    reason: str
    mode: str
    episode_id: str
    rejections: dict
    counters: dict


@dataclass(frozen=True)
class Diagnosis:
    """One status of a diagnostics message; `level` 0 ok, 1 warning, 2 error, 3 stale."""

    seconds: float
    level: int
    name: str
    message: str
    values: dict


@dataclass(frozen=True)
class TaskTrack:
    """What the simulation knew: `seconds` (N,), `base` (N, 3) m, m, rad, `cube` and `target` (N, 3) m, flags (N,)."""

    seconds: np.ndarray
    base: np.ndarray
    cube: np.ndarray
    target: np.ndarray
    success: np.ndarray
    post_hit: np.ndarray
    lifted: np.ndarray
    side: list


class Material:
    """What a report shows of a `RecordedRollout`; times are s since its first tick.

    Attributes:
        rollout, bag, ticks: as recorded.
        seconds: (T,) of the ticks.
        period: s between ticks.
        arrivals: (T,) when the recorder saw each tick.
        statuses, diagnoses: in the order of time.
        requests: request_id -> s, by the executor's clock.
        task: `TaskTrack`, or None where there was no simulation.
        engagements: list of (s, engaged, operator's name).
        cameras: names, the most telling first.
    """

    def __init__(self, rollout):
        self.rollout, self.bag, self.ticks = rollout, rollout.bag, rollout.ticks
        ticks = rollout.ticks
        self.seconds = np.asarray(ticks.seconds, dtype=float)
        self.period = ticks.period if len(ticks) > 1 else 1.0 / RATE_HZ
        self._origin = int(ticks.stamps[0])
        self._log_offset = int(np.median(np.asarray(ticks.log_times) - np.asarray(ticks.stamps)))
        self.arrivals = np.array([self.logged(log_time) for log_time in ticks.log_times])
        self.statuses = [self._status(record) for record in rollout.statuses]
        self.diagnoses = [diagnosis for record in rollout.diagnostics for diagnosis in self._diagnoses(record)]
        self.requests = {int(record.message.request_id): self.stamped(record.message.header.stamp)
                         for record in rollout.requests}
        self.task = self._task()
        self.engagements = [(self.logged(record.log_time), bool(record.message.engaged), record.message.operator_name)
                            for record in rollout.takeovers]
        known = [name for name in self.bag.cameras if self.bag.topics.get(f'camera/{name}/image_raw/compressed')]
        self.cameras = [*(name for name in CAMERA_ORDER if name in known),
                        *(name for name in known if name not in CAMERA_ORDER)]
        self.foreign_clocks = set()

    @property
    def name(self):
        """Name of the bag's folder."""
        return self.bag.folder.name

    @property
    def end(self):
        """s of the last tick."""
        return float(self.seconds[-1])

    @property
    def acted_until(self):
        """s of the last tick at which the executor did not idle: there the episode ended."""
        acted = np.flatnonzero(np.asarray(self.ticks.sources) != Source.IDLE)
        return float(self.seconds[acted[-1]]) if len(acted) else self.end

    def stamped(self, stamp):
        """s of a stamp of the executor's clock."""
        return (stamp.sec * 1_000_000_000 + stamp.nanosec - self._origin) / NANO

    def logged(self, log_time):
        """s of a time of the recorder's clock in ns, in which a tick is as old as it usually is when it arrives."""
        return (int(log_time) - self._log_offset - self._origin) / NANO

    def images(self, camera):
        """Yield (s, bytes) in the order of time.

        The stamps count where camera and executor share a clock, else the recorder's times.
        """
        foreign = None
        for stamp, log_time, content in self.rollout.images(camera):
            if foreign is None:
                foreign = abs(log_time - stamp - self._log_offset) > CLOCK_TOLERANCE * NANO
                if foreign:
                    self.foreign_clocks.add(camera)
            yield self.logged(log_time) if foreign else (stamp - self._origin) / NANO, content

    def final(self):
        """The last `Status` of the episode, whose counters are the episode's; None where no episode ran."""
        ran = [status for status in self.statuses if status.episode_id]
        return ran[-1] if ran else None

    def state_spans(self):
        """List of (state's name, from s, to s, reason) over the recording, without overlap."""
        spans = []
        for status in self.statuses:
            if spans and spans[-1][0] == status.state and spans[-1][3] == status.reason:
                continue
            if spans:
                spans[-1] = (*spans[-1][:2], status.seconds, spans[-1][3])
            spans.append((status.state, status.seconds, self.end, status.reason))
        return [span for span in spans if span[2] >= span[1]]

    def planned_from(self):
        """s of the first tick that ran a chunk, None where none did."""
        first = first_planned(self.ticks.sources)
        return float(self.seconds[first]) if first < len(self.seconds) else None

    def _status(self, record):
        message = record.message
        try:
            state = State(message.state).name
        except ValueError:
            state = f'state {message.state}'
        counters = {name: float(getattr(message, name)) for name in COUNTERS}
        return Status(self.stamped(message.header.stamp), state, message.reason, message.mode, message.episode_id,
                      dict(zip(message.reject_reasons, map(int, message.reject_counts), strict=False)), counters)

    def _diagnoses(self, record):
        for status in record.message.status:
            level = status.level
            yield Diagnosis(self.logged(record.log_time), level[0] if isinstance(level, bytes) else int(level),
                            status.name, status.message, {value.key: value.value for value in status.values})

    def _task(self):
        if not self.rollout.tasks:
            return None
        messages = [record.message for record in self.rollout.tasks]
        seconds = np.array([self.logged(record.log_time) for record in self.rollout.tasks])
        return TaskTrack(
            seconds, np.array([(m.base.x, m.base.y, m.base.theta) for m in messages]),
            np.array([(m.cube.x, m.cube.y, m.cube.z) for m in messages]),
            np.array([(m.target.x, m.target.y, m.target.z) for m in messages]),
            *(np.array([getattr(m, name) for m in messages], dtype=bool) for name in ('success', 'post_hit', 'lifted')),
            [m.side for m in messages])
