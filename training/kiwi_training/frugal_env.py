"""The fork task that renders only the observations a chunk is made from."""

from kiwi_sim.env import ForkEnv


class FrugalForkEnv(ForkEnv):
    """`ForkEnv` whose steps report the state alone; `complete` adds the pictures of this moment.

    A policy that looks at one observation per chunk sees the same as in `ForkEnv`, while most ticks
    render nothing.
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
