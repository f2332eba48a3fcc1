"""The chunks that may still act, and which of them do at a given tick."""

from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from kiwi_policy.core.alignment import live, row_at, row_before, rows_left
from kiwi_policy.core.ensembling import disagreement


@dataclass(frozen=True)
class Selection:
    """The chunks that act at one tick, oldest first.

    Attributes:
        chunks: the n contributing chunks.
        indices: their rows for this tick.
        takeover: True where a chunk contributes for the first time.
        jump: True where the plan changed hands, so that the seam must be smoothed.
    """

    chunks: tuple
    indices: tuple
    takeover: bool = False
    jump: bool = False

    def until(self):
        """Time in s at which the last contributing chunk has run out."""
        return max(chunk.due(chunk.horizon) for chunk in self.chunks)

    def shares(self, other):
        """True where a chunk contributes to both selections."""
        return any(ours is theirs for ours in self.chunks for theirs in other.chunks)

    def rows(self):
        """(n, D) the contributing rows."""
        return np.stack([chunk.actions[i] for chunk, i in zip(self.chunks, self.indices)])

    def rows_before(self):
        """(n, D) what the same chunks held one period earlier."""
        return np.stack([row_before(chunk, i) for chunk, i in zip(self.chunks, self.indices)])


class Timeline:
    """Holds the live chunks and the commitment to one of them.

    `latest` and `sync` follow the committed chunk alone. `ensemble` blends all live chunks that
    agree with it. A chunk that disagrees (see `disagreement`) waits until the committed one has
    run out; then the newest takes over.

    Args:
        mode: 'sync', 'latest' or 'ensemble'.
        gate: greatest disagreement in action spreads, inf for none.
        max_live: chunks kept at most.
    """

    def __init__(self, mode, gate, max_live):
        self._mode = mode
        self._gate = gate
        self._live = deque(maxlen=max_live)     # in order of arrival
        self._agreeing = set()                  # ids of live chunks that agree with the committed one
        self._seen = deque(maxlen=max_live)     # keys of chunks that have contributed
        self._committed = None
        self._rebase = None
        self.spread = None                      # (9,) or None, which switches the gate off

    def clear(self):
        """Forget all chunks."""
        self._live.clear()
        self._agreeing.clear()
        self._seen.clear()
        self._committed = None
        self._rebase = None

    @property
    def newest(self):
        """The chunk accepted last, or None."""
        return self._live[-1] if self._live else None

    @property
    def committed(self):
        """The chunk the executor follows, or None."""
        return self._committed

    def __len__(self):
        return len(self._live)

    def add(self, chunk, now):
        """Take in an accepted chunk. Returns False where it disagrees and has to wait."""
        if self._mode == 'sync':
            self._live.clear()
            self._live.append(chunk)
            self._committed = None
            self._rebase = chunk
            return True
        committed = self._committed
        agrees = committed is None or not live(committed, now) or self._agrees(chunk, committed, now)
        self._live.append(chunk)
        if agrees:
            self._agreeing.add(_key(chunk))
            if committed is not None and live(committed, now) and row_at(chunk, now) >= 0:
                self._committed = chunk
        self._forget()
        return agrees

    def advance(self, now):
        """Drop what is past, renew the commitment where it ran out, and select for this tick.

        Returns:
            a `Selection`, or None where no chunk has a row for this tick.
        """
        if self._rebase is not None:
            self._start_rebased(now)
        while self._live and row_at(self._live[0], now) >= self._live[0].horizon:
            self._live.popleft()
        self._forget()
        jump = False
        if self._committed is None or not live(self._committed, now):
            self._commit(now)
            jump = self._committed is not None
        if self._committed is None:
            return None
        chunks = self._contributors(now)
        fresh = [key for key in map(_key, chunks) if key not in self._seen]
        self._seen.extend(fresh)
        jump = jump or (self._mode != 'ensemble' and bool(fresh))
        return Selection(chunks, tuple(row_at(chunk, now) for chunk in chunks), bool(fresh), jump)

    def peek(self, now):
        """The chunks that would act at `now` if nothing new arrived: a `Selection` or None."""
        chunks = ()
        if self._committed is not None and live(self._committed, now):
            chunks = self._contributors(now)
        else:
            waiting = [chunk for chunk in self._live if live(chunk, now)]
            chunks = tuple(waiting[-1:])
        if not chunks:
            return None
        return Selection(chunks, tuple(row_at(chunk, now) for chunk in chunks))

    def seconds_left(self, now):
        """s of actions left from the tick at `now` on."""
        left = [rows_left(chunk, now) * chunk.period for chunk in self._live if row_at(chunk, now) >= 0]
        return max(left, default=0.0)


    def _start_rebased(self, now):
        """In `sync` time stood still while the executor waited: row 0 is due at this tick."""
        chunk = replace(self._rebase, stamp=now)
        self._rebase = None
        self._live.clear()
        self._live.append(chunk)

    def _commit(self, now):
        candidates = [chunk for chunk in self._live if live(chunk, now)]
        self._committed = candidates[-1] if candidates else None
        if self._committed is None:
            return
        self._agreeing = {_key(chunk) for chunk in self._live
                          if chunk is self._committed or self._agrees(chunk, self._committed, now)}

    def _contributors(self, now):
        if self._mode != 'ensemble':
            return (self._committed,)
        return tuple(chunk for chunk in self._live
                     if live(chunk, now) and (chunk is self._committed or _key(chunk) in self._agreeing))

    def _agrees(self, chunk, committed, now):
        if self.spread is None or not np.isfinite(self._gate):
            return True
        here, there = max(row_at(chunk, now), 0), max(row_at(committed, now), 0)
        shared = min(chunk.horizon - here, committed.horizon - there)
        ours, theirs = chunk.actions[here:here + shared], committed.actions[there:there + shared]
        return disagreement(ours, theirs, self.spread) <= self._gate

    def _forget(self):
        keep = {_key(chunk) for chunk in self._live}
        self._agreeing &= keep


def _key(chunk):
    return chunk.run_id, chunk.chunk_id
