"""Tasks of the simulated LeKiwi that render only the observations a chunk is made from."""

from kiwi_sim.env import ForkEnv
from kiwi_sim.forced_fork import ForcedForkEnv


class RenderOnDemand:
    """Makes a `ForkEnv` report the state alone; `complete` adds the pictures of this moment.

    A policy that looks at one observation per chunk sees the same as without it, while most ticks
    render nothing. Name it before the environment among the base classes.
    """

    def __init__(self, image_size=(96, 96), cameras=(), **options):
        super().__init__(image_size=image_size, cameras=cameras, **options)
        self._rendered = self.cameras
        self.cameras = ()

    def complete(self, observation):
        """The newest observation with its pictures; call it before the next step."""
        self.cameras = self._rendered
        try:
            return {**observation, **self.observe()}
        finally:
            self.cameras = ()


class FrugalForkEnv(RenderOnDemand, ForkEnv):
    """`ForkEnv` that renders on demand."""


class FrugalForcedForkEnv(RenderOnDemand, ForcedForkEnv):
    """`ForcedForkEnv` that renders on demand."""


def environment_for(info, image_size, task='fork', **options):
    """The simulated task with the cameras a policy reads, rendered as seldom as its history allows.

    Args:
        info: `PolicyInfo`.
        image_size: (height, width) in pixels.
        task: 'fork' or 'forced fork'.
        options: of the environment, e.g. spread.
    """
    full, frugal = {'fork': (ForkEnv, FrugalForkEnv), 'forced fork': (ForcedForkEnv, FrugalForcedForkEnv)}[task]
    kind = frugal if info.n_obs_steps == 1 else full
    return kind(image_size=image_size, cameras=tuple(info.cameras), **options)
