"""What runs and is planned to run while a new chunk is made, which the chunk may continue."""

from dataclasses import dataclass

import numpy as np

CONDITIONINGS = ('none', 'project', 'guidance')
"""How a head continues a prefix, see `heads.prefix`; `none` ignores it."""


@dataclass(frozen=True)
class Prefix:
    """The plan in force from some tick on.

    Attributes:
        rows: (R, 9) in LeRobot's units, the first due at that tick, one per period; R is 0 where
            nothing is planned.
        committed: K of these, the first, which run whatever a new chunk says; 0 <= K <= R.
    """

    rows: np.ndarray
    committed: int

    def after(self, count):
        """The `Prefix` that is left `count` periods later."""
        return Prefix(self.rows[count:], max(self.committed - count, 0))
