"""A ROS domain and a run-time folder of a run's own."""

import fcntl
import os
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

DOMAINS = range(1, 102)  # all whose ports lie below the kernel's ephemeral ones


@dataclass(frozen=True)
class Domain:
    """A ROS domain that this process holds.

    Args:
        number: the domain id.
        folder: run-time folder for it, readable by the user only.
        lock: file descriptor that holds it until it is closed; None where the user chose the domain.
    """

    number: int
    folder: Path
    lock: int | None = None

    @property
    def bus_link(self) -> Path:
        """Where the simulation puts the link to its servo bus."""
        return self.folder / 'servo-bus'


def run_time_root() -> Path:
    """The user's folder for sockets, links and locks."""
    runtime = os.environ.get('XDG_RUNTIME_DIR', '')
    if runtime and os.access(runtime, os.W_OK):
        return Path(runtime) / 'kiwi'
    return Path(tempfile.gettempdir()) / f'kiwi-{os.getuid()}'


def claim(root: Path | None = None, wanted: str | None = None) -> Domain:
    """The domain of ROS_DOMAIN_ID where it is set, else a free one that no other run of this user holds.

    Args:
        root: folder of the locks; default: `run_time_root()`.
        wanted: a domain id; default: ROS_DOMAIN_ID.

    Raises:
        RuntimeError: all domains are held.
        ValueError: the wanted domain is no number from 0 to 232.
    """
    root = run_time_root() if root is None else root
    wanted = os.environ.get('ROS_DOMAIN_ID', '') if wanted is None else wanted
    if wanted:
        if not wanted.isdecimal() or int(wanted) > 232:
            raise ValueError(f'ROS_DOMAIN_ID is {wanted!r}; it is a number from 0 to 232')
        return Domain(int(wanted), private_folder(root / str(int(wanted))))
    for number in random.SystemRandom().sample(DOMAINS, len(DOMAINS)):
        folder = private_folder(root / str(number))
        lock = os.open(folder / 'lock', os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            continue
        return Domain(number, folder, lock)
    raise RuntimeError(f'other runs hold all {len(DOMAINS)} ROS domains; set ROS_DOMAIN_ID')


def private_folder(path: Path) -> Path:
    """Make the folder, readable by the user only. Raises PermissionError where it belongs to another user."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid != os.getuid():
        raise PermissionError(f'{path} belongs to another user')
    return path
