"""A stable name for a pseudo-terminal, and where it lies by default."""

import fcntl
import os
import tempfile
from pathlib import Path


def default_port_link(domain=None):
    """Path of the emulated bus of a user and a ROS domain.

    Below XDG_RUNTIME_DIR where that exists, else below the temporary directory.

    Args:
        domain: ROS domain id; default: ROS_DOMAIN_ID, or 0.
    """
    domain = os.environ.get('ROS_DOMAIN_ID') or '0' if domain is None else domain
    runtime = os.environ.get('XDG_RUNTIME_DIR')
    if runtime and os.path.isdir(runtime) and os.access(runtime, os.W_OK):
        root = Path(runtime) / 'kiwi'
    else:
        root = Path(tempfile.gettempdir()) / f'kiwi-{os.getuid()}'
    return root / str(domain) / 'servo-bus'


class PortLink:
    """A symbolic link that one process at a time keeps and removes.

    Args:
        path: where the link lies; its folder is made, readable by the user only.

    Raises:
        FileExistsError: something that is not a symbolic link lies there.
    """

    def __init__(self, path):
        self.path = Path(path)
        self._lock = None
        if self.path.exists() and not self.path.is_symlink():
            raise FileExistsError(f'{self.path} exists and is no symbolic link: choose another port_link')

    def point_to(self, device):
        """Let the link point to `device`, replacing a stale link in one step.

        Raises:
            FileExistsError: another process keeps the link.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._lock is None:
            self._lock = self._claim()
        fresh = self.path.with_name(f'{self.path.name}.{os.getpid()}')
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(device)
        os.replace(fresh, self.path)

    def remove(self):
        """Remove the link if this object keeps it."""
        if self._lock is None:
            return
        self.path.unlink(missing_ok=True)
        self._lock_path.unlink(missing_ok=True)
        os.close(self._lock)
        self._lock = None

    @property
    def _lock_path(self):
        return self.path.with_name(f'{self.path.name}.lock')

    def _claim(self):
        descriptor = os.open(self._lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise FileExistsError(
                f'another simulation serves {self.path}: stop it, or choose another ROS_DOMAIN_ID '
                f'or port_link'
            ) from None
        return descriptor
