"""The judgement of the fork task, one for simulated time and real time alike."""

from dataclasses import dataclass

import numpy as np

TASK = 'Put the cube on the disc.'

SUCCESS_RADIUS = 0.03
"""m: how far the cube's centre may rest from the disc's centre."""
RESTING_HEIGHT = 0.02
"""m: a cube on the floor has its centre below."""
LIFTED_HEIGHT = 0.025
"""m: a cube in the air has its centre above."""
CLEARANCE = 0.05
"""m: how far the fingertips must have left the cube."""
REST_SPEED = 0.01
"""m/s, and rad/s times ten: a cube at rest is slower."""
REST_SECONDS = 0.2
"""s: how long the cube must have been at rest and free."""


@dataclass(frozen=True)
class TaskState:
    """What has been achieved since the reset.

    Attributes:
        success: cube at rest on the disc, released, post untouched.
        post_hit: the post was touched by robot or cube.
        lifted: the cube left the floor.
        side: 'left' or 'right' of the post as the robot sees it, 'none' before the cube passed it.
        seconds: simulated s since the reset.
    """

    success: bool
    post_hit: bool
    lifted: bool
    side: str
    seconds: float


class ForkTask:
    """Watches a world; `update` after every advance of the physics, `state` at any time."""

    def __init__(self, world):
        self._world = world
        self.reset()

    def reset(self):
        """Forget everything: a new episode begins."""
        self._lifted = False
        self._side = 'none'
        self._settled_since = None

    def update(self):
        """Take note of the world as it is now."""
        world = self._world
        x, y, z = world.cube_position()
        self._lifted = self._lifted or bool(z > LIFTED_HEIGHT)
        if self._side == 'none' and x > world.post_position()[0]:
            self._side = 'left' if y > 0 else 'right'
        if not self._settled():
            self._settled_since = None
        elif self._settled_since is None:
            self._settled_since = world.time

    def state(self):
        """`TaskState` as of the last update."""
        world = self._world
        settled = self._settled_since is not None
        return TaskState(
            success=settled
            and world.time - self._settled_since >= REST_SECONDS - 1e-9
            and not world.post_touched,
            post_hit=world.post_touched,
            lifted=self._lifted,
            side=self._side,
            seconds=world.time,
        )

    def _settled(self):
        world = self._world
        cube = world.cube_position()
        velocity = world.cube_velocity()
        return bool(
            np.linalg.norm(cube[:2] - world.target_position()) < SUCCESS_RADIUS
            and cube[2] < RESTING_HEIGHT
            and np.linalg.norm(velocity[:3]) < REST_SPEED
            and np.linalg.norm(velocity[3:]) < 10 * REST_SPEED
            and np.linalg.norm(world.tip_position() - cube) > CLEARANCE
            and not world.cube_held()
        )
