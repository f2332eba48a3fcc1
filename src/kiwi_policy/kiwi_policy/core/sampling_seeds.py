"""Which seed a head that samples is given for each chunk."""

NOISES = ('chunk', 'episode')
"""How long one sampling seed lasts."""


def check_noise(noise):
    """Raise ValueError unless `noise` is one of NOISES."""
    if noise not in NOISES:
        raise ValueError(f'noise {noise!r} is none of {", ".join(NOISES)}')


class SamplingSeeds:
    """A seed per chunk, or one for all chunks of an episode, so that a head that samples keeps to one mode.

    Args:
        rng: numpy Generator the seeds are drawn from.
        noise: one of NOISES.

    Raises:
        ValueError: another `noise`.
    """

    def __init__(self, rng, noise='chunk'):
        check_noise(noise)
        self._rng, self._keeps = rng, noise == 'episode'
        self._kept = None

    def begin_episode(self):
        """Forget the seed that is kept."""
        self._kept = None

    def draw(self):
        """The int seed of the next chunk."""
        if self._kept is not None:
            return self._kept
        seed = int(self._rng.integers(2**62))
        if self._keeps:
            self._kept = seed
        return seed
