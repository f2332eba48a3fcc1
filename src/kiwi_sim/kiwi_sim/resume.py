"""The way to the placed cube from any moment of an episode: which leg comes next, and what must come before it.

    cube at rest on the disc        open, let go, rise
    cube in the gripper, lifted     steady, then past the post on the side the cube is on, or straight to the disc
    gripper closed around the cube  close, lift, then as above
    else                            rise where the arm is low, keep clear of the post, then approach and grasp

The post is a wall between its two sides: what lies beside or beyond it is reached along its own side.
"""

import math
from dataclasses import dataclass

import numpy as np

from kiwi_sim.route import CARRY, CLOSED, FORK_LEG, GRASP, HOVER, OPEN, STANDOFF, Waypoint, route
from kiwi_sim.task import LIFTED_HEIGHT, RESTING_HEIGHT, SUCCESS_RADIUS

LOW = 0.06
"""m: fingertips below rise before they move sideways."""
BEFORE_POST = 0.065
"""m before the post's axis up to which the arm may cross from one side to the other."""
BESIDE_POST = 0.03
"""m before the post's axis from which on the cube counts as beside or beyond it."""
DECIDED = 0.02
"""m off the post's axis from which on a carried cube is on its way past that side."""
REACH = 0.265
"""m from the base at which a cube is picked."""
TIP_SPEED, BASE_SPEED = 0.13, 0.10  # m/s, means over a leg
SHORTEST = 0.4  # s


@dataclass(frozen=True)
class Resumption:
    """A way from the present moment.

    Attributes:
        waypoints: `Waypoint`s.
        fork: index of the first one at which the cube is lifted.
        gripper: percent that the gripper is commanded now, None for what it measures.
    """

    waypoints: tuple
    fork: int
    gripper: float | None = None


def carried_side(world):
    """'left' or 'right' where the cube already is on its way past the post, else None."""
    cube, post = world.cube_position(), world.post_position()
    off = cube[1] - post[1]
    decided = cube[2] > LIFTED_HEIGHT and world.cube_held() and abs(off) > DECIDED
    return ('left' if off > 0 else 'right') if decided or beyond_fork(world, cube) else None


def beyond_fork(world, point):
    """Whether a point of the world lies beside or beyond the post."""
    return bool(point[0] > world.post_position()[0] - BESIDE_POST)


def resume_route(world, offset):
    """The `Resumption` from a world's present state.

    Args:
        world: the `World`.
        offset: m to the left of the post's axis at which the cube shall pass it; negative is right.
    """
    cube, target, tip = world.cube_position(), world.target_position(), world.tip_position()
    base = tuple(world.base_pose())
    full = route(cube[:2], target, offset)
    if cube[2] < RESTING_HEIGHT and np.linalg.norm(cube[:2] - target) < 0.8 * SUCCESS_RADIUS:
        high = (tip[0], tip[1], HOVER)
        return Resumption((Waypoint(tuple(tip), base, OPEN, SHORTEST), Waypoint(high, base, OPEN, 0.5),
                           Waypoint(high, base, OPEN, 0.3)), 0)
    if cube[2] > LIFTED_HEIGHT and world.cube_held():
        steady = Waypoint((tip[0], tip[1], max(tip[2], CARRY)), base, CLOSED, SHORTEST)
        return Resumption((steady, *_carry(world, full, steady, offset)), 0, CLOSED)
    if _closed_around(world, cube, tip):
        close = Waypoint((cube[0], cube[1], GRASP), base, CLOSED, SHORTEST)
        lift = Waypoint((cube[0], cube[1], CARRY), base, CLOSED, 0.3)
        return Resumption((close, lift, *_carry(world, full, lift, offset)), 2)
    return _grasp_again(world, full, offset)


def _carry(world, full, held, offset):
    """Legs of `full` from a lifted cube held as at the waypoint `held`."""
    release = full[FORK_LEG + 2:]
    beside, beyond = full[FORK_LEG], full[FORK_LEG + 1]
    tip, post = held.tip, world.post_position()
    if not beyond_fork(world, tip):
        near = post[0] - BEFORE_POST
        if tip[0] > near and abs(tip[1] - post[1]) < 0.7 * abs(offset):
            back = _timed(held, Waypoint((near - 0.01, tip[1], CARRY), held.base, CLOSED, SHORTEST))
            return back, _timed(back, beside), _timed(beside, beyond), *release
        return _timed(held, beside), _timed(beside, beyond), *release
    if tip[0] < beyond.tip[0] - 0.03:
        out = Waypoint((tip[0], offset, CARRY), held.base, CLOSED, SHORTEST)
        return _timed(held, out), _timed(out, beyond), *release
    return _timed(held, release[0]), *release[1:]


def _grasp_again(world, full, offset):
    cube, tip, post = world.cube_position(), world.tip_position(), world.post_position()
    legs = []
    at = Waypoint(tuple(tip), tuple(world.base_pose()), OPEN, SHORTEST)
    near = post[0] - BEFORE_POST
    if tip[2] < LOW:
        back = min(tip[0], near) if tip[0] < post[0] else tip[0]
        legs.append(_timed(at, Waypoint((back, tip[1], HOVER), at.base, OPEN, SHORTEST)))
        at = legs[-1]
    if beyond_fork(world, at.tip) and not beyond_fork(world, cube):
        out = math.copysign(max(abs(at.tip[1] - post[1]), abs(offset)), at.tip[1] - post[1])
        legs.append(_timed(at, Waypoint((near - 0.02, post[1] + out, HOVER), (0.0, 0.0, 0.0), OPEN, SHORTEST)))
        at = legs[-1]
    if not beyond_fork(world, cube):
        approach, descend, close, lift = full[:FORK_LEG]
        legs += [_timed(at, approach), descend, close, lift]
        return Resumption((*legs, *full[FORK_LEG:]), len(legs))
    base = (float(np.clip(cube[0] - REACH, 0.0, full[-1].base[0])), 0.0, 0.0)
    if not beyond_fork(world, at.tip):
        legs.append(_timed(at, Waypoint((near, offset, HOVER), base, OPEN, SHORTEST)))
        at = legs[-1]
    above = (cube[0], cube[1] + STANDOFF)
    approach = Waypoint((*above, HOVER), base, OPEN, SHORTEST, settle=True)
    lift = Waypoint((cube[0], cube[1], CARRY), base, CLOSED, 0.3)
    legs += [_timed(at, approach), Waypoint((*above, GRASP), base, OPEN, 0.6, settle=True),
             Waypoint((cube[0], cube[1], GRASP), base, CLOSED, SHORTEST), lift]
    return Resumption((*legs, *_carry(world, full, lift, offset)), len(legs))


def _closed_around(world, cube, tip):
    gripper = world.state()[5]
    return bool(world.cube_held() and gripper < 0.7 * OPEN and np.linalg.norm(cube - tip) < 0.012)


def _timed(origin, goal):
    """`goal` with a duration that suits the way from `origin`."""
    way = np.linalg.norm(np.subtract(goal.tip, origin.tip)) / TIP_SPEED
    drive = np.linalg.norm(np.subtract(goal.base, origin.base)[:2]) / BASE_SPEED
    return Waypoint(goal.tip, goal.base, goal.gripper, float(max(way, drive, goal.seconds if goal.settle else 0.0, SHORTEST)),
                    goal.settle)
