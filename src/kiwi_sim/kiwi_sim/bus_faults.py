"""Faults of a servo bus, for tests: what is lost, garbled or silent."""

from dataclasses import dataclass, field
from random import Random


@dataclass
class BusFaults:
    """Faults applied to every status packet. May be changed while the bus runs.

    Attributes:
        drop: probability that a status packet is lost, 0..1.
        corrupt: probability that one of its bits is flipped, 0..1.
        silent: ids that neither answer nor obey.
        errors: id -> StatusError bits it reports in its status packets and its status register.
        seed: seed of the fault draws.
    """

    drop: float = 0.0
    corrupt: float = 0.0
    silent: set = field(default_factory=set)
    errors: dict = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self):
        self._random = Random(self.seed)

    def pass_on(self, packet):
        """What the host receives of a status packet: the same bytes, garbled ones, or none."""
        if self.drop and self._random.random() < self.drop:
            return b''
        if self.corrupt and self._random.random() < self.corrupt:
            garbled = bytearray(packet)
            garbled[self._random.randrange(len(garbled))] ^= 1 << self._random.randrange(8)
            return bytes(garbled)
        return packet
