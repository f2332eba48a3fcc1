"""One progress bar over all work of a bake-off, in estimated minutes."""

import sys
import time

from tqdm import tqdm

LINE_EVERY = 60.0
"""s between two lines where there is no terminal."""


class Progress:
    """A `Watcher`. The bar counts the guessed minutes of what is done; what runs now stands behind it.

    Args:
        seconds: guessed s of all work.
        jobs: how many tasks run at a time.
        share_of: callable, the share of a running task that is done (0..1), or None where it cannot be told.
    """

    def __init__(self, seconds, jobs=1, share_of=lambda task: None):
        self._share_of, self._jobs = share_of, max(jobs, 1)
        self._running, self._counted = {}, {}
        terminal = sys.stderr.isatty()
        self._bar = tqdm(total=max(seconds, 1.0) / 60, unit='min', dynamic_ncols=terminal, leave=True,
                         mininterval=0.2 if terminal else LINE_EVERY, miniters=0,
                         bar_format='{l_bar}{bar:20}| {n:.1f}/{total:.1f} min of work, {elapsed} gone, '
                                    '{remaining} left  {postfix}')
        self._looked = 0.0

    def started(self, task):
        """A task has begun."""
        self._running[id(task)] = task
        self._show()

    def tick(self):
        """Look how far running tasks have come, at most every 2 s."""
        if time.monotonic() - self._looked < 2.0:
            return
        self._looked = time.monotonic()
        for number, task in self._running.items():
            share = self._share_of(task)
            if share is not None:
                self._count(number, min(share, 1.0) * task.seconds)
        self._show()

    def finished(self, task):
        """A task has ended, well or not."""
        self._count(id(task), task.seconds)
        self._running.pop(id(task), None)
        self._show()

    def say(self, text):
        """A line above the bar."""
        self._bar.write(text, file=sys.stderr)

    def close(self):
        """Leave the bar as it is."""
        self._bar.close()

    def _count(self, number, seconds):
        more = seconds - self._counted.get(number, 0.0)
        if more > 0:
            self._counted[number] = seconds
            self._bar.update(min(more / 60, self._bar.total - self._bar.n))

    def _show(self):
        labels = list(dict.fromkeys(task.label for task in self._running.values()))
        shown = ', '.join(labels[:self._jobs]) + (', ...' if len(labels) > self._jobs else '')
        self._bar.set_postfix_str(shown, refresh=sys.stderr.isatty())
