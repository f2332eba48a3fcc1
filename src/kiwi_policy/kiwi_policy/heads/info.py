"""What a loaded policy says about itself, and the check of its n_action_steps."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PolicyInfo:
    """A loaded checkpoint, described.

    Attributes:
        head: LeRobot policy type, for example kiwi_flow, act or diffusion.
        digest: first 16 hex digits of the SHA-256 of the weights.
        names: the D action names.
        units: their units, empty where the name is unknown.
        period: s between rows of a chunk, None where the checkpoint does not say.
        horizon: H, rows per chunk.
        n_action_steps: rows the checkpoint means to execute before asking again.
        n_obs_steps: observations, one period apart, the policy looks at.
        cameras: names of the cameras it looks at.
        action_spread: (D,) standard deviations of the training actions, None where unknown.
        temporal_ensembling: the checkpoint is meant for ACT's temporal ensembling.
        notes: sentences on what was assumed or changed in loading.
        prefix_conditioning: how its chunks continue the plan they are given, one of
            `core.prefix.CONDITIONINGS`; None where the policy type cannot.
    """

    head: str
    digest: str
    names: tuple
    units: tuple
    period: float | None
    horizon: int
    n_action_steps: int
    n_obs_steps: int
    cameras: tuple
    action_spread: np.ndarray | None
    temporal_ensembling: bool
    notes: tuple = ()
    prefix_conditioning: str | None = None

    @property
    def continues_prefix(self):
        """True where `predict` heeds its prefix."""
        return self.prefix_conditioning not in (None, 'none')


class ActionStepsError(ValueError):
    """n_action_steps is too far below the chunk."""


def check_action_steps(info, override=False):
    """Refuse a checkpoint whose n_action_steps is below half its chunk.

    Asked again after every step or two, a policy that samples chooses anew each time: it chatters
    between modes, and what the chunk was trained for is thrown away. ACT's temporal ensembling is
    the exception, since it averages the overlapping chunks.

    Args:
        info: PolicyInfo.
        override: accept it all the same.

    Raises:
        ActionStepsError: saying what is set and what would do.
    """
    if override or info.temporal_ensembling or 2 * info.n_action_steps >= info.horizon:
        return
    raise ActionStepsError(
        f'{info.head} checkpoint {info.digest}: n_action_steps {info.n_action_steps} is below half '
        f'of its chunk of {info.horizon} rows; executing so little of a chunk throws chunking away '
        'and the robot jerks between modes. Set n_action_steps in config.json to '
        f'{(info.horizon + 1) // 2}..{info.horizon} (usually the whole chunk), or override the check'
    )
