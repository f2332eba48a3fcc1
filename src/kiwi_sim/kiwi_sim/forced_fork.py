"""The forced fork: a control task in which the way past the post is decided inside one action chunk.

An episode begins with the cube just lifted, halfway between the two ways past the post, and lasts
for one chunk. Nothing that the policy sees tells left from right, and nothing it does before the
chunk breaks the tie. A policy that answers with the mean of the demonstrated chunks carries the
cube into the post; one that draws a chunk from their distribution passes on one side.
"""

from dataclasses import replace

import numpy as np

from kiwi_policy.core import features
from kiwi_sim.env import ForkEnv
from kiwi_sim.expert import Expert
from kiwi_sim.task import LIFTED_HEIGHT

FORCED_TASK = 'Carry the cube past the post.'

CHUNK_ROWS = 64
"""Rows of the one chunk, executed open loop at 30 Hz."""
PASSED = 0.04
"""m: how far beyond the post's axis the cube's centre must be; both are clear of each other from 0.027."""


class ForcedForkEnv(ForkEnv):
    """Carry the lifted cube past the post within one chunk; a step is one control period of 1/30 s.

    A reset starts the fork task's episode of the seed and lets the scripted expert act, without
    noise, until it has lifted the cube. There this episode begins and `seconds` counts from. Same
    observations, actions, rewards and info as in `ForkEnv`; 'lifted' is true from the start.

    Success: the cube's centre is `PASSED` beyond the post's axis and above `LIFTED_HEIGHT`, and neither
    robot nor cube has touched the post. It terminates the episode.

    Args:
        image_size, cameras: as in `ForkEnv`.
        time_limit: simulated s; the chunk's duration unless given.

    `reset(options={'side': 'left'})`, or 'right', decides the side that `expert` takes; else it is drawn.

    Attributes:
        expert: the `Expert` at the fork, ready to go on; of use for demonstrations.
    """

    def __init__(
        self, image_size=(96, 96), cameras=features.CAMERAS, time_limit=CHUNK_ROWS / features.RATE_HZ
    ):
        super().__init__(image_size=image_size, cameras=cameras, time_limit=time_limit)
        self.expert = None
        self._began = 0.0

    def _begin(self, seed, options):
        """Bring the world to where the cube has just been lifted.

        Raises:
            ValueError: an unknown option or side.
            RuntimeError: the expert failed to lift the cube.
        """
        options = dict(options or {})
        side = options.pop('side', None)
        if options:
            raise ValueError(f'unknown reset options {sorted(options)}, choose from [side]')
        super()._begin(seed, None)
        world = self.world
        self.expert = Expert(world, np.random.default_rng([seed, 1]), side=side)
        while not self.expert.at_fork:
            world.command(self.expert.act().astype(np.float32))
            world.advance()
        if not self._carried() or world.post_touched:
            raise RuntimeError(
                f'the approach of seed {seed} ended without the cube in the gripper; leave this seed out'
            )
        self._began = world.time

    def _task_state(self):
        world = self.world
        passed = world.cube_position()[0] - world.post_position()[0] > PASSED
        return replace(
            super()._task_state(),
            success=bool(passed and self._carried() and not world.post_touched),
            seconds=world.time - self._began,
        )

    def _carried(self):
        return bool(self.world.cube_position()[2] > LIFTED_HEIGHT and self.world.cube_held())
