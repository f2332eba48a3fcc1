"""Where tasks run: the small contract, and the simplest pool that keeps it."""

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from kiwi_training.bakeoff.tasks import Result, Task


class PoolError(RuntimeError):
    """The pool cannot be set up, or cannot go on."""


@dataclass(frozen=True)
class Done:
    """A finished task: its result, or the last line of its traceback."""

    task: Task
    result: Result | None
    error: str = ''


class Watcher(Protocol):
    """Who wants to know what happens while tasks run."""

    def started(self, task: Task) -> None:
        """A task has begun."""

    def tick(self) -> None:
        """Called about twice a second."""


class Pool(Protocol):
    """Runs tasks somewhere. One failed task does not stop the others."""

    def run(self, tasks: Iterable[Task], watcher: Watcher) -> Iterator[Done]:
        """Yield each task as it finishes."""

    def close(self) -> None:
        """End every process; what runs is asked to stop and waited for."""


class Here:
    """Runs tasks in this process, one after the other."""

    def run(self, tasks, watcher):
        for task in tasks:
            watcher.started(task)
            yield done(task)
            watcher.tick()

    def close(self):
        pass


def done(task):
    """Run a task where we are."""
    return Done(task, *attempt(task.work))


def attempt(work):
    """(result, '') of a `Work`, or (None, the last line of its traceback)."""
    try:
        return work.run(), ''
    except Exception as error:
        return None, last_line(error)


def last_line(error):
    """The last line of an exception's traceback, its first line where the message has several."""
    lines = [line for line in traceback.format_exception_only(error)[-1].strip().splitlines() if line.strip()]
    return lines[0].strip() if lines else type(error).__name__
