"""Runs episodes one after the other and judges each; knows no ROS, only a `Stage`."""

import time
import uuid
from dataclasses import dataclass, replace
from typing import Protocol

from kiwi_policy.core.states import State
from kiwi_policy.nodes.episode_log import EpisodeLog

POLL = 0.05
ENDED_BY = {State.STOPPED: 'stopped', State.FAULT: 'fault'}


class RunAborted(RuntimeError):
    """The run cannot go on. The text says why and what to do."""


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        rollouts: number of episodes.
        seed: of the first; episode i uses seed + i.
        time_limit: s per episode.
        task: text for the policy.
    """

    rollouts: int
    seed: int
    time_limit: float
    task: str

    def __post_init__(self):
        if self.rollouts < 1:
            raise ValueError(f'rollouts must be at least 1, got {self.rollouts}')
        if not self.time_limit > 0:
            raise ValueError(f'time_limit must be > 0 s, got {self.time_limit}')


@dataclass(frozen=True)
class Verdict:
    """How an episode ended; `labelled` is False where nobody judged it."""

    success: bool
    outcome: str
    labelled: bool = True


class Stage(Protocol):
    """What the runner needs of the world around it. Calls that fail raise RunAborted."""

    def prepare(self, log):
        """Bring the scene to the start of the episode of `log`."""

    def record(self, log, plan):
        """Begin the recording of the episode of `log`, where there is to be one. Never raises."""

    def close_bag(self, verdict, summary):
        """Make the result known and close the recording; returns a `rollout_bags.Bag`.

        `verdict` is None where the episode did not come to one, `summary` where it does not count. Never raises.
        """

    def begin(self, log, task):
        """Start the episode on the executor and hand its messages to `log`."""

    def judge(self, timed_out):
        """The `Verdict` so far, None while there is none; after `timed_out` always one."""

    def executor_state(self):
        """The executor's `State`, with the reason in words."""

    def recover(self):
        """After a fault: True where the run may go on with the next episode."""

    def end(self, reason):
        """End the episode on the executor; returns its final status message or None. Never raises."""

    def film(self, log):
        """Write what the cameras saw; returns the file's name, empty where there is none. Never raises."""

    def wait(self, seconds):
        """Wait up to `seconds` s; returns True at once where the run is to be interrupted."""


class Runner:
    """Runs a `Plan` on a `Stage` into `RunResults`.

    Args:
        stage: the `Stage`.
        results: the `RunResults`.
        on_episode: called with every `EpisodeSummary`.
    """

    def __init__(self, stage, results, on_episode):
        self._stage, self._results, self._on_episode = stage, results, on_episode

    def run(self, plan):
        """Run all episodes. Returns why it ended early, empty where it did not."""
        run = uuid.uuid4().hex[:8]
        message = ''
        try:
            for index in range(plan.rollouts):
                message = self._episode(EpisodeLog(index, f'{run}-{index:04d}', plan.seed + index), plan)
                if message:
                    break
        except RunAborted as error:
            message = str(error)
        except Exception as error:
            message = f'unexpected {type(error).__name__}: {error}'
            raise
        finally:
            self._stage.end(message or 'all rollouts done')
            self._results.finish(message)
        return message

    def _episode(self, log, plan):
        """Run one episode; returns why the run cannot go on, or ''."""
        stage = self._stage
        stage.end('next rollout')
        stage.prepare(log)
        if stage.wait(0.0):
            return 'interrupted'
        verdict = summary = None
        stage.record(log, plan)
        try:
            stage.begin(log, plan.task)
            verdict, message, seconds = self._watch(plan)
            status = stage.end(verdict.outcome)
            if message != 'interrupted':
                summary = log.summary(verdict.success, verdict.outcome, seconds, status)
        finally:
            bag = stage.close_bag(verdict, summary)
        if verdict.outcome == ENDED_BY[State.FAULT] and stage.recover():
            message = ''
        if summary is not None:
            summary = replace(summary, video=stage.film(log), bag=bag.folder, bag_complete=bag.complete)
            self._results.add(summary, log)
            self._on_episode(summary)
        return message

    def _watch(self, plan):
        """(verdict, why the run cannot go on or '', s) of the episode that has begun."""
        stage, started = self._stage, time.monotonic()
        verdict, message = None, ''
        while verdict is None:
            if stage.wait(POLL):
                verdict, message = Verdict(False, 'interrupted', labelled=False), 'interrupted'
                break
            state, reason = stage.executor_state()
            if state in ENDED_BY:
                verdict = Verdict(False, ENDED_BY[state])
                message = f'the executor is {state.name}: {reason}'
                break
            elapsed = time.monotonic() - started
            verdict = stage.judge(False)
            if verdict is None and elapsed >= plan.time_limit:
                stage.end('time limit')
                verdict = stage.judge(True)
        return verdict, message, time.monotonic() - started
