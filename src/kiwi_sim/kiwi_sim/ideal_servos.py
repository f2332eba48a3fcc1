"""Servos without physics, for testing drivers: under torque each is at once where it was told to be."""

import threading
import time

import numpy as np

from kiwi_sim.servo_backend import COUNT, ServoReadings


class IdealServos:
    """A ServoBackend whose joints take their goals at once and stay put when limp.

    Attributes:
        position: (9,) ticks; may be set to move the joints by hand.
        command: the last ServoCommand.
    """

    def __init__(self, position=2048):
        self.lock = threading.RLock()
        self.position = np.full(COUNT, float(position))
        self.command = None
        self._start = time.monotonic()

    def measure(self):
        """ServoReadings of this instant."""
        command, velocity = self.command, np.zeros(COUNT)
        if command is not None:
            velocity = np.where(command.torque & command.turning, command.velocity, 0.0)
        return ServoReadings(
            self.position.copy(), velocity, np.zeros(COUNT), time.monotonic() - self._start
        )

    def drive(self, command):
        """Take over a ServoCommand."""
        self.command = command
        self.position = np.where(command.torque & ~command.turning, command.position, self.position)
