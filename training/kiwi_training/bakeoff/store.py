"""The results of a work folder: one JSON file each, arrays beside it, written whole or not at all."""

import json
import os
from pathlib import Path

import numpy as np

from kiwi_training.bakeoff.tasks import Result


class Store:
    """Keeps `Result`s in `<output>/results/<kind>/<name>.json`.

    A file is taken for a task's result only where its key is the task's.

    Args:
        output: the work folder.
    """

    def __init__(self, output):
        self.folder = Path(output) / 'results'

    def path(self, kind, name):
        """The JSON file of a result."""
        return self.folder / kind / f'{name}.json'

    def has(self, task):
        """True where the task's result is there."""
        return self._content(task.kind, task.name, task.key) is not None

    def load(self, task):
        """The task's `Result`, None where it is missing or of another key."""
        content = self._content(task.kind, task.name, task.key)
        if content is None:
            return None
        arrays = self.path(task.kind, task.name).with_suffix('.npz')
        if not content.get('arrays'):
            return Result(content['record'])
        with np.load(arrays, allow_pickle=False) as held:
            return Result(content['record'], {name: held[name] for name in content['arrays']})

    def save(self, task, result):
        """Write a result; its arrays first, with no JSON file beside them that vouches for others."""
        path = self.path(task.kind, task.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        if result.arrays:
            write_whole(path.with_suffix('.npz'), lambda file: np.savez_compressed(file, **result.arrays))
        content = {'key': task.key, 'record': result.record, 'arrays': sorted(result.arrays)}
        write_json(path, content, indent=None)

    def _content(self, kind, name, key):
        path = self.path(kind, name)
        try:
            content = json.loads(path.read_text(encoding='utf-8'))
        except FileNotFoundError:
            return None
        except ValueError:
            return None
        if content.get('key') != key or content.get('arrays') and not path.with_suffix('.npz').is_file():
            return None
        return content


def write_json(path, content, indent=2):
    """Write JSON so that a reader sees the old file or the new one, never a part."""
    text = json.dumps(content, indent=indent, allow_nan=False) + '\n'
    write_whole(path, lambda file: file.write(text.encode()))


def write_whole(path, write):
    """Replace `path` by what `write(file)` puts into a binary file."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        with partial.open('wb') as file:
            write(file)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
