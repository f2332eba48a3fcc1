"""The executor that knows no time: whatever arrives is run from its first row."""

from dataclasses import replace

from kiwi_policy.core.executor import ChunkExecutor
from kiwi_policy.core.records import Verdict


class Naive:
    """Runs each chunk from row 0 from the tick on which it arrives, however old, doubled or overtaken it is.

    Behind it stands a `ChunkExecutor` to which every chunk is shown as new and as made at that tick, so that
    requests and limits are those of the others.

    Args:
        config: `ExecutorConfig` of the executor behind.
    """

    def __init__(self, config):
        self._executor = ChunkExecutor(config)
        self._arrived = []
        self._ids = []                  # chunk_id of each chunk that was run, in order of arrival

    def set_policy(self, traits):
        """As `ChunkExecutor.set_policy`."""
        self._executor.set_policy(traits)

    def begin(self, episode_id, state, now):
        """As `ChunkExecutor.begin`."""
        self._arrived.clear()
        self._executor.begin(episode_id, state, now)

    def add(self, chunk, now):
        """Take any chunk; it begins at the next tick."""
        self._arrived.append(chunk)
        return Verdict(True)

    def request(self, now):
        """As `ChunkExecutor.request`: a quarter of a chunk after the last one began."""
        self._start_arrived(now)
        return self._executor.request(now)

    def step(self, now, state):
        """As `ChunkExecutor.step`; `chunk_id` is the policy's."""
        self._start_arrived(now)
        command = self._executor.step(now, state)
        return replace(command, chunk_id=self._ids[command.chunk_id - 1]) if command.chunk_id else command

    def status(self, now):
        """As `ChunkExecutor.status`; chunk ids count arrivals."""
        return self._executor.status(now)

    @property
    def state(self):
        """The present `State`."""
        return self._executor.state

    def _start_arrived(self, now):
        for chunk in self._arrived:
            self._ids.append(chunk.chunk_id)
            self._executor.add(replace(chunk, stamp=now, chunk_id=len(self._ids)), now)
        self._arrived.clear()
