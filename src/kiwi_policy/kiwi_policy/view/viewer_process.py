"""Rerun's own program as a child process: the server with its web viewer, or the window."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

HOST = '127.0.0.1'
_START_SECONDS = 60.0
_STOP_SECONDS = 3.0
_PR_SET_PDEATHSIG = 1


class ViewerError(RuntimeError):
    """Rerun's program does not run or does not answer. The message says why."""


class ViewerProcess:
    """Starts rerun and waits until it takes data at `url`. It listens on 127.0.0.1 only and reports to nobody.

    Args:
        words: its arguments, without port and address.
        port: of the data (gRPC).
        leave: let it live on when this process ends.

    Raises:
        ViewerError: it ended at once or does not answer.
    """

    def __init__(self, words, port, leave=False):
        self.url = data_url(port)
        self._leave = leave
        self._output = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [_program(), '--bind', HOST, '--port', str(port), *words], env=os.environ | QUIET,
            stdin=subprocess.DEVNULL, stdout=self._output, stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=None if leave else _die_with_parent)
        deadline = time.monotonic() + _START_SECONDS
        while not answers(port):
            if self._process.poll() is not None:
                raise ViewerError(f'rerun ended with status {self._process.returncode}: {self._last_words()}')
            if time.monotonic() > deadline:
                self.close()
                raise ViewerError(f'rerun does not answer on port {port}')
            time.sleep(0.1)

    @property
    def ended(self):
        """How it ended, in words; '' while it runs."""
        status = self._process.poll()
        return '' if status is None else f'rerun ended with status {status}: {self._last_words()}'

    def close(self):
        """End it, unless it is to be left. May be called twice."""
        if self._leave or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _last_words(self):
        self._output.seek(0)
        lines = self._output.read().decode(errors='replace').strip().splitlines()
        return lines[-1].strip() if lines else 'it said nothing'


QUIET = {'CI': '1', 'TELEMETRY_ENABLED': 'false', 'RUST_LOG': 'warn,re_log_encoding=error'}
"""Environment in which Rerun sends no usage data, whatever the user's own configuration says, and chats less."""


def data_url(port):
    """Where a server on this machine takes data."""
    return f'rerun+http://{HOST}:{port}/proxy'


def answers(port):
    """Whether something listens on a port of this machine."""
    with contextlib.suppress(OSError), socket.create_connection((HOST, port), 0.5):
        return True
    return False


def free_port():
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _program():
    import rerun_cli

    path = Path(rerun_cli.__file__).with_name('rerun')
    if not path.is_file():
        raise ViewerError(f'rerun-sdk lacks its program {path}')
    return str(path)


def _die_with_parent():
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
