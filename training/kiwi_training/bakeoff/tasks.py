"""A piece of work, what it gives, and the key that says whether it has been done."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field
from typing import Protocol

RULES = 1
"""Raised when the same work would give other results, so that old ones are not taken for new ones."""


@dataclass(frozen=True)
class Result:
    """What a piece of work gives.

    Attributes:
        record: ready for JSON.
        arrays: name -> array, kept beside it.
    """

    record: dict
    arrays: dict = field(default_factory=dict)


class Work(Protocol):
    """A frozen dataclass that holds all it needs, and can be sent to another process.

    Fields that do not matter for the result (folders, for instance) have `matters=False` in their metadata.
    """

    def run(self):
        """Do it, anywhere; returns a `Result`."""


def place(default=dataclasses.MISSING):
    """A field that says where something lies and does not change the result."""
    return field(default=default, metadata={'matters': False})


def key_of(work):
    """Hex digest of everything that matters in a `Work`: the same key, the same result."""
    what = json.dumps([RULES, type(work).__name__, _plain(work)], sort_keys=True, allow_nan=False)
    return hashlib.sha256(what.encode()).hexdigest()[:20]


def _plain(value):
    if dataclasses.is_dataclass(value):
        return {item.name: _plain(getattr(value, item.name)) for item in dataclasses.fields(value)
                if item.metadata.get('matters', True)}
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True)
class Task:
    """A piece of work with its place in the store.

    Attributes:
        kind: folder below `results/`, e.g. 'rollouts'.
        name: file name there.
        label: what the progress bar shows.
        work: `Work`.
        seconds: a guess of how long it takes, for the progress bar.
    """

    kind: str
    name: str
    label: str
    work: object
    seconds: float

    @property
    def key(self):
        """See `key_of`."""
        return key_of(self.work)
