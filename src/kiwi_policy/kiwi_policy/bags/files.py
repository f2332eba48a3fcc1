"""Files that are on the disk when a function says so."""

import os
from pathlib import Path


def sync_folder(folder):
    """Bring the names in a folder to disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path, text):
    """Write a text file so that a reader, and a machine that lost power, has all of it or none."""
    path = Path(path)
    fresh = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        with open(fresh, 'w', encoding='utf-8') as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(fresh, path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
