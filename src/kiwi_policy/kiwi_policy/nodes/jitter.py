"""Histogram of durations: constant memory, a bounded search per value, percentiles on demand."""

from bisect import bisect_left

import numpy as np


class Histogram:
    """Counts of durations in logarithmic bins.

    Args:
        low: s, upper edge of the first bin.
        high: s, upper edge of the last bin; longer values fall into it.
        bins: number of bins; the relative width of one is the error of a percentile.
    """

    def __init__(self, low=1e-6, high=10.0, bins=400):
        self._edges = np.geomspace(low, high, bins).tolist()
        self._middle = (low / high) ** (0.5 / (bins - 1))    # of a bin, by its upper edge
        self._counts = [0] * bins
        self.count = 0
        self.largest = 0.0

    def add(self, seconds):
        """Count a duration of `seconds` s; its sign is dropped."""
        seconds = abs(seconds)
        self._counts[min(bisect_left(self._edges, seconds), len(self._edges) - 1)] += 1
        self.count += 1
        self.largest = max(self.largest, seconds)

    def percentile(self, percent):
        """Upper edge in s of the bin that holds the `percent`-th percentile, 0 where empty."""
        if not self.count:
            return 0.0
        rank, total = max(percent / 100.0 * self.count, 1e-9), 0
        for edge, count in zip(self._edges, self._counts):
            total += count
            if total >= rank:
                return min(edge, self.largest)
        return self.largest

    def shares(self, edges):
        """How many durations lie in each interval that `edges` (s, ascending) end, as exactly as the bins allow.

        Returns:
            len(edges) + 1 counts, the last of what lies beyond.
        """
        totals = [0] * (len(edges) + 1)
        for edge, count in zip(self._edges, self._counts):
            totals[bisect_left(edges, edge * self._middle)] += count
        return totals

    def clear(self):
        """Forget everything."""
        self._counts = [0] * len(self._counts)
        self.count, self.largest = 0, 0.0
