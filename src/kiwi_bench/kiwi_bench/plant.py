"""The simulated LeKiwi in this process, its faults within reach. Knows nothing of ROS."""

import contextlib
import os
import threading

import numpy as np

from kiwi_sim.simulation import Simulation
from kiwi_sim.world_servos import WorldServos

from kiwi_bench.witness import Witness


class Plant:
    """World and servo bus in real time, without cameras.

    Args:
        link: path of the link to the bus's device.

    Attributes:
        witness: `Witness` of everything the servos are told.
        failure: why the simulation cannot go on, '' while it does.
    """

    def __init__(self, link):
        self.witness, self.failure = None, ''
        self._simulation = Simulation((), lambda *_: None, self._fail, link=link, servos=self._servos)
        _eagerly(self._simulation.start)

    @property
    def faults(self):
        """`BusFaults` of the bus."""
        return self._simulation.bus.faults

    def reset(self, seed):
        """Place the robot as at the start of an episode."""
        self._simulation.reset(seed)
        self.witness.forget()

    def unplug(self):
        """Pull the plug of the servo bus: its device vanishes, the servos keep their goals."""
        self._simulation.bus.stop()

    def plug(self):
        """Put the plug in again: a new device behind the same link."""
        _eagerly(self._simulation.bus.start)

    def silent_wheels(self):
        """(3,) bool, wheels that cannot be reached now."""
        plugged = self._simulation.bus.path is not None
        return np.array([not plugged or servo in self.faults.silent for servo in (7, 8, 9)])

    def joints(self):
        """Measured joint angles (6,) in rad."""
        with self._simulation.world.lock:
            return self._simulation.world.joint_angles().copy()

    def close(self):
        """End it."""
        self._simulation.stop()

    def _servos(self, world):
        self.witness = Witness(WorldServos(world))
        return self.witness

    def _fail(self, message):
        self.failure = message


def _eagerly(start):
    """Start threads before which others give way, as sim_node's do: real servos answer however busy a computer is."""
    failures = []

    def run():
        with contextlib.suppress(OSError):
            os.nice(-10)        # of this thread and those it starts
        try:
            start()
        except OSError as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]
