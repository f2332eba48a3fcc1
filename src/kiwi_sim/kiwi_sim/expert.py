"""The scripted expert of the fork task: picks the cube and carries it past the post on one side.

Where to go is a list of waypoints of the fingertips (in the world), the base and the gripper;
between two of them everything moves along `s(u) = u^2 (3 - 2u)`. The first way is one in joint
space, `q = q_0 + (q_1 - q_0) s(u)` from the measured joints q_0, which need not hold the gripper as
the inverse kinematics q_1 of the first waypoint does. Up to the lift nothing depends on the side, so
that nothing the robot sees before the fork tells which way it will take.
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

FORK_LEG = 4
"""Index of the first waypoint that depends on the side; the ones before end with the cube lifted."""


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
        self._from_joints = world.joint_angles()[:5].copy()
        self._joints = self._from_joints[:4]
        self._from_tip = None
        self._from_base = world.base_pose()
        self._from_gripper = world.state()[5]

    @property
    def at_fork(self):
        """Whether the cube has been lifted, so that what follows depends on the side."""
        return self._leg >= FORK_LEG

    def act(self):
        """The action (9,) of this control period, in LeRobot's units."""
        waypoint = self._route[self._leg]
        length = max(1, int(waypoint.seconds * self._rate))
        self._ticks += 1
        u = min(1.0, self._ticks / length)
        along = u * u * (3 - 2 * u)
        base = self._from_base + (np.array(waypoint.base) - self._from_base) * along
        gripper = self._from_gripper + (waypoint.gripper - self._from_gripper) * u
        rate = 6 * u * (1 - u) / waypoint.seconds  # d along / dt, 1/s
        drift = (np.array(waypoint.base) - self._from_base) * rate
        action = np.array([
            *np.degrees(self._arm(waypoint, along, base)),
            gripper,
            *self._base_command(base, drift),
        ])
        if self._ticks >= length and self._arrived(waypoint, self._ticks - length):
            self._next_leg(waypoint)
        return action

    def _arm(self, waypoint, along, base):
        """Joint goals (5,) in rad, `along` the way to a waypoint, with the base meant to be at `base`."""
        pose = self._world.base_pose()
        if self._leg > 0:
            tip = self._from_tip + (np.array(waypoint.tip) - self._from_tip) * along
            return self._solve(tip, pose)
        arrival = waypoint.base + (pose - base)  # where the base will be if it stays as far off as it is
        return self._from_joints + (self._solve(waypoint.tip, arrival) - self._from_joints) * along

    def _solve(self, tip, base_pose):
        """Joints (5,) in rad that bring the fingertips to a point of the world, m."""
        self._joints = self._ik.solve(self._joints, _in_frame(base_pose, tip))
        return np.append(self._joints, WRIST_ROLL)

    def _base_command(self, goal, drift):
        """Body velocity (3,) by feed-forward and a proportional pull to the goal pose."""
        pose = self._world.base_pose()
        x, y, turn = drift + BASE_GAIN * (goal - pose)
        cos, sin = math.cos(pose[2]), math.sin(pose[2])
        command = np.array([cos * x + sin * y, cos * y - sin * x, math.degrees(turn)])
        return np.clip(command, -BASE_LIMIT, BASE_LIMIT)

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


def _in_frame(pose, point):
    """A point (3,) of the world seen from a base pose (3,): m, m, rad."""
    x, y, yaw = pose
    dx, dy = point[0] - x, point[1] - y
    cos, sin = math.cos(yaw), math.sin(yaw)
    return np.array([cos * dx + sin * dy, cos * dy - sin * dx, point[2]])
