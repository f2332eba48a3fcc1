"""Supply voltage, current and temperature of servos under load."""

import numpy as np

SUPPLY = 12.0
"""V at rest: LeKiwi's battery."""
RESISTANCE = 0.15
"""ohm of battery and wiring."""
STALL_CURRENT = 2.7
"""A drawn at full load."""
IDLE_CURRENT = 0.006
AMBIENT = 25.0
"""degrees Celsius."""
STALL_HEATING = 60.0
"""K above ambient that continuous full load would lead to."""
TIME_CONSTANT = 300.0
"""s of the servos' heating."""
AMPERE_PER_COUNT = 0.0065


class ServoHealth:
    """First-order heating per servo and a common supply that sags with the total current."""

    def __init__(self, count):
        self._temperature = np.full(count, AMBIENT)
        self._seconds = None

    def update(self, readings):
        """Advance to the readings' time.

        Args:
            readings: ServoReadings.

        Returns:
            voltage in 0.1 V, temperature (n,) in degrees Celsius and current (n,) in counts of 6.5 mA.
        """
        load = np.abs(readings.load)
        elapsed = 0.0 if self._seconds is None else max(0.0, readings.seconds - self._seconds)
        self._seconds = readings.seconds
        settled = AMBIENT + STALL_HEATING * load ** 2
        self._temperature += (settled - self._temperature) * -np.expm1(-elapsed / TIME_CONSTANT)
        current = IDLE_CURRENT + load * STALL_CURRENT
        voltage = SUPPLY - RESISTANCE * current.sum()
        return int(np.rint(voltage * 10)), np.rint(self._temperature), np.rint(current / AMPERE_PER_COUNT)
