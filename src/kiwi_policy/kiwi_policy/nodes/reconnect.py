"""Reaching a lost robot again, in a thread of its own."""

import logging
import threading

from kiwi_policy.hardware.interface import HardwareError

logger = logging.getLogger(__name__)


class Reconnector:
    """Closes and connects a `Hardware` until it answers; meanwhile nobody else may use it.

    Args:
        hardware: the `Hardware`.
        interval: s between attempts.
    """

    def __init__(self, hardware, interval):
        self._hardware, self._interval = hardware, interval
        self._closed = threading.Event()
        self._thread = None
        self.attempts = 0

    @property
    def busy(self):
        """True while the hardware belongs to this thread."""
        return self._thread is not None and self._thread.is_alive()

    def begin(self):
        """Start trying; returns at once."""
        if self.busy or self._closed.is_set():
            return
        self._thread = threading.Thread(target=self._run, name='reconnect', daemon=True)
        self._thread.start()

    def close(self, timeout=3.0):
        """Give up."""
        self._closed.set()
        if self.busy:
            self._thread.join(timeout)

    def _run(self):
        logger.warning('lost the robot, trying to reach it every %.2f s', self._interval)
        told = ''
        while not self._closed.is_set():
            self.attempts += 1
            self._hardware.close()
            try:
                self._hardware.connect()
            except HardwareError as error:
                if str(error) != told:
                    told = str(error)
                    logger.warning('attempt %d: %s', self.attempts, told)
                self._closed.wait(self._interval)
                continue
            logger.warning('reached the robot again at attempt %d', self.attempts)
            return
