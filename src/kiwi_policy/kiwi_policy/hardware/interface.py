"""What the executor needs from a robot: a Protocol of nine methods and one error."""

from typing import Protocol, runtime_checkable

import numpy as np

from kiwi_policy.core.derating import ServoHealth


class HardwareError(RuntimeError):
    """The robot could not be reached, or refused what was asked of it.

    The message names the port, the servo or the value, and what to do.
    """


@runtime_checkable
class Hardware(Protocol):
    """A powered mobile manipulator with LeKiwi's nine values.

    Values are in the order of `kiwi_policy.core.features.NAMES` and in LeRobot's units: arm joints in
    degrees, gripper 0..100, base velocity in m/s, m/s, deg/s.

    No method blocks longer than a bounded time; all but `close` raise HardwareError when the robot
    does not answer.
    """

    limp: bool
    """True from `release` to `engage`, over lost connections too."""

    def connect(self) -> None:
        """Open the bus and put every servo under torque at its present position, base at rest; not where it is limp."""

    def read(self) -> np.ndarray:
        """Return the measured state, (9,) float64."""

    def write(self, action) -> None:
        """Command the goal positions and the base velocity.

        Args:
            action: (9,) finite values.

        Raises:
            HardwareError: a value is NaN or infinite, the shape is wrong, or the bus failed.
        """

    def hold(self) -> None:
        """Command the base to rest; the arm keeps its last goal under torque."""

    def release(self) -> None:
        """Take the torque off every servo; nothing is written from then on but by `engage`."""

    def engage(self) -> None:
        """Put every servo under torque at its present position, base at rest."""

    def next_health(self) -> ServoHealth | None:
        """Health of one servo, another at every call; None where this robot tells none."""

    def close(self) -> None:
        """Bring the base to rest, verify it, and close the bus with the torque left on.

        Safe to call more than once and on a half-open bus; never raises HardwareError.
        """
