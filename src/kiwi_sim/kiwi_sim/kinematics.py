"""LeKiwi's wheel kinematics: body velocity to raw wheel speeds and back, as its driver does it.

Wheel i stands at angle alpha_i on a circle of radius B; its rim moves at
`v_i = x cos(alpha_i) + y sin(alpha_i) + B theta`, so that with M the 3x3 matrix of these rows
`omega = M v / R`. A raw speed is an integer in encoder ticks per second, 4096 to a turn.
"""

import numpy as np

WHEEL_RADIUS = 0.05  # m
BASE_RADIUS = 0.125  # m
WHEEL_ANGLES_DEG = np.array([240.0, 0.0, 120.0]) - 90.0
"""Mounting angles of the left, back and right wheel."""

TICKS_PER_TURN = 4096
TICKS_PER_DEG = TICKS_PER_TURN / 360.0
MAX_RAW = 3000
"""ticks/s: a command with a faster wheel is scaled down as a whole."""

_ANGLES = np.radians(WHEEL_ANGLES_DEG)
WHEELS_FROM_BODY = np.stack([np.cos(_ANGLES), np.sin(_ANGLES), np.full(3, BASE_RADIUS)], axis=1)
_BODY_FROM_WHEELS = np.linalg.inv(WHEELS_FROM_BODY)


def body_to_wheel_raw(velocity):
    """Raw wheel speeds that LeKiwi commands for a body velocity.

    Args:
        velocity: (3,) x in m/s, y in m/s, theta in deg/s.

    Returns:
        (3,) int64 ticks/s: left, back, right; none beyond `MAX_RAW`.
    """
    x, y, theta = velocity
    rim = WHEELS_FROM_BODY @ np.array([x, y, theta * (np.pi / 180.0)])  # (3,) m/s
    degps = rim / WHEEL_RADIUS * (180.0 / np.pi)
    fastest = np.abs(degps).max() * TICKS_PER_DEG
    if fastest > MAX_RAW:
        degps = degps * (MAX_RAW / fastest)
    return np.rint(degps * TICKS_PER_DEG).astype(np.int64)


def wheel_raw_to_body(raw):
    """Body velocity (3,) in m/s, m/s, deg/s that LeKiwi reads from raw wheel speeds (3,)."""
    rim = np.asarray(raw) / TICKS_PER_DEG * (np.pi / 180.0) * WHEEL_RADIUS
    velocity = _BODY_FROM_WHEELS @ rim
    velocity[2] *= 180.0 / np.pi
    return velocity


def wheel_speeds(velocity):
    """Wheel speeds (3,) in rad/s under a body velocity (3,) in m/s, m/s, rad/s."""
    return WHEELS_FROM_BODY @ velocity / WHEEL_RADIUS
