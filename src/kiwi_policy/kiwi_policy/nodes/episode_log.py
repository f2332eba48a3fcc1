"""What one rollout did, gathered from the executor's, the policy's and the simulation's messages."""

import math
from dataclasses import asdict, dataclass

import numpy as np

from kiwi_policy.core.features import DIM
from kiwi_policy.core.metrics import first_planned, latency_percentiles, smoothness
from kiwi_policy.core.states import Source


@dataclass(frozen=True)
class EpisodeSummary:
    """One finished rollout, as rollouts.json holds it; EpisodeResult.msg has the same fields and some fewer.

    Attributes:
        index, episode_id, seed: which rollout; seed is 0 on a real robot.
        success, outcome: success, timeout, post_hit, stopped, fault, or the operator's note.
        seconds: s from the begin of the episode to the outcome.
        smoothness: deg, from the first planned action on; NaN below three actions.
        side: left, right or none.
        chunks: accepted chunks.
        evaluations_per_chunk: mean counted evaluations.
        latency_p50, latency_p95: s per chunk, measured by the policy.
        response_p50, response_p95: s from request to chunk, measured by the executor.
        underruns, skipped, rejected, clamped, takeovers, ticks: the executor's counters.
        reject_reasons: reason -> count.
        overlap: mean number of chunks blended per tick.
        image_age_p95: s, age of the images the chunks were made from.
        jitter_p99, cycle_p95: s, of the control loop.
        realtime_factor: simulated s per s, 0 on a real robot.
        camera_rate: Hz per camera as the simulation achieved it, 0 on a real robot.
        video: file name, empty where there is none.
        bag: folder of the recording, relative to the run's; empty where there is none.
        bag_complete: 'true', or why the recording is not complete.
        operator_share: share of the ticks at which an operator drove; a success with any is not the policy's alone.
    """

    index: int
    episode_id: str
    seed: int
    success: bool
    outcome: str
    seconds: float
    smoothness: float
    side: str
    chunks: int
    evaluations_per_chunk: float
    latency_p50: float
    latency_p95: float
    response_p50: float
    response_p95: float
    underruns: int
    skipped: int
    rejected: int
    clamped: int
    takeovers: int
    ticks: int
    reject_reasons: dict
    overlap: float
    image_age_p95: float
    jitter_p99: float
    cycle_p95: float
    realtime_factor: float
    camera_rate: float
    video: str = ''
    bag: str = ''
    bag_complete: str = ''
    operator_share: float = 0.0

    def to_dict(self):
        """JSON-ready dict; values that are not finite become None."""
        return {key: finite(value) for key, value in asdict(self).items()}


def finite(value):
    """`value`, or None where it is a float that is not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


class EpisodeLog:
    """Gathers messages of one episode; closed by `summary`.

    Args:
        index: 0-based number of the rollout.
        episode_id: messages of other episodes are ignored.
        seed: of the simulated episode.
    """

    def __init__(self, index, episode_id, seed):
        self.index, self.episode_id, self.seed = index, episode_id, seed
        self._actions, self._takeovers, self._sources = [], [], []
        self._latency, self._evaluations, self._ages = [], [], []
        self._tasks = []

    def on_action(self, message):
        """Take in an ExecutedAction; one without nine values is left out."""
        if message.episode_id == self.episode_id and len(message.command) == DIM:
            self._actions.append(np.asarray(message.command, dtype=float))
            self._takeovers.append(message.takeover)
            self._sources.append(message.source)

    def on_chunk(self, message):
        """Take in an ActionChunk."""
        if message.episode_id == self.episode_id:
            self._latency.append(message.inference_seconds)
            self._evaluations.append(message.evaluations)
            self._ages.extend(message.image_ages)

    def on_task(self, message, now):
        """Take in a TaskState received at `now` (s)."""
        self._tasks.append((now, message.seconds, message.camera_rate, message.side))

    @property
    def latencies(self):
        """s per chunk."""
        return tuple(self._latency)

    @property
    def evaluations(self):
        """Counted evaluations per chunk."""
        return tuple(self._evaluations)

    def executed(self):
        """(actions (T, 9), takeover (T,) bool) of the executed commands from the first planned one on."""
        sources, actions, takeovers = list(self._sources), list(self._actions), list(self._takeovers)
        count = min(map(len, (sources, actions, takeovers)))       # another thread may be adding a tick
        ticks = slice(first_planned(sources[:count]), count)
        return np.array(actions).reshape(-1, DIM)[ticks], np.array(takeovers, dtype=bool)[ticks]

    def summary(self, success, outcome, seconds, status, video=''):
        """The `EpisodeSummary`.

        Args:
            success, outcome, seconds: the verdict.
            status: final ExecutorStatus message of the episode, None where it did not come.
            video: file name.
        """
        actions, _ = self.executed()
        p50, p95 = latency_percentiles(self._latency)
        take = _reader(status)
        return EpisodeSummary(
            index=self.index, episode_id=self.episode_id, seed=self.seed, success=success, outcome=outcome,
            seconds=float(seconds), smoothness=smoothness(actions), side=self._tasks[-1][3] if self._tasks else 'none',
            chunks=take('accepted'),
            evaluations_per_chunk=float(np.mean(self._evaluations)) if self._evaluations else math.nan,
            latency_p50=p50, latency_p95=p95, response_p50=float(take('latency_p50')),
            response_p95=float(take('latency_p95')), underruns=take('underruns'), skipped=take('skipped'),
            rejected=take('rejected'), clamped=take('clamped'), takeovers=take('takeovers'), ticks=take('ticks'),
            reject_reasons=dict(zip(status.reject_reasons, map(int, status.reject_counts))) if status else {},
            overlap=float(take('overlap')),
            image_age_p95=float(np.percentile(self._ages, 95)) if self._ages else math.nan,
            jitter_p99=float(take('jitter_p99')), cycle_p95=float(take('cycle_p95')),
            realtime_factor=self._realtime_factor(),
            camera_rate=float(np.mean([task[2] for task in self._tasks])) if self._tasks else 0.0, video=video,
            operator_share=float(np.mean(np.equal(self._sources, Source.OPERATOR))) if self._sources else 0.0)

    def _realtime_factor(self):
        if len(self._tasks) < 2:
            return 0.0
        wall = self._tasks[-1][0] - self._tasks[0][0]
        return (self._tasks[-1][1] - self._tasks[0][1]) / wall if wall > 0 else 0.0


def _reader(status):
    return lambda name: getattr(status, name) if status is not None else 0
