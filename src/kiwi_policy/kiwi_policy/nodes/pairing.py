"""Joint states and base velocities of one control tick, matched by equal stamps."""

from collections import OrderedDict

PENDING = 16


class StampPairing:
    """Pairs two streams whose messages carry equal stamps, whichever comes first."""

    def __init__(self):
        self._pending = OrderedDict()       # stamp -> {'left' or 'right': value}

    def left(self, stamp, value):
        """Add a value of the left stream; returns (left, right) when the pair is complete, else None."""
        return self._add(stamp, 'left', value)

    def right(self, stamp, value):
        """As `left`, for the right stream."""
        return self._add(stamp, 'right', value)

    def _add(self, stamp, side, value):
        entry = self._pending.setdefault(stamp, {})
        entry[side] = value
        if len(entry) == 2:
            del self._pending[stamp]
            return entry['left'], entry['right']
        while len(self._pending) > PENDING:
            self._pending.popitem(last=False)
        return None
