"""The World as nine servos see it."""

import math

import numpy as np

from kiwi_policy.core import features
from kiwi_sim.kinematics import TICKS_PER_TURN
from kiwi_sim.servo_backend import COUNT, ServoReadings

_ARM = len(features.JOINTS)


class WorldServos:
    """A ServoBackend on a World.

    An arm servo switched to velocity mode goes limp and a wheel servo switched to position mode comes
    to rest: the World has no such drives.

    Args:
        world: the `World`.
    """

    def __init__(self, world):
        self._world = world
        self.lock = world.lock
        self._dofs = np.array([world.model.joint(name).dofadr[0] for name in features.JOINTS])
        self._stall = world.model.actuator_forcerange[:_ARM, 1].copy()
        self._torque = None

    def measure(self):
        """ServoReadings of this instant; `lock` is held by the caller."""
        world = self._world
        speeds = world.data.qvel[self._dofs] * (TICKS_PER_TURN / (2 * math.pi))
        wheels = [world.read_servo(servo_id).position for servo_id in range(_ARM + 1, COUNT + 1)]
        load = np.zeros(COUNT)
        load[:_ARM] = np.clip(world.data.actuator_force[:_ARM] / self._stall, -1.0, 1.0)
        return ServoReadings(
            position=np.concatenate([world.units.read_positions(world.joint_angles()), wheels]),
            velocity=np.concatenate([speeds, world.units.read_wheels(world.body_velocity())]),
            load=load,
            seconds=world.time,
        )

    def drive(self, command):
        """Pass a ServoCommand on to the World; `lock` is held by the caller."""
        arm = np.arange(COUNT) < _ARM
        torque = command.torque & (command.turning != arm)
        for index in range(COUNT):
            if self._torque is None or torque[index] != self._torque[index]:
                self._world.set_torque(index + 1, bool(torque[index]))
            if index < _ARM:
                self._world.set_goal_position(index + 1, int(command.position[index]))
            else:
                self._world.set_goal_velocity(index + 1, int(command.velocity[index]))
        self._torque = torque
