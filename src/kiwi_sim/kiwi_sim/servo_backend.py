"""What nine servos need from the physics behind them."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

COUNT = 9
"""Servos on LeKiwi's bus: ids 1 to 6 arm, 7 to 9 wheels left, back, right."""


@dataclass(frozen=True)
class ServoReadings:
    """What the servos' sensors measure, in bus order.

    Attributes:
        position: (9,) ticks in the calibrated frame, i.e. after the shipped homing offset.
        velocity: (9,) ticks/s.
        load: (9,) torque as a fraction of the stall torque, -1..1.
        seconds: simulated s since an arbitrary start, for the servos' thermal model.
    """

    position: np.ndarray
    velocity: np.ndarray
    load: np.ndarray
    seconds: float


@dataclass(frozen=True)
class ServoCommand:
    """What the servos drive towards, in bus order.

    Attributes:
        torque: (9,) bool; False means limp.
        position: (9,) goal ticks in the calibrated frame, within the position limits.
        velocity: (9,) goal ticks/s.
        turning: (9,) bool; True where the servo follows `velocity` and not `position`.
    """

    torque: np.ndarray
    position: np.ndarray
    velocity: np.ndarray
    turning: np.ndarray


class ServoBackend(Protocol):
    """Physics that nine servos measure and drive. Both methods are called with `lock` held."""

    lock: AbstractContextManager
    """Guards the physics; held by whoever advances it."""

    def measure(self) -> ServoReadings:
        """Read every servo's sensors at this instant."""

    def drive(self, command: ServoCommand) -> None:
        """Let every servo follow its goal from now on."""
