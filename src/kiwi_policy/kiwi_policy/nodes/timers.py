"""Timers that a step of the system clock neither delays nor hurries."""

from rclpy.clock import Clock
from rclpy.clock_type import ClockType


def every(node, seconds, callback):
    """Call `callback` every `seconds` s of the monotonic clock; a node's own timers follow the system clock."""
    return node.create_timer(seconds, callback, clock=Clock(clock_type=ClockType.STEADY_TIME))
