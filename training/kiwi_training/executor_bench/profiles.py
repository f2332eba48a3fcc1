"""Fault profiles: what happens to chunks on their way from the policy to the executor.

A policy answers one request at a time and takes `latency` s for it. Its chunk then travels, and on that
way it may be late, lost, doubled, overtaken, or kept waiting while the link is silent. What happens to
a chunk depends on the rollout's seed, the profile and the control tick at which the chunk was asked
for, and on nothing else: executors that ask at the same tick meet the same fate.
"""

import math
from dataclasses import dataclass
from zlib import crc32

import numpy as np

BASE_LATENCY = 0.15
"""s from a request to its chunk where a profile is not about latency."""
COPY_AFTER = 0.1
"""s between a chunk and its duplicate."""
BEHIND = 1e-3
"""s by which a chunk comes after the one that overtook it."""
FIRST_PAUSE = (1.0, 4.0)
"""s between which the first pause begins."""
Z95 = 1.6448536269514722
"""The 95 % quantile of the standard normal distribution."""


@dataclass(frozen=True)
class Profile:
    """One way in which a link misbehaves.

    Attributes:
        name: as in the tables.
        about: what happens, for people.
        latency: s the policy takes for a chunk.
        late_median, late_p95: s of further delay, log-normal; 0 and 0 for none.
        lost: share of chunks that never arrive, 0..1.
        doubled: share that arrives again `COPY_AFTER` s later.
        overtaken: share that is kept back until the next chunk has arrived.
        pause: s of a silence, in which nothing arrives before its end; 0 for none.
        pause_every: (least, greatest) s from the start of one silence to the start of the next.
    """

    name: str
    about: str
    latency: float = BASE_LATENCY
    late_median: float = 0.0
    late_p95: float = 0.0
    lost: float = 0.0
    doubled: float = 0.0
    overtaken: float = 0.0
    pause: float = 0.0
    pause_every: tuple = (3.0, 5.0)

    def __post_init__(self):
        for name in ('latency', 'late_median', 'late_p95', 'pause'):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f'{name} of profile {self.name} must be s >= 0, got {value!r}')
        for name in ('lost', 'doubled', 'overtaken'):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f'{name} of profile {self.name} must lie in 0..1, got {getattr(self, name)!r}')
        if (self.late_median > 0) != (self.late_p95 > 0) or self.late_p95 < self.late_median:
            raise ValueError(f'late_p95 of profile {self.name} must be >= late_median, and both 0 or neither, got '
                             f'{self.late_p95!r} and {self.late_median!r}')
        if not self.pause <= self.pause_every[0] <= self.pause_every[1]:
            raise ValueError(f'pause_every of profile {self.name} must be (least, greatest) s, at least the pause, '
                             f'got {self.pause_every!r}')

    @property
    def fixed(self):
        """True where the latency is all that the profile is about."""
        return not (self.late_median or self.lost or self.doubled or self.overtaken or self.pause)


def _latency(milliseconds):
    return Profile(f'latency_{milliseconds}', f'every chunk {milliseconds} ms after its request', milliseconds / 1e3)


PROFILES = {profile.name: profile for profile in (
    *(_latency(milliseconds) for milliseconds in (0, 100, 200, 300, 400, 600)),
    Profile('jitter', '150 ms and a log-normal delay of 50 ms median and 300 ms p95: 200 ms median, 450 ms p95 in all',
            late_median=0.05, late_p95=0.3),
    Profile('drops', '150 ms; 5 % of the chunks never arrive', lost=0.05),
    Profile('duplicates', '150 ms; 5 % of the chunks arrive again 100 ms later', doubled=0.05),
    Profile('reordering', '150 ms; 10 % of the chunks arrive only after the next one', overtaken=0.1),
    Profile('pauses', '150 ms; about every 4 s the link is silent for 1 s, and what was under way comes at its end',
            pause=1.0),
)}


class Link:
    """The link of one rollout, a `kiwi_training.rollouts.Network`.

    Args:
        profile: `Profile`.
        seed: of the rollout.
        period: s between control ticks.
    """

    def __init__(self, profile, seed, period):
        self._profile, self._period = profile, period
        self._key = (int(seed), crc32(profile.name.encode()))
        self._kept = None               # the chunk that the next one overtakes
        self._silences = _Silences(profile, np.random.default_rng(self._key))

    def send(self, chunk, now):
        """See `Network.send`."""
        profile = self._profile
        rng = np.random.default_rng((*self._key, round(chunk.stamp / self._period)))
        lost, doubled, overtaken = rng.random(3) < (profile.lost, profile.doubled, profile.overtaken)
        if lost:
            return []
        arrival = self._silences.end_of(now + self._late(rng))
        if overtaken and self._kept is None:
            self._kept = chunk
            return []
        arrivals = [(arrival, chunk)]
        if doubled:
            arrivals.append((self._silences.end_of(arrival + COPY_AFTER), chunk))
        if self._kept is not None:
            arrivals.append((arrival + BEHIND, self._kept))
            self._kept = None
        return arrivals

    def _late(self, rng):
        """s of further delay: median * exp(sigma z), with sigma such that z = Z95 gives the p95."""
        median, p95 = self._profile.late_median, self._profile.late_p95
        return median * math.exp(math.log(p95 / median) / Z95 * rng.standard_normal()) if median else 0.0


class _Silences:
    """The silences of a rollout: drawn from its seed, the same whatever is sent."""

    def __init__(self, profile, rng):
        self._length, self._every, self._rng = profile.pause, profile.pause_every, rng
        self._starts = [rng.uniform(*FIRST_PAUSE)]

    def end_of(self, time):
        """`time` (s), or the end of the silence it lies in."""
        if not self._length:
            return time
        while self._starts[-1] <= time:
            self._starts.append(self._starts[-1] + self._rng.uniform(*self._every))
        for start in self._starts:
            if start <= time < start + self._length:
                return start + self._length
        return time
