"""Measured delay from a request to its chunk."""

from collections import deque

import numpy as np


class LatencyTracker:
    """Percentiles over the last delays, in s.

    Args:
        window: number of delays remembered.
        assumed: s reported while nothing has been measured.
    """

    def __init__(self, window=64, assumed=0.0):
        self._delays = deque(maxlen=window)
        self.assumed = assumed

    def __len__(self):
        return len(self._delays)

    def add(self, delay):
        """Remember a delay of `delay` s."""
        self._delays.append(max(float(delay), 0.0))

    def clear(self):
        """Forget what was measured; `assumed` holds again."""
        self._delays.clear()

    def percentile(self, percent):
        """The `percent`-th percentile in s, `assumed` while nothing has been measured."""
        if not self._delays:
            return self.assumed
        return float(np.percentile(self._delays, percent))
