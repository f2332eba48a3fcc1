"""What the servos were told and when, noted where the emulated bus hands it to the physics."""

import threading
import time
from dataclasses import dataclass

import numpy as np

WHEELS = slice(6, 9)
ARM = slice(0, 6)


@dataclass(frozen=True)
class Drive:
    """What nine servos follow from a moment on.

    Attributes:
        time: s, monotonic.
        torque: (9,) bool.
        goals: (6,) goal ticks of the arm.
        speeds: (3,) goal ticks/s of the wheels.
    """

    time: float
    torque: np.ndarray
    goals: np.ndarray
    speeds: np.ndarray


class Witness:
    """A ServoBackend that passes everything on to another one and notes it.

    Args:
        servos: the `ServoBackend` behind it.
    """

    def __init__(self, servos):
        self._servos = servos
        self.lock = servos.lock
        self._drives = []
        self._noting = threading.Lock()

    def measure(self):
        """ServoReadings of this instant; `lock` is held by the caller."""
        return self._servos.measure()

    def drive(self, command):
        """Note a ServoCommand and pass it on; `lock` is held by the caller."""
        note = Drive(time.monotonic(), command.torque.copy(), command.position[ARM].copy(),
                     command.velocity[WHEELS].copy())
        with self._noting:
            self._drives.append(note)
        self._servos.drive(command)

    def forget(self):
        """Keep the newest note only."""
        with self._noting:
            del self._drives[:-1]

    @property
    def newest(self):
        """The `Drive` in force."""
        with self._noting:
            return self._drives[-1]

    def between(self, start, end=np.inf):
        """The `Drive`s of a time span in s, the one in force at its start included."""
        with self._noting:
            drives = list(self._drives)
        before = [drive for drive in drives if drive.time <= start]
        return before[-1:] + [drive for drive in drives if start < drive.time <= end]


def rest_times(drives):
    """(3,) s at which each wheel was told for good to stand; inf where it turns at the end, -inf where it never did."""
    times = np.full(3, -np.inf)
    for before, after in zip(drives, drives[1:]):
        times = np.where((before.speeds != 0) & (after.speeds == 0), after.time, times)
    return np.where(drives[-1].speeds != 0, np.inf, times)


def last_at_full_speed(drives, share=0.9):
    """s at which the wheels last got a new goal at their greatest sum of speeds: from then on they slow down."""
    sums = np.array([np.abs(drive.speeds).sum() for drive in drives])
    changes = [i for i in range(len(drives)) if sums[i] >= share * sums.max()]
    return drives[changes[-1]].time


def largest_step(drives):
    """Greatest change of an arm goal from one note to the next, in ticks."""
    goals = np.array([drive.goals for drive in drives])
    return int(np.abs(np.diff(goals, axis=0)).max()) if len(goals) > 1 else 0
