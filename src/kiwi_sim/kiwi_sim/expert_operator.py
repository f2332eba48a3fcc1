"""The scripted expert as the operator of a rollout: takes over where the policy goes wrong, hands back when all is well.

It knows the world's truth and judges once per control period (after Kelly et al. 2019, HG-DAgger: the expert decides
when to drive):

    post            the fingertips, and with them a carried cube, come too close to the post
    left behind     the arm moves on without the cube
    dropped         the cube was lifted and lies elsewhere than on the disc
    no progress     the next stage (lifted, past the post, on the disc) is not reached in time
    random          with a given rate, as in DAgger (Ross et al. 2011)

It hands back once the stage that was in danger is reached.
"""

from dataclasses import dataclass

import numpy as np

from kiwi_policy.core import features
from kiwi_sim.expert import Expert
from kiwi_sim.task import LIFTED_HEIGHT, RESTING_HEIGHT, SUCCESS_RADIUS

APPROACH, CARRY, PLACE, DONE = range(4)
"""Stages: cube not lifted, lifted, past the post, on the disc."""
PASSED = 0.04
"""m beyond the post's axis from which on the cube is past it."""
LEFT_BEHIND = 0.05
"""m beyond a cube on the floor at which the fingertips have moved on without it."""
FORESIGHT = 0.2
"""s by which the way to the post is looked ahead."""
BREATHER = 1.0
"""s after a hand-back in which only the post makes the operator take over."""
DROPPED = 0.3
"""s for which a lifted cube must lie on the floor."""


@dataclass(frozen=True)
class Rules:
    """When the operator takes over.

    Attributes:
        margin: m between the post's axis and the fingertips; the expert keeps 0.09.
        patience: s for the next stage; the expert takes about 3.
        rate: random takeovers per s.

    Raises:
        ValueError: a value out of bounds.
    """

    margin: float = 0.06
    patience: float = 5.0
    rate: float = 0.0

    def __post_init__(self):
        for name in ('margin', 'patience', 'rate'):
            if not 0.0 <= getattr(self, name) < float('inf'):
                raise ValueError(f'{name} must be finite and >= 0, got {getattr(self, name)!r}')


class ExpertOperator:
    """Watches one episode; call `act` once per control period, with the world's lock held.

    Args:
        world: the `World`, just reset.
        rng: numpy Generator for sides, clearances and random takeovers.
        rules: `Rules`.
        rate: control periods per s.

    Attributes:
        reason: why the operator drives, '' while it does not.
        reasons: of every takeover so far, in order.
    """

    def __init__(self, world, rng, rules=None, rate=features.RATE_HZ):
        self._world, self._rng, self._rules, self._rate = world, rng, rules or Rules(), rate
        self._expert = None
        self._until = DONE
        self._stage, self._stage_since = APPROACH, world.time
        self._fallen_since, self._released_at = None, -np.inf
        self._before = world.tip_position()
        self.reason, self.reasons = '', []

    def act(self):
        """The action (9,) of this control period, None where the policy drives."""
        world = self._world
        stage = self._judge()
        danger = self._danger(stage)
        self._before = world.tip_position()
        if self._expert is not None and (stage >= self._until or self._expert.done):
            self._expert, self.reason, self._released_at = None, '', world.time
            self._stage_since = world.time
            return None
        if self._expert is None and danger:
            self.reason = danger
            self.reasons.append(danger)
            self._expert = Expert(world, self._rng, rate=self._rate, resume=True)
            self._until = stage + 1
        return None if self._expert is None else self._expert.act()

    def _judge(self):
        """The stage reached; notes when it changed and since when the cube lies lost."""
        world = self._world
        cube = world.cube_position()
        placed = np.linalg.norm(cube[:2] - world.target_position()) < SUCCESS_RADIUS
        up = cube[2] > LIFTED_HEIGHT and world.cube_held()
        if placed and cube[2] < RESTING_HEIGHT:
            stage = DONE if world.task.state().success else PLACE
        elif up:
            stage = PLACE if cube[0] > world.post_position()[0] + PASSED else CARRY
        elif self._stage >= CARRY and cube[2] > RESTING_HEIGHT:
            stage = self._stage             # on its way up or down
        else:
            stage = APPROACH
        lost = self._stage >= CARRY and stage == APPROACH
        if lost and self._fallen_since is None:
            self._fallen_since = world.time
        if not lost:
            self._fallen_since = None
            if stage != self._stage:
                self._stage, self._stage_since = stage, world.time
        return stage

    def _danger(self, stage):
        """Why to take over now, '' where there is no reason."""
        world, rules = self._world, self._rules
        if stage == DONE:
            return ''
        if self._near_post():
            return 'post'
        if world.time - self._released_at < BREATHER:
            return ''
        tip, cube = world.tip_position(), world.cube_position()
        if self._fallen_since is not None:
            return 'dropped' if world.time - self._fallen_since >= DROPPED else ''
        if stage == APPROACH and tip[0] > cube[0] + LEFT_BEHIND:
            return 'left behind'
        if world.time - self._stage_since > rules.patience:
            return 'no progress'
        return 'random' if self._rng.random() < rules.rate / self._rate else ''

    def _near_post(self):
        """Whether the fingertips are within the margin of the post soon, and getting closer."""
        world = self._world
        tip, post = world.tip_position(), world.post_position()
        ahead = tip + (tip - self._before) * self._rate * FORESIGHT
        now, soon = (np.linalg.norm(point[:2] - post) for point in (tip, ahead))
        return bool(min(now, soon) < self._rules.margin and soon < now)
