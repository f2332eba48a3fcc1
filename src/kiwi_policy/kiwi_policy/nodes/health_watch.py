"""Reads the servos' health beside the control loop, one servo now and then, and slows down what is hot or overloaded."""

import logging

from kiwi_policy.core.derating import Derating
from kiwi_policy.hardware.interface import HardwareError

logger = logging.getLogger(__name__)


class HealthWatch:
    """Works in the control thread, in what is left of a tick.

    Args:
        hardware: `Hardware`.
        operator: `core.operator.Operator`, told of the speed factors.
        every: ticks between two readings; 0 never reads.
        limits: `DeratingLimits`.
        tell: called with (level, text) when a servo slows down, holds or recovers.
    """

    def __init__(self, hardware, operator, every, limits, tell):
        self._hardware, self._operator, self._every, self._tell = hardware, operator, every, tell
        self._derating = Derating(limits)
        self._faults = {}
        self.readings = {}          # servo -> ServoHealth; replaced, never changed, so that others may read it
        self.errors = 0

    def tick(self, index, now):
        """Read the next servo's health where tick `index` (at `now` s) is one for it."""
        if not self._every or index % self._every:
            return
        try:
            health = self._hardware.next_health()
        except HardwareError as error:
            self.errors += 1
            logger.debug('%s', error)
            return
        if health is None:
            return
        self.readings = self.readings | {health.servo: health}
        news = self._derating.update(health, now)
        if news:
            self._tell('info' if 'recovered' in news else 'warning', news)
        if health.faults and health.faults != self._faults.get(health.servo):
            self._tell('warning', f'{health.servo} reports {", ".join(health.faults)}')
        self._faults[health.servo] = health.faults
        self._operator.derate(self._derating.joints, self._derating.base)

    @property
    def warnings(self):
        """What is wrong with the servos, a sentence each."""
        faulty = [f'{servo} reports {", ".join(health.faults)}' for servo, health in self.readings.items() if health.faults]
        return [*self._derating.warnings, *faulty]
