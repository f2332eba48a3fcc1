"""When bytes on a half-duplex serial bus behind a USB adapter arrive."""

from dataclasses import dataclass

BITS_PER_BYTE = 10
"""One start bit, eight data bits, one stop bit."""


@dataclass
class WireTime:
    """A clock of the wire: requests and replies follow each other, each takes its bytes' time.

    Args:
        baud: bit/s.
        latency: s that USB adds to a round trip, half on the way out and half on the way back. A CH343
            adapter, as on the Feetech and Waveshare boards, answers in about a millisecond (high-speed
            polling plus the driver's scheduling); FTDI adapters at their default timer take up to 16 ms.
        enabled: if False, everything arrives at once.
    """

    baud: int = 1_000_000
    latency: float = 1.0e-3
    enabled: bool = True
    _free: float = 0.0

    def __post_init__(self):
        if self.baud <= 0:
            raise ValueError(f'baud must be positive, got {self.baud}')
        if not 0.0 <= self.latency <= 0.1:
            raise ValueError(f'latency must lie in 0..0.1 s, got {self.latency}')

    def seconds(self, size):
        """Time that `size` bytes occupy the wire, s."""
        return size * BITS_PER_BYTE / self.baud

    def request(self, now, size):
        """Time at which a request written by the host at `now` has reached the servos, s."""
        if not self.enabled:
            return now
        self._free = max(now + self.latency / 2, self._free) + self.seconds(size)
        return self._free

    def reply(self, now, size, delay=0.0):
        """Time at which a reply that a servo starts `delay` s after `now` has reached the host, s."""
        if not self.enabled:
            return now
        self._free = max(now, self._free) + delay + self.seconds(size)
        return self._free + self.latency / 2
