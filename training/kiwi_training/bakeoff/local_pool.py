"""A pool of processes on this machine."""

import multiprocessing
import os
import signal
import sys
from collections import deque
from multiprocessing.connection import wait

from kiwi_training.bakeoff.pools import Done, attempt
from kiwi_training.worker_process import follow_parent

PATIENCE = 90.0
"""s a process gets to end by itself: a training writes a checkpoint first."""


class LocalPool:
    """`jobs` worker processes that live as long as the pool and take one task at a time.

    A worker that dies fails its task alone; another takes its place.
    """

    def __init__(self, jobs):
        self._jobs = jobs
        self._workers = []

    def run(self, tasks, watcher):
        waiting, running = deque(tasks), {}
        while waiting or running:
            while waiting and len(running) < self._jobs:
                task = waiting.popleft()
                worker = self._idle(running)
                worker.begin(task.work)
                running[worker] = task
                watcher.started(task)
            wait([handle for worker in running for handle in worker.handles], timeout=0.5)
            watcher.tick()
            for worker in list(running):
                answer = worker.answer()
                if answer is not None:
                    yield Done(running.pop(worker), *answer)

    def close(self):
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.join()
        self._workers.clear()

    def _idle(self, busy):
        self._workers = [worker for worker in self._workers if worker.alive or worker in busy]
        for worker in self._workers:
            if worker not in busy:
                return worker
        self._workers.append(_Worker())
        return self._workers[-1]


class _Worker:
    """A process, seen from the parent."""

    def __init__(self):
        context = multiprocessing.get_context('spawn')
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    @property
    def alive(self):
        return self._process.is_alive()

    @property
    def handles(self):
        """What becomes ready when there is an answer or the process has ended."""
        return self._connection, self._process.sentinel

    def begin(self, work):
        self._connection.send(work)

    def answer(self):
        """(result, error) where the task has ended, else None."""
        try:
            if self._connection.poll():
                return self._connection.recv()
        except (EOFError, OSError):
            pass
        if self.alive:
            return None
        self._process.join()
        return None, f'its process ended with exit code {self._process.exitcode}'

    def terminate(self):
        self._process.terminate()

    def join(self):
        self._process.join(PATIENCE)
        if self.alive:
            self._process.kill()
            self._process.join()
        self._connection.close()


def _serve(connection):
    """The worker's life: work in, (result, error) out, until told to end."""
    follow_parent()
    signal.signal(signal.SIGTERM, _leave)
    sys.stdout = open(os.devnull, 'w')      # what libraries print would tear the progress bar
    while True:
        try:
            work = connection.recv()
        except EOFError:
            return
        connection.send(attempt(work))


def _leave(*_):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)
