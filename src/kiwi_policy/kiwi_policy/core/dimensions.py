"""Rules per dimension: the arm may be blended, the gripper never, the base lightly."""

from dataclasses import dataclass

import numpy as np

from kiwi_policy.core.features import ARM, BASE, DIM


@dataclass(frozen=True)
class BlendRules:
    """How far a value moves from the dominant chunk's prediction to the weighted mean.

    0 takes the dominant chunk's value, 1 the weighted mean. The gripper has no entry: it is
    never averaged, since half-way between open and closed is neither.
    """

    arm: float = 1.0
    base: float = 0.5

    def __post_init__(self):
        for name in ('arm', 'base'):
            value = getattr(self, name)
            if not 0.0 <= value <= 1.0:
                raise ValueError(f'blend.{name} must lie in 0..1, got {value!r}')

    def factors(self):
        """(9,) factors, 0 at the gripper."""
        factors = np.zeros(DIM)
        factors[ARM] = self.arm
        factors[BASE] = self.base
        return factors
