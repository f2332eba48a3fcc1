"""An action chunk with its time, as the executor core sees it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Chunk:
    """A chunk of H future actions of D values.

    Row i is due at `stamp + i * period`.

    Attributes:
        stamp: s on the executor's monotonic clock: the control tick whose state the policy saw.
        period: s between rows.
        actions: (H, D) in LeRobot's units.
        names: the D action names.
        run_id: random per policy start.
        chunk_id: increases within a run.
        episode_id: the episode the chunk was asked for.
    """

    stamp: float
    period: float
    actions: np.ndarray
    names: tuple
    run_id: int
    chunk_id: int
    episode_id: str

    @property
    def horizon(self):
        """Number of rows H."""
        return len(self.actions)

    def due(self, index):
        """Time in s at which row `index` is due."""
        return self.stamp + index * self.period
