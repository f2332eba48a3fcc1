"""The scripted expert of the fork task: picks the cube and carries it past the post on one side.

Where to go is a list of waypoints of the fingertips (in the world), the base and the gripper;
between two of them everything moves along `s(u) = u^2 (3 - 2u)`. Up to the lift nothing depends on
the side, so that nothing the robot sees before the fork tells which way it will take.
"""

import math
from dataclasses import dataclass

import numpy as np

from kiwi_policy.core import features
from kiwi_sim.ik import ArmIK

SIDES = ('left', 'right')
OPEN, CLOSED = 50.0, 3.0  # percent of the gripper's range
WRIST_ROLL = -1.57  # rad

BASE_GAIN = 4.0  # 1/s
BASE_LIMIT = np.array([0.3, 0.3, 60.0])  # m/s, m/s, deg/s
SETTLE_BASE = 0.006  # m
SETTLE_TIP = 0.012  # m
SETTLE_SECONDS = 1.0

HOVER = 0.09  # m, fingertip heights
GRASP = 0.014
CARRY = 0.035
RELEASE = 0.018
STANDOFF = 0.007
"""m to the left of the cube at which the open gripper comes down, since its left finger is fixed."""


@dataclass(frozen=True)
class Waypoint:
    """Where to be and how long to take for it.

    Attributes:
        tip: (3,) fingertips in the world, m.
        base: (3,) base pose in the world: m, m, rad.
        gripper: percent.
        seconds: how long the way takes.
        settle: wait until base and fingertips have arrived.
    """

    tip: tuple
    base: tuple
    gripper: float
    seconds: float
    settle: bool = False


def route(cube, target, offset):
    """Waypoints from the start to the placed cube.

    Args:
        cube, target: (2,) in the world, m.
        offset: m to the left of the post's axis at which the cube passes it; negative is right.
    """
    pick = (0.0, 0.0, 0.0)
    beside = (0.05, 0.0, 0.0)
    place = (0.165, 0.0, 0.0)
    above = (cube[0], cube[1] + STANDOFF)
    return (
        Waypoint((*above, HOVER), pick, OPEN, 1.3, settle=True),
        Waypoint((*above, GRASP), pick, OPEN, 0.6, settle=True),
        Waypoint((*cube, GRASP), pick, CLOSED, 0.4),
        Waypoint((*cube, CARRY), pick, CLOSED, 0.3),
        Waypoint((0.33, offset, CARRY), beside, CLOSED, 0.9),
        Waypoint((target[0] - 0.01, offset, CARRY), place, CLOSED, 1.0, settle=True),
        Waypoint((*target, CARRY), place, CLOSED, 0.8),
        Waypoint((*target, RELEASE), place, CLOSED, 0.4),
        Waypoint((*target, RELEASE), place, OPEN, 0.4),
        Waypoint((*target, HOVER), place, OPEN, 0.5),
        Waypoint((*target, HOVER), place, OPEN, 0.3),
    )


class Expert:
    """Acts once per control period on a world that has just been reset.

    Args:
        world: the `World`, whose ground truth the expert reads.
        rng: numpy Generator, independent of the world's; draws the side and the clearance.
        side: 'left' or 'right' of the post; None draws it.

    Attributes:
        side: the side taken.
        done: the last waypoint has been reached.
    """

    def __init__(self, world, rng, side=None, rate=features.RATE_HZ):
        if side is None:
            side = SIDES[int(rng.integers(2))]
        if side not in SIDES:
            raise ValueError(f'unknown side {side!r}, choose from {SIDES}')
        self.side = side
        self.done = False
        self._world = world
        self._rate = rate
        self._ik = ArmIK(world.model, WRIST_ROLL)
        clearance = 0.095 + rng.uniform(-0.005, 0.010)
        self._route = route(
            world.cube_position()[:2],
            world.target_position(),
            clearance if side == 'left' else -clearance,
        )
        self._leg = 0
        self._ticks = 0
        self._joints = world.joint_angles()[:4].copy()
        self._from_tip = world.tip_position()
        self._from_base = world.base_pose()
        self._from_gripper = world.state()[5]

    def act(self):
        """The action (9,) of this control period, in LeRobot's units."""
        waypoint = self._route[self._leg]
        length = max(1, int(waypoint.seconds * self._rate))
        self._ticks += 1
        u = min(1.0, self._ticks / length)
        along = u * u * (3 - 2 * u)
        tip = self._from_tip + (np.array(waypoint.tip) - self._from_tip) * along
        base = self._from_base + (np.array(waypoint.base) - self._from_base) * along
        gripper = self._from_gripper + (waypoint.gripper - self._from_gripper) * u
        rate = 6 * u * (1 - u) / waypoint.seconds  # d along / dt, 1/s
        drift = (np.array(waypoint.base) - self._from_base) * rate

        self._joints = self._ik.solve(self._joints, self._in_base_frame(tip))
        action = np.array([
            *np.degrees(self._joints),
            math.degrees(WRIST_ROLL),
            gripper,
            *self._base_command(base, drift),
        ])
        if self._ticks >= length and self._arrived(waypoint, self._ticks - length):
            self._next_leg(waypoint)
        return action

    def _base_command(self, goal, drift):
        """Body velocity (3,) by feed-forward and a proportional pull to the goal pose."""
        pose = self._world.base_pose()
        x, y, turn = drift + BASE_GAIN * (goal - pose)
        cos, sin = math.cos(pose[2]), math.sin(pose[2])
        command = np.array([cos * x + sin * y, cos * y - sin * x, math.degrees(turn)])
        return np.clip(command, -BASE_LIMIT, BASE_LIMIT)

    def _in_base_frame(self, point):
        x, y, yaw = self._world.base_pose()
        dx, dy = point[0] - x, point[1] - y
        cos, sin = math.cos(yaw), math.sin(yaw)
        return np.array([cos * dx + sin * dy, cos * dy - sin * dx, point[2]])

    def _arrived(self, waypoint, waited):
        if not waypoint.settle or waited > SETTLE_SECONDS * self._rate:
            return True
        world = self._world
        off_base = np.linalg.norm(world.base_pose()[:2] - waypoint.base[:2])
        off_tip = np.linalg.norm(world.tip_position() - waypoint.tip)
        return bool(off_base < SETTLE_BASE and off_tip < SETTLE_TIP)

    def _next_leg(self, waypoint):
        if self._leg == len(self._route) - 1:
            self.done = True
            return
        self._leg += 1
        self._ticks = 0
        self._from_tip = np.array(waypoint.tip)
        self._from_base = np.array(waypoint.base)
        self._from_gripper = waypoint.gripper
