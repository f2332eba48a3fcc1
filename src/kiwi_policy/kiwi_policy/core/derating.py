"""A servo that is hot or overloaded slows down, then holds, until it has recovered."""

import math
from dataclasses import dataclass

from kiwi_policy.core.features import JOINTS

LOAD_SECONDS = 1.0
"""Time constant in s over which a load is averaged."""


@dataclass(frozen=True)
class ServoHealth:
    """What one servo reports of itself.

    Attributes:
        servo: its name: one of `features.JOINTS` or a wheel.
        voltage: V.
        temperature: degrees Celsius.
        load: share of its full torque, 0..1.
        current: A.
        faults: what its status register complains of, in words; empty where all is well.
    """

    servo: str
    voltage: float
    temperature: float
    load: float
    current: float
    faults: tuple = ()


@dataclass(frozen=True)
class DeratingLimits:
    """Where a servo begins to slow down and where it stops.

    Attributes:
        temperature_slow, temperature_hold: degrees Celsius; an STS3215 lets go of its torque at 70.
        load_slow, load_hold: shares of full torque, averaged over LOAD_SECONDS; above 1 they never act, since a
            gripper that grips and a joint that speeds up are at full load.
    """

    temperature_slow: float = 58.0
    temperature_hold: float = 66.0
    load_slow: float = 1.5
    load_hold: float = 2.0

    def __post_init__(self):
        for kind in ('temperature', 'load'):
            slow, stop = getattr(self, f'{kind}_slow'), getattr(self, f'{kind}_hold')
            if not 0.0 < slow < stop or not math.isfinite(stop):
                raise ValueError(f'{kind}_slow must lie above 0 and below {kind}_hold, got {slow!r} and {stop!r}')


class Derating:
    """Speed factors from the servos' health.

    A servo's factor falls evenly from 1 at the slow mark to 0 at the hold mark. One that holds goes on only below the
    slow mark.

    Args:
        limits: `DeratingLimits`.
    """

    def __init__(self, limits=None):
        self._limits = limits or DeratingLimits()
        self._loads, self._factors, self._causes = {}, {}, {}

    def update(self, health, now):
        """Take in a `ServoHealth` read at `now` (s); returns news in words, '' where nothing changed for the user."""
        limits = self._limits
        load = self._mean_load(health, now)
        marks = {
            f'{health.temperature:.0f} deg C (slows from {limits.temperature_slow:g}, holds at '
            f'{limits.temperature_hold:g})': _factor(health.temperature, limits.temperature_slow, limits.temperature_hold),
            f'{100 * load:.0f} % load (slows from {100 * limits.load_slow:.0f}, holds at '
            f'{100 * limits.load_hold:.0f})': _factor(load, limits.load_slow, limits.load_hold),
        }
        cause, factor = min(marks.items(), key=lambda mark: mark[1])
        before = self._factors.get(health.servo, 1.0)
        if before == 0.0 and factor < 1.0:
            factor = 0.0
        self._factors[health.servo], self._causes[health.servo] = factor, cause
        return _news(health.servo, before, factor, cause)

    @property
    def joints(self):
        """Six speed factors in 0..1, in the order of `features.JOINTS`."""
        return tuple(self._factors.get(joint, 1.0) for joint in JOINTS)

    @property
    def base(self):
        """The base's speed factor: its weakest wheel's."""
        return min((factor for servo, factor in self._factors.items() if servo not in JOINTS), default=1.0)

    @property
    def warnings(self):
        """One sentence for each servo that is slowed or held."""
        return [f'{servo} {"holds" if factor == 0 else f"runs at {100 * factor:.0f} % speed"}: {self._causes[servo]}'
                for servo, factor in self._factors.items() if factor < 1.0]

    def _mean_load(self, health, now):
        mean, then = self._loads.get(health.servo, (0.0, None))
        share = 0.0 if then is None else -math.expm1(-max(now - then, 0.0) / LOAD_SECONDS)
        mean += share * (abs(health.load) - mean)
        self._loads[health.servo] = mean, now
        return mean


def _factor(value, slow, stop):
    return min(max((stop - value) / (stop - slow), 0.0), 1.0)


def _news(servo, before, factor, cause):
    if factor == 0.0 and before > 0.0:
        return f'{servo} holds: {cause}'
    if factor < 1.0 and before == 1.0:
        return f'{servo} slows down: {cause}'
    if factor == 1.0 and before < 1.0:
        return f'{servo} has recovered: {cause}'
    return ''
