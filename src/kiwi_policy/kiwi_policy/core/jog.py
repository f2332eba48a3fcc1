"""Driving by keys of a terminal, which only ever says that a key was pressed, again and again while it is held.

    base   w s forwards, back    a d left, right    z x turn left, right
    arm    t g shoulder_pan      y h shoulder_lift  u j elbow_flex   i k wrist_flex   o l wrist_roll
    hand   n m close, open       v hold still       space hands back

Any key but space is the dead-man: it is held for `hold` s after the last press, longer than a terminal waits before it
repeats a key. A motion lasts `motion` s after a press, so that it stops soon after the key is let go.
"""

from dataclasses import dataclass

import numpy as np

from kiwi_policy.core.features import BASE, DIM, POSITIONS

RELEASE, STILL = ' ', 'v'
_BASE_KEYS = {'w': (0, 1), 's': (0, -1), 'a': (1, 1), 'd': (1, -1), 'z': (2, 1), 'x': (2, -1)}
_JOINT_KEYS = {'t': (0, 1), 'g': (0, -1), 'y': (1, 1), 'h': (1, -1), 'u': (2, 1), 'j': (2, -1), 'i': (3, 1), 'k': (3, -1),
               'o': (4, 1), 'l': (4, -1), 'n': (5, -1), 'm': (5, 1)}
KEYS = frozenset({*_BASE_KEYS, *_JOINT_KEYS, STILL})
"""Keys that hold the dead-man."""


@dataclass(frozen=True)
class JogSpeeds:
    """How fast keys drive.

    Attributes:
        joint: deg/s.
        gripper: percent/s.
        base: m/s.
        turn: deg/s.
        hold: s that the dead-man is held after a press.
        motion: s that a motion lasts after a press.
    """

    joint: float = 30.0
    gripper: float = 60.0
    base: float = 0.12
    turn: float = 40.0
    hold: float = 0.7
    motion: float = 0.15


class Jog:
    """What the keys ask for.

    Args:
        speeds: `JogSpeeds`.
        low, high: (6,) ends of the positions in deg and percent, beyond which keys do not go.

    Attributes:
        values: (9,) where the operator wants the robot, None while nobody drives.
    """

    def __init__(self, speeds, low, high):
        self._speeds, self._low, self._high = speeds, np.asarray(low, float), np.asarray(high, float)
        self._pressed = {}              # key -> s of its last press
        self._held_at = None
        self.values = None

    def press(self, key, now):
        """A key was pressed at `now` (s). Returns False for one without a meaning."""
        key = key.lower()
        if key == RELEASE:
            self.release()
            return True
        if key not in KEYS:
            return False
        self._held_at = self._pressed[key] = now
        return True

    def release(self):
        """Let go of the dead-man at once."""
        self._held_at, self.values = None, None
        self._pressed.clear()

    def held(self, now):
        """Whether the dead-man is held at `now` (s)."""
        return self._held_at is not None and now - self._held_at <= self._speeds.hold

    def step(self, positions, period, now):
        """The values (9,) to send at `now` (s), None where the dead-man is not held.

        Args:
            positions: (6,) measured in deg and percent: where driving begins.
            period: s since the last step.
        """
        if not self.held(now):
            self.release()
            return None
        if self.values is None:
            self.values = np.append(np.asarray(positions, float), np.zeros(3))
        speeds = self._speeds
        velocity = np.zeros(DIM)
        for keys, first, scale in ((_JOINT_KEYS, 0, [speeds.joint] * 5 + [speeds.gripper]),
                                   (_BASE_KEYS, 6, [speeds.base, speeds.base, speeds.turn])):
            for key, (index, sign) in keys.items():
                if now - self._pressed.get(key, -np.inf) <= speeds.motion:
                    velocity[first + index] += sign * scale[index]
        self.values[POSITIONS] = np.clip(self.values[POSITIONS] + velocity[POSITIONS] * period, self._low, self._high)
        self.values[BASE] = velocity[BASE]
        return self.values.copy()


class Approach:
    """The arm's way to where the operator's leader arm is held, which is rarely where the robot's arm is.

    Args:
        speed: deg/s and percent/s up to the meeting.

    Attributes:
        gap: greatest distance of a joint from the leader, deg or percent, at the last step.
        met: the arm has met the leader and follows it.
    """

    def __init__(self, speed):
        self._speed = speed
        self.begin(None)

    def begin(self, positions):
        """Begin at the measured positions (6,)."""
        self._at = None if positions is None else np.array(positions, float)
        self.gap, self.met = 0.0, False

    def step(self, leader, period):
        """(6,) positions to command, given the leader's (6,), `period` s after the last step."""
        leader = np.asarray(leader, float)
        way = leader - self._at
        self.gap = float(np.abs(way).max())
        reach = self._speed * period
        self.met = self.met or self.gap <= reach
        self._at = leader if self.met else self._at + way * (reach / self.gap)
        return self._at.copy()
