"""Which chunks may act. Every refusal is counted under one of `REASONS`."""

from collections import Counter, deque

import numpy as np

from kiwi_policy.core.alignment import row_at
from kiwi_policy.core.records import Verdict

REASONS = ('inactive', 'foreign_episode', 'wrong_names', 'wrong_shape', 'not_finite', 'wrong_period',
           'old_run', 'duplicate', 'older', 'future', 'too_old', 'unasked', 'takeover')
"""Stable names: inactive (no episode, stopped or at fault), foreign_episode, wrong_names, wrong_shape,
not_finite (NaN or infinite), wrong_period, old_run (a policy run that a newer one has replaced),
duplicate (same chunk_id), older (chunk_id or stamp before the newest accepted), future (stamp ahead of
the present tick), too_old (no row is left, or beyond max_age in sync), unasked (in sync, while a chunk
still runs), takeover (an operator drives, or drove after the chunk was made)."""

PERIOD_TOLERANCE = 0.01
REMEMBERED_RUNS = 64


class Gatekeeper:
    """Checks chunks in a fixed order and counts the refusals.

    Args:
        config: the `ExecutorConfig`.
    """

    def __init__(self, config):
        self._config = config
        self._past_runs = deque(maxlen=REMEMBERED_RUNS)
        self.newest = None
        self.counts = Counter()

    def begin(self):
        """Reset the counters; run ids live on, so that a replaced run stays replaced."""
        self.counts.clear()
        if self.newest is not None:
            self.newest = _Seen(self.newest.run_id, self.newest.chunk_id, -np.inf)

    def memory(self):
        """Ids that outlive an episode: run and chunk accepted last, then replaced runs; () before the first chunk."""
        return () if self.newest is None else (self.newest.run_id, self.newest.chunk_id, *self._past_runs)

    def recall(self, memory):
        """Take over what `memory` gave, before an episode begins."""
        self._past_runs.clear()
        self._past_runs.extend(memory[2:])
        self.newest = _Seen(memory[0], memory[1], -np.inf) if memory else None

    def refuse(self, reason, detail):
        """Count a refusal and return its verdict."""
        if reason not in REASONS:
            raise ValueError(f'reason must be one of {", ".join(REASONS)}, got {reason!r}')
        self.counts[reason] += 1
        return Verdict(False, reason, detail)

    def check(self, chunk, episode_id, now):
        """Judge a chunk at time `now` (s); an accepted one becomes the newest."""
        fault = self._content_fault(chunk, episode_id) or self._order_fault(chunk) or self._age_fault(chunk, now)
        if fault is not None:
            return self.refuse(*fault)
        if self.newest is not None and chunk.run_id != self.newest.run_id:
            self._past_runs.append(self.newest.run_id)
        self.newest = _Seen(chunk.run_id, chunk.chunk_id, chunk.stamp)
        return Verdict(True)

    def _content_fault(self, chunk, episode_id):
        config = self._config
        if chunk.episode_id != episode_id:
            return 'foreign_episode', f'chunk is of episode {chunk.episode_id!r}, current is {episode_id!r}'
        if tuple(chunk.names) != config.names:
            return 'wrong_names', f'chunk names {tuple(chunk.names)}, expected {config.names}'
        shape = np.shape(chunk.actions)
        if len(shape) != 2 or shape[0] < 1 or shape[1] != len(config.names):
            return 'wrong_shape', f'actions have shape {shape}, expected (H >= 1, {len(config.names)})'
        if not np.all(np.isfinite(chunk.actions)):
            return 'not_finite', 'actions hold NaN or infinite values'
        if not (np.isfinite(chunk.period) and chunk.period > 0 and np.isfinite(chunk.stamp)):
            return 'wrong_period', f'period {chunk.period!r} s and stamp {chunk.stamp!r} s must be finite, period > 0'
        if not config.resample and abs(chunk.period - config.period) > PERIOD_TOLERANCE * config.period:
            return 'wrong_period', (f'chunk rows are {chunk.period:.5f} s apart, the executor ticks every '
                                    f'{config.period:.5f} s; match the rates or set resample')
        return None

    def _order_fault(self, chunk):
        if chunk.run_id in self._past_runs:
            return 'old_run', f'run {chunk.run_id} was replaced by run {self.newest.run_id}'
        newest = self.newest
        if newest is None:
            return None
        if chunk.run_id == newest.run_id:
            if chunk.chunk_id == newest.chunk_id:
                return 'duplicate', f'chunk {chunk.chunk_id} was already accepted'
            if chunk.chunk_id < newest.chunk_id:
                return 'older', f'chunk {chunk.chunk_id} came after chunk {newest.chunk_id}'
        if chunk.stamp < newest.stamp - 0.5 * self._config.period:
            return 'older', f'stamp {chunk.stamp:.4f} s lies before the newest accepted, {newest.stamp:.4f} s'
        return None

    def _age_fault(self, chunk, now):
        if chunk.stamp > now + 0.5 * self._config.period:
            return 'future', f'stamp lies {chunk.stamp - now:.4f} s ahead'
        age = now - chunk.stamp
        if self._config.mode == 'sync':
            if age > self._config.max_age:
                return 'too_old', f'chunk is {age:.3f} s old, max_age is {self._config.max_age:.3f} s'
        elif row_at(chunk, now) >= len(chunk.actions):
            return 'too_old', f'chunk is {age:.3f} s old and covers {len(chunk.actions) * chunk.period:.3f} s'
        return None


class _Seen:
    """What is remembered of the newest accepted chunk."""

    def __init__(self, run_id, chunk_id, stamp):
        self.run_id, self.chunk_id, self.stamp = run_id, chunk_id, stamp
