"""One process at a time in a folder."""

import fcntl
from contextlib import contextmanager
from pathlib import Path

LOCK = '.lock'


class FolderInUse(RuntimeError):
    """Another process holds the folder's lock."""


@contextmanager
def only_one(folder, wait=False):
    """Hold the lock of a folder, which is made where it is missing. The lock ends with the process.

    Args:
        folder: path.
        wait: until another process lets go of it.

    Raises:
        FolderInUse: another process holds it, and `wait` is false.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open('w') as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FolderInUse(f'another kiwi-bakeoff works in {folder}: wait for it, or choose another --output') \
                from error
        yield
