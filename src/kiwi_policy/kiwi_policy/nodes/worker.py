"""A worker thread with a place for one waiting job: the newest job wins."""

import threading


class NewestJobWorker:
    """Runs jobs one at a time; a job that waits is replaced by a newer one.

    Args:
        work: called with the job in the worker thread.
        on_error: called with (job, exception) in the worker thread; the thread lives on.
        on_start: called once in the worker thread, before the first job.
        name: of the thread.
    """

    def __init__(self, work, on_error, on_start=None, name='worker'):
        self._work, self._on_error, self._on_start = work, on_error, on_start
        self._condition = threading.Condition()
        self._job, self._closed = None, False
        self.replaced = 0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self):
        """Start the thread."""
        self._thread.start()

    def submit(self, job):
        """Hand over a job (not None) and return at once."""
        with self._condition:
            self.replaced += self._job is not None
            self._job = job
            self._condition.notify()

    def waiting(self):
        """True where a newer job waits, so that the running one may as well give up."""
        return self._job is not None or self._closed

    def close(self, timeout=5.0):
        """End after the running job. Returns True where the thread ended within `timeout` s."""
        with self._condition:
            self._closed = True
            self._condition.notify()
        if self._thread.is_alive():
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self):
        if self._on_start is not None:
            self._on_start()
        while True:
            with self._condition:
                while self._job is None and not self._closed:
                    self._condition.wait()
                if self._closed:
                    return
                job, self._job = self._job, None
            try:
                self._work(job)
            except Exception as error:
                self._on_error(job, error)
