"""Counters of one episode."""

from dataclasses import dataclass


@dataclass
class Counters:
    """What happened since the episode began; see `records.Status` for the meaning."""

    accepted: int = 0
    skipped: int = 0
    underruns: int = 0
    clamped: int = 0
    takeovers: int = 0
    ticks: int = 0
    executed: int = 0
    blended: int = 0
    dissents: int = 0
    starved_ticks: int = 0
    dropped: int = 0

    def overlap(self):
        """Mean number of chunks blended per executed tick, 0 before the first."""
        return self.blended / self.executed if self.executed else 0.0
