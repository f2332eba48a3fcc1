"""Re-executes a recording: its ticks, measured states, events and chunks, through any executor configuration.

What the executor was told is on record with the times it was told at, so that the configuration that ran on the robot
gives the robot's commands again, every one of them exactly.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

import numpy as np

from kiwi_policy.core.executor import ExecutorError
from kiwi_policy.core.feasibility import Infeasible
from kiwi_policy.core.features import DIM
from kiwi_policy.core.journal import STANDING, Kind, tell
from kiwi_policy.core.messages import to_nanoseconds
from kiwi_training.bags.reader import BagError

COUNTERS = ('accepted', 'skipped', 'underruns', 'rejected')


@dataclass(frozen=True)
class Episode:
    """An episode on record, from its begin to the next one's.

    Attributes:
        episode_id: its id.
        first: tick that it began before.
        end: tick before which it was ended; where it was not, `until`.
        until: the next episode's first tick, or the number of ticks.
        position: of BEGIN among the events of tick `first`.
        standing: `Event`s that held before.
    """

    episode_id: str
    first: int
    end: int
    until: int
    position: int
    standing: tuple


@dataclass(frozen=True)
class Run:
    """What an executor did in one `Episode`: T ticks from `first` to `until`, the first E of them in the episode.

    Attributes:
        commands: (T, 9) float32.
        sources: (T,) numbers of `core.states.Source`.
        takeover, clamped: (T,) bool.
        length: E.
        counters: COUNTERS at the episode's end; {} where they are not on record.
        reasons: refusals, reason -> count.
        refused: what this executor's state did not allow, in words.
        infeasible: why the executor would refuse to begin with this policy, '' where it would not.
    """

    commands: np.ndarray
    sources: np.ndarray
    takeover: np.ndarray
    clamped: np.ndarray
    length: int
    counters: dict
    reasons: dict = field(default_factory=dict)
    refused: tuple = ()
    infeasible: str = ''


class Recording:
    """A `RecordedRollout`, made ready to be re-executed.

    Attributes:
        episodes: `Episode`s that began on record.
        gaps: what is missing for an exact replay, sentences.

    Raises:
        BagError: no episode began on record, or the robot's pose then is unknown.
    """

    def __init__(self, rollout):
        self.rollout, self.ticks = rollout, rollout.ticks
        folder = rollout.bag.folder
        if np.isnan(self.ticks.monotonic).any():
            raise BagError(f'{folder}: executor/action does not tell what the executor was told: it was recorded before '
                           'kiwi could replay')
        self.episodes = _episodes(self.ticks)
        if not self.episodes:
            raise BagError(f'{folder}: no episode began while this was recorded, so there is nothing to replay')
        self._states = _states(self.ticks)
        for episode in self.episodes:
            if not np.all(np.isfinite(self._states[episode.first])):
                raise BagError(f'{folder}: the pose in which episode {episode.episode_id!r} began is not on record')
        self._chunks, missing = _received(rollout, self.episodes[0].first)
        lost = _lost(self.ticks, self.episodes[0].first)
        self.gaps = [f'{count} {what.format("s" * (count != 1))} {"is" if count == 1 else "are"} not on record'
                     for count, what in ((len(missing), 'chunk{} that the executor received'),
                                         (lost, 'tick{} of the control loop')) if count]

    def live(self, episode):
        """The `Run` on record."""
        ticks, span = self.ticks, slice(episode.first, episode.until)
        counters, reasons = self._counters(episode)
        return Run(ticks.commands[span], ticks.sources[span], ticks.takeover[span], ticks.clamped[span],
                   episode.end - episode.first, counters, reasons)

    def run(self, episode, make_executor, fixed_speed=False):
        """The `Run` of an executor in an `Episode`.

        Args:
            make_executor: returns a fresh `JournalledExecutor`.
            fixed_speed: True keeps to the configuration's speed_scale whatever the operator set.
        """
        executor = make_executor()
        commands, refused, status = [], [], None

        def told(event, tick, chunk=None):
            if not (fixed_speed and event.kind is Kind.SPEED):
                tell(executor, event, self.ticks.monotonic[tick], self._states[tick], chunk)

        for event in episode.standing:
            told(event, episode.first)
        infeasible = _infeasible(executor)
        for tick in range(episode.first, episode.until):
            now = float(self.ticks.monotonic[tick])
            skip = episode.position if tick == episode.first else 0
            for number, event in enumerate(self.ticks.events[tick][skip:], start=skip):
                chunk = self._chunks.get((tick, number))
                if event.kind is Kind.CHUNK and chunk is None:
                    continue
                if event.kind is Kind.END and status is None:
                    status = executor.status(now)
                try:
                    told(event, tick, chunk)
                except (ExecutorError, ValueError) as error:
                    refused.append(f'{event.kind.name}: {error}')
            commands.append(executor.step(now, self._states[tick]))
        status = status or executor.status(now)
        return Run(np.array([command.values for command in commands], np.float32).reshape(-1, DIM),
                   np.array([command.source for command in commands], np.uint8),
                   np.array([command.takeover for command in commands], bool),
                   np.array([command.clamped for command in commands], bool), episode.end - episode.first,
                   {name: getattr(status, name) for name in COUNTERS}, dict(status.reject_counts), tuple(refused),
                   infeasible)

    def _counters(self, episode):
        """Of the last status on record; those of the judged result are final."""
        stamps = self.ticks.stamps[[episode.first, episode.until - 1]]
        newest = None
        for message in (record.message for record in self.rollout.statuses):
            within = stamps[0] <= to_nanoseconds(message.header.stamp) <= stamps[1]
            if within and message.episode_id in ('', episode.episode_id):
                newest = message
        counters = {} if newest is None else {name: int(getattr(newest, name)) for name in COUNTERS}
        reasons = {} if newest is None else dict(zip(newest.reject_reasons, map(int, newest.reject_counts)))
        result = self.rollout.result
        if result is not None and result.episode_id == episode.episode_id:
            counters |= {'accepted': int(result.chunks), 'skipped': int(result.skipped),
                         'underruns': int(result.underruns), 'rejected': int(result.rejected)}
        return counters, reasons


def differences(run, live):
    """(9,) greatest |difference| of the commands of two `Run`s, and the number of ticks at which anything differs."""
    same = ((run.commands == live.commands).all(axis=1) & (run.sources == live.sources)
            & (run.takeover == live.takeover) & (run.clamped == live.clamped))
    greatest = np.abs(run.commands.astype(float) - live.commands).max(axis=0, initial=0.0)
    return greatest, int(np.count_nonzero(~same))


def _episodes(ticks):
    begins, ends, standing = [], [], {}
    for tick, events in enumerate(ticks.events):
        for position, event in enumerate(events):
            if event.kind in STANDING:
                standing[event.kind] = event
            elif event.kind is Kind.BEGIN:
                begins.append((tick, position, event.text, tuple(standing.values())))
            elif event.kind is Kind.END:
                ends.append((tick, position))
    found = []
    for (tick, position, episode_id, before), following in zip(begins, [*begins[1:], (len(ticks), 0)]):
        until = following[0]
        ended = [at for at, place in ends if (at, place) > (tick, position) and at < until]
        if until > tick:        # one that ended before its first tick commanded nothing
            found.append(Episode(episode_id, tick, min([*ended, until]), until, position, before))
    return found


def _states(ticks):
    """(T, 9) what the executor took for the measured state: the last one read where the robot did not answer."""
    states = ticks.measured.astype(float)
    for tick in range(1, len(states)):
        if np.all(np.isnan(states[tick])):
            states[tick] = states[tick - 1]
    return states


def _received(rollout, first):
    """(tick, number of the event) -> `Chunk` in the executor's time; (run, chunk) not on record from `first` on."""
    recorded, seen, found, missing = defaultdict(list), Counter(), {}, []
    for record in rollout.chunks:
        recorded[record.chunk.run_id, record.chunk.chunk_id].append(record.chunk)
    for tick, events in enumerate(rollout.ticks.events):
        for number, event in enumerate(events):
            if event.kind is not Kind.CHUNK:
                continue
            same = recorded.get(event.ids)
            if same is None:
                missing += [event.ids] if tick >= first else []
                continue
            found[tick, number] = replace(same[min(seen[event.ids], len(same) - 1)], stamp=event.values[0])
            seen[event.ids] += 1
    return found, missing


def _lost(ticks, first):
    """Number of ticks after `first` that the control loop did not miss and that are not on record."""
    if len(ticks) - first < 2:
        return 0
    steps = np.diff(ticks.monotonic[first:])
    steps = np.round(steps / np.min(steps / (ticks.missed[first + 1:] + 1)))
    return int(np.sum(steps - 1 - ticks.missed[first + 1:]))


def _infeasible(executor):
    try:
        executor.check_feasible()
    except Infeasible as error:
        return str(error)
    return ''
