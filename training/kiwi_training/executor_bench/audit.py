"""Counts what an executor runs too late, whatever the executor itself believes."""

from kiwi_policy.core.states import Source

TOLERANCE = 1e-6
"""Share of a period within which an action still counts as one period late."""


class Audit:
    """An executor that passes everything on and compares each command's row with the time it was due.

    Args:
        executor: anything with the interface of `ChunkExecutor` that a rollout uses.

    Attributes:
        executed: ticks that ran a row of a chunk.
        expired: those among them whose row had been due more than one period before. Of several chunks
            that were blended the newest counts.
    """

    def __init__(self, executor):
        self._executor = executor
        self._chunks = {}
        self.executed = self.expired = 0

    def __getattr__(self, name):
        return getattr(self._executor, name)

    def add(self, chunk, now):
        """As the executor's."""
        self._chunks[chunk.chunk_id] = chunk
        return self._executor.add(chunk, now)

    def step(self, now, state):
        """As the executor's."""
        command = self._executor.step(now, state)
        if command.source in (Source.RAMP, Source.CHUNK):
            chunk = self._chunks[command.chunk_id]
            self.executed += 1
            self.expired += now - chunk.due(command.index) > (1.0 + TOLERANCE) * chunk.period
        return command
