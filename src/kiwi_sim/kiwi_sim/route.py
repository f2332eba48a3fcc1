"""Where the fingertips, the base and the gripper go, from the start to the placed cube."""

from dataclasses import dataclass

OPEN, CLOSED = 50.0, 3.0  # percent of the gripper's range

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
