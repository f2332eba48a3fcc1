"""A recording in a file and what it holds, for the tests of the view."""

from types import SimpleNamespace

import numpy as np
import pytest

from kiwi_policy.nodes.view_parameters import TABLE

rr = pytest.importorskip('rerun', reason='rerun-sdk is not installed: make setup has it')


def options(**changes):
    """Values of view_node's parameters."""
    return SimpleNamespace(**{parameter.name: parameter.default for parameter in TABLE} | changes)


def record(path, log):
    """Call `log(stream)` with a recording that goes to a file; returns the file's `contents`."""
    stream = rr.RecordingStream('test')
    stream.set_sinks(rr.FileSink(path))
    log(stream)
    stream.flush()
    stream.disconnect()
    return contents(path)


def contents(path):
    """Entity -> column -> list of (time in s or None where static, value), in time order."""
    from rerun.experimental import RrdReader

    found = {}
    for chunk in RrdReader(path).stream():
        batch = chunk.to_record_batch()
        columns = {name: column.to_pylist() for name, column in zip(batch.schema.names, batch.columns)}
        times = [None] * batch.num_rows if chunk.is_static else [
            None if stamp is None else stamp.timestamp() for stamp in columns.get('time', [None] * batch.num_rows)]
        for name, values in columns.items():
            if ':' in name and not name.startswith('rerun.'):
                rows = found.setdefault(chunk.entity_path.lstrip('/'), {}).setdefault(name, [])
                rows += [(time, value) for time, value in zip(times, values) if value is not None]
    for columns in found.values():
        for rows in columns.values():
            rows.sort(key=lambda row: -np.inf if row[0] is None else row[0])
    return found


def values(found, entity, column):
    """(times (N,), values (N, ...)) of an entity's column."""
    rows = found[entity][column]
    return np.array([time for time, _ in rows]), np.array([value for _, value in rows])
