"""Every setting of the executor: default, unit and bounds, checked at construction."""

import math
from dataclasses import dataclass, field

from kiwi_policy.core.features import NAMES
from kiwi_policy.core.limits import Limits
from kiwi_policy.core.dimensions import BlendRules

MODES = ('sync', 'latest', 'ensemble')
FAVORS = ('newest', 'oldest')
DECAYS = ('linear', 'exponential')


@dataclass(frozen=True)
class ExecutorConfig:
    """Settings of a `ChunkExecutor`.

    Attributes:
        mode: 'sync' (run n_action_steps, hold, ask again), 'latest' (the newest chunk takes over
            at its aligned row) or 'ensemble' (temporal ensembling over all live chunks).
        period: s between control ticks, > 0.
        names: the D action names a chunk must carry, in this order.
        n_action_steps: rows to run per chunk in `sync`; None takes the policy's.
        replan_interval: s between requests in `latest`; None is a quarter of a chunk.
        ensemble_interval: s between requests in `ensemble`; None is an eighth of a chunk.
        ensemble_coeff: m of the weights w_i = exp(-m * i), >= 0.
        favor: whether i counts from the 'newest' or the 'oldest' prediction.
        blend: how much each kind of dimension is blended.
        gate: predictions that differ by more than this many action spreads (root mean square
            over the shared rows, worst dimension) are not blended; inf switches the gate off.
        gate_latest: True applies the gate in `latest` too: a new chunk that disagrees waits
            until the committed one has run out.
        seam_ticks: ticks over which the step at a takeover is faded out; 0 switches it off.
        decay_seconds: s within which the base comes to rest when starved, > 0.
        decay: 'linear' or 'exponential'.
        ramp_speed: deg/s (gripper percent/s) at which the arm moves from its measured pose to
            the first chunk, > 0.
        limits: joint ranges and speeds.
        resample: True resamples a chunk of another period onto this one; False rejects it.
        max_age: s a chunk may be old in `sync`, where time stands still while waiting, > 0.
        request_timeout: s after which an unanswered request is asked again, > 0 (twice the
            measured p95 latency where that is longer).
        initial_latency: s assumed for the first chunk before any was measured, >= 0.
        max_live: chunks kept at most, >= 1.
    """

    mode: str = 'latest'
    period: float = 1.0 / 30.0
    names: tuple = NAMES
    n_action_steps: int | None = None
    replan_interval: float | None = None
    ensemble_interval: float | None = None
    ensemble_coeff: float = 0.1
    favor: str = 'newest'
    blend: BlendRules = field(default_factory=BlendRules)
    gate: float = 1.0
    gate_latest: bool = True
    seam_ticks: int = 5
    decay_seconds: float = 0.2
    decay: str = 'linear'
    ramp_speed: float = 180.0
    limits: Limits = field(default_factory=Limits)
    resample: bool = False
    max_age: float = 5.0
    request_timeout: float = 0.4
    initial_latency: float = 0.1
    max_live: int = 128

    def __post_init__(self):
        _one_of('mode', self.mode, MODES)
        _one_of('favor', self.favor, FAVORS)
        _one_of('decay', self.decay, DECAYS)
        for name in ('period', 'decay_seconds', 'ramp_speed', 'max_age', 'request_timeout'):
            _above_zero(name, getattr(self, name))
        for name in ('replan_interval', 'ensemble_interval'):
            if getattr(self, name) is not None:
                _above_zero(name, getattr(self, name))
        for name in ('ensemble_coeff', 'initial_latency'):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f'{name} must be finite and >= 0, got {getattr(self, name)!r}')
        if not self.gate > 0:
            raise ValueError(f'gate must be > 0 (inf switches it off), got {self.gate!r}')
        for name, least in (('seam_ticks', 0), ('max_live', 1), ('n_action_steps', 1)):
            value = getattr(self, name)
            if value is not None and (value != int(value) or value < least):
                raise ValueError(f'{name} must be a whole number >= {least}, got {value!r}')
        object.__setattr__(self, 'names', tuple(self.names))

    def gate_in_force(self):
        """The gate of the configured mode, inf where it is off."""
        gated = self.mode == 'ensemble' or (self.mode == 'latest' and self.gate_latest)
        return self.gate if gated else math.inf


def _one_of(name, value, choices):
    if value not in choices:
        raise ValueError(f'{name} must be one of {", ".join(choices)}, got {value!r}')


def _above_zero(name, value):
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f'{name} must be finite and > 0, got {value!r}')
