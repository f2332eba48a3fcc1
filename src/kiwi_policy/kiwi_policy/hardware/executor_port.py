"""The bridge's end of the datagram socket to the executor."""

import errno
import os
import socket
import stat
from pathlib import Path

from kiwi_policy.hardware import bridge_wire
from kiwi_policy.hardware.bridge_wire import Datagram, Kind

LAPSE = 1.0             # s of silence after which an executor no longer has the robot for itself
NOTICE_INTERVAL = 0.2   # s
DRAIN = 64              # datagrams taken at once at most
TAKEN = 'another executor drives this robot'


class ExecutorPort:
    """A Unix datagram socket that serves one executor at a time. No call blocks.

    Args:
        path: of the socket, below a folder that is made where it is missing.

    Raises:
        OSError: the path is in use by another bridge, is no socket, or cannot be made.
    """

    def __init__(self, path):
        self.path = Path(path)
        self.executor = None    # its address
        self.refused = 0        # datagrams of others, or of another version
        self._heard, self._told = 0.0, -1e9
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._remove_stale()
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        mask = os.umask(0o177)
        try:
            self._socket.bind(str(self.path))
        except OSError as error:
            self._socket.close()
            raise OSError(error.errno, f'cannot listen on {self.path}: {error.strerror or error}') from error
        finally:
            os.umask(mask)

    def fileno(self):
        """Descriptor to wait on."""
        return self._socket.fileno()

    def receive(self, now):
        """The executor's newest COMMAND as a `Datagram`, None where there is none. `now` in s."""
        command = None
        for _ in range(DRAIN):
            try:
                data, sender = self._socket.recvfrom(bridge_wire.MAX_BYTES)
            except OSError:
                break
            try:
                datagram = bridge_wire.unpack(data)
            except ValueError:
                self.refused += 1
                continue
            if not self._serves(sender, now):
                self.refused += 1
                self._send(sender, Datagram(Kind.NOTICE, now, text=TAKEN))
            elif datagram.kind is Kind.COMMAND:
                command = datagram
        return command

    def serving(self, now):
        """Whether an executor has been heard lately."""
        return self.executor is not None and now - self._heard <= LAPSE

    def send_state(self, time, values, now):
        """Tell the executor the state (9,) measured at `time` (s)."""
        if self.serving(now):
            self._send(self.executor, Datagram(Kind.STATE, time, values))

    def send_notice(self, text, now):
        """Tell the executor why there is no state, a few times per second at most."""
        if self.serving(now) and now - self._told >= NOTICE_INTERVAL:
            self._told = now
            self._send(self.executor, Datagram(Kind.NOTICE, now, text=text))

    def close(self):
        """Close and remove the socket."""
        self._socket.close()
        self.path.unlink(missing_ok=True)

    def _serves(self, sender, now):
        if not sender or (sender != self.executor and self.serving(now)):
            return False
        self.executor, self._heard = sender, now
        return True

    def _send(self, address, datagram):
        if not address:
            return
        try:
            self._socket.sendto(bridge_wire.pack(datagram), address)
        except BlockingIOError:
            pass    # it does not read; what it finds later tells its age
        except OSError:
            if address == self.executor:
                self.executor = None

    def _remove_stale(self):
        try:
            mode = self.path.lstat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(mode):
            raise FileExistsError(errno.EEXIST, f'{self.path} exists and is no socket: choose another bridge_socket')
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(str(self.path))
            except ConnectionRefusedError:
                self.path.unlink(missing_ok=True)
                return
        raise FileExistsError(errno.EEXIST, f'another bridge listens on {self.path}: stop it, or choose another '
                                            'bridge_socket')
