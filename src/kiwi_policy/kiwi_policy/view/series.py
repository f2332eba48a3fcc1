"""The nine values over time: measured, commanded, and the rows that chunks plan ahead."""

import numpy as np
import rerun as rr

from kiwi_policy.view import names

_NAN_ROW = np.full((1, 9), np.nan)


class TickSeries:
    """Measured and commanded values, sent in batches.

    Args:
        stream: `rerun.RecordingStream`.
    """

    def __init__(self, stream):
        self._stream = stream
        self._times, self._rows = [], []
        for entity in names.SERIES:
            stream.log(entity, rr.SeriesLines(names=['measured', 'commanded'], widths=[1.5, 1.5],
                                              colors=[names.MEASURED, names.COMMANDED]), static=True)

    def add(self, time, measured, command):
        """A control tick at `time` s with (9,) values measured and commanded."""
        self._times.append(time)
        self._rows.append(np.stack([measured, command], axis=1))

    def send(self):
        """Send what has been added."""
        if not self._times:
            return
        rows = np.array(self._rows)     # (ticks, 9, 2)
        index = rr.TimeColumn(names.TIMELINE, timestamp=np.array(self._times))
        for dimension, entity in enumerate(names.SERIES):
            self._stream.send_columns(entity, [index], rr.Scalars.columns(scalars=rows[:, dimension]))
        self._times, self._rows = [], []


class PlanSeries:
    """Rows of chunks at the times at which they are due, as lines of their own.

    A line cannot go back in time, so chunks that overlap take turns in slots; a chunk that finds none is left out.
    """

    def __init__(self, stream):
        self._stream = stream
        self._ends = [-np.inf] * names.PLAN_SLOTS
        for entity in names.SERIES:
            for slot in range(names.PLAN_SLOTS):
                stream.log(_entity(entity, slot), rr.SeriesLines(names='planned', widths=0.7, colors=names.PLANNED),
                           static=True)

    def add(self, time, period, actions):
        """Plot a chunk (H, 9) whose first row is due at `time` s; returns whether there was a slot."""
        free = [slot for slot, end in enumerate(self._ends) if end < time]
        if not free:
            return False
        slot = free[0]
        times = time + period * np.arange(len(actions) + 1)
        self._ends[slot] = times[-1]
        index = rr.TimeColumn(names.TIMELINE, timestamp=times)
        rows = np.concatenate([actions, _NAN_ROW])      # a gap before the slot's next chunk
        for dimension, entity in enumerate(names.SERIES):
            self._stream.send_columns(_entity(entity, slot), [index], rr.Scalars.columns(scalars=rows[:, dimension]))
        return True


def _entity(series, slot):
    return f'{series}/plan_{slot}'
