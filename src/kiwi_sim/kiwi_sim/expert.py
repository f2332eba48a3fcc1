"""The scripted expert of the fork task: picks the cube and carries it past the post on one side.

Where to go is a list of waypoints of the fingertips (in the world), the base and the gripper;
between two of them everything moves along `s(u) = u^2 (3 - 2u)`. The first way is one in joint
space, `q = q_0 + (q_1 - q_0) s(u)` from the measured joints q_0, which need not hold the gripper as
the inverse kinematics q_1 of the first waypoint does. Up to the lift nothing depends on the side, so
that nothing the robot sees before the fork tells which way it will take.
"""

import math

import numpy as np

from kiwi_policy.core import features
from kiwi_sim.ik import ArmIK
from kiwi_sim.resume import Resumption, carried_side, resume_route
from kiwi_sim.route import FORK_LEG, route

SIDES = ('left', 'right')
WRIST_ROLL = -1.57  # rad

BASE_GAIN = 4.0  # 1/s
BASE_LIMIT = np.array([0.3, 0.3, 60.0])  # m/s, m/s, deg/s
SETTLE_BASE = 0.006  # m
SETTLE_TIP = 0.012  # m
SETTLE_SECONDS = 1.0


class Expert:
    """Acts once per control period, on a world that has just been reset or from the middle of an episode.

    Args:
        world: the `World`, whose ground truth the expert reads.
        rng: numpy Generator, independent of the world's; draws the side and the clearance.
        side: 'left' or 'right' of the post; None draws it, or keeps to the side the cube already is on.
        resume: begin with the leg that the present state of the world calls for, see `resume`.

    Attributes:
        side: the side taken.
        done: the last waypoint has been reached.
    """

    def __init__(self, world, rng, side=None, rate=features.RATE_HZ, resume=False):
        if side is None:
            side = SIDES[int(rng.integers(2))]
            side = (carried_side(world) or side) if resume else side
        if side not in SIDES:
            raise ValueError(f'unknown side {side!r}, choose from {SIDES}')
        self.side = side
        self.done = False
        self._world = world
        self._rate = rate
        self._ik = ArmIK(world.model, WRIST_ROLL)
        clearance = 0.095 + rng.uniform(-0.005, 0.010)
        offset = clearance if side == 'left' else -clearance
        way = resume_route(world, offset) if resume else Resumption(
            route(world.cube_position()[:2], world.target_position(), offset), FORK_LEG)
        self._route, self._fork = way.waypoints, way.fork
        self._leg = 0
        self._ticks = 0
        self._from_joints = world.joint_angles()[:5].copy()
        self._joints = self._from_joints[:4]
        self._from_tip = None
        self._from_base = world.base_pose()
        self._from_gripper = world.state()[5] if way.gripper is None else way.gripper

    @property
    def at_fork(self):
        """Whether the cube has been lifted, so that what follows depends on the side."""
        return self._leg >= self._fork

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
