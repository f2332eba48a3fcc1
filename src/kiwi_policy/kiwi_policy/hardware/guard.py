"""The driver's side of the guardian: starts it, tells it that all is well, and when to leave."""

import contextlib
import os
import select
import subprocess
import sys
from pathlib import Path

from kiwi_policy.hardware import guardian
from kiwi_policy.hardware.interface import HardwareError

START_TIMEOUT = 5.0
QUIT_TIMEOUT = 1.0


class Guard:
    """A guardian process over an open serial port.

    Args:
        port: file descriptor of the port; the guardian inherits it.
        wheels: servo ids of the wheels.
        timeout: s of silence, with the wheels turning, after which the guardian kills this process.

    Raises:
        HardwareError: it did not start.
    """

    def __init__(self, port, wheels, timeout):
        command = [sys.executable, '-I', '-S', guardian.__file__, str(port), str(os.getpid()), str(timeout),
                   *(str(wheel) for wheel in wheels)]
        self._beat = guardian.RESTING
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, pass_fds=(port,),
                                         start_new_session=True, bufsize=0, cwd=Path('/'))
        os.set_blocking(self._process.stdin.fileno(), False)
        ready, _, _ = select.select([self._process.stdout], [], [], START_TIMEOUT)
        if not ready or self._process.stdout.read(1) != guardian.READY:
            self._process.kill()
            self._process.wait()
            raise HardwareError(f'the guardian did not start within {START_TIMEOUT:.0f} s: {" ".join(command)}')

    @property
    def pid(self):
        """Process id of the guardian."""
        return self._process.pid

    def moving(self):
        """The wheels may turn from now on.

        Raises:
            HardwareError: the guardian is gone, so nobody would stop them.
        """
        self._beat = guardian.MOVING
        if not self.beat():
            raise HardwareError(f'the guardian (process {self.pid}) is gone, and the wheels do not turn without it')

    def resting(self):
        """The wheels stand from now on."""
        self._beat = guardian.RESTING
        self.beat()

    def beat(self):
        """All is well. Returns False where the guardian is gone."""
        try:
            self._process.stdin.write(self._beat)
        except BlockingIOError:
            pass                    # it has plenty to read
        except (OSError, ValueError):
            return False
        return True

    def quit(self):
        """The wheels stand: the guardian is no longer needed."""
        self._say(guardian.QUIT)
        try:
            self._process.wait(QUIT_TIMEOUT)
        except subprocess.TimeoutExpired:
            self.kill()
        self._close()

    def leave(self):
        """The wheels could not be stopped: the guardian goes on trying when this process is done with the port."""
        self._say(guardian.STOP)
        self._close()

    def kill(self):
        """End it at once, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._close()

    def _say(self, word):
        os.set_blocking(self._process.stdin.fileno(), True)
        with contextlib.suppress(OSError):
            self._process.stdin.write(word)

    def _close(self):
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(OSError):
                stream.close()
