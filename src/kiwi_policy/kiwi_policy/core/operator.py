"""What an operator asks for between episodes: another speed, a slow move to a pose, torque off and on."""

import numpy as np

from kiwi_policy.core.features import DIM, POSITIONS
from kiwi_policy.core.limits import hold
from kiwi_policy.core.machine import ExecutorError
from kiwi_policy.core.pose_move import PoseMove, check_pose
from kiwi_policy.core.records import Command
from kiwi_policy.core.states import Source, State


class Operator:
    """Part of a `ChunkExecutor`.

    Args:
        limits: `Limits`.
        machine: the executor's `Machine`.
        limiter: its `Limiter`.
    """

    def __init__(self, limits, machine, limiter):
        self._limits, self._machine, self._limiter = limits, machine, limiter
        self._speed_scale, self._derated = limits.speed_scale, (1.0, 1.0)
        self._move = self._last = None

    def set_speed_scale(self, scale):
        """Run at this share of all greatest speeds, in (0, 1], from now on; else ValueError."""
        self._limiter.set_speed(scale, *self._derated)
        self._speed_scale = scale

    def derate(self, joints, base):
        """Slow down servos that need it: (6,) factors in 0..1 for the joints and one for the base."""
        self._derated = joints, base
        self._limiter.set_speed(self._speed_scale, *self._derated)

    def move_to(self, name, pose, speed, state, now):
        """Begin a slow move to a pose.

        Args:
            name: of the pose, for people.
            pose: (6,) in deg and percent.
            speed: greatest of any joint, deg/s and percent/s, before the speed scale.
            state: (9,) measured.
            now: s.

        Returns:
            s that it will take. The state is MOVING until then, unless a stop ends it or a joint is blocked.

        Raises:
            ExecutorError: the executor is not IDLE.
            ValueError: the pose or the measured state is not finite, or the pose outside the limits.
        """
        self._machine.require_idle(f'a move to the {name} pose')
        pose, state = check_pose(pose, self._limits.low, self._limits.high), finite_state(state)
        self._last = hold(state)
        self._move = PoseMove(state[POSITIONS], pose, speed * self._speed_scale, now)
        self._machine.enter(State.MOVING, f'moving to the {name} pose')
        return self._move.seconds

    def follow(self, now, state):
        """The `Command` of a move at the tick at `now` (s), given the measured state (9,)."""
        lag = self._move.blocked(self._last, state)
        if lag:
            self._machine.enter(State.STOPPED, f'{self._machine.reason} given up: {lag}')
            self._last = hold(self._last)
            return Command(self._last, Source.HOLD)
        wanted, arrived = self._move.command(now, self._last)
        self._last, clamped = self._limiter.clamp(wanted, self._last)
        if arrived and np.allclose(self._last, wanted):
            self._machine.enter(State.IDLE, self._machine.reason.replace('moving to', 'reached'))
        return Command(self._last, Source.POSE, clamped=clamped)

    def release(self):
        """The torque is off from now on: nothing is commanded. ExecutorError where the executor is not IDLE."""
        self._machine.require_idle('releasing the torque')
        self._machine.enter(State.LIMP, 'torque released')

    def engage(self):
        """The torque is on again. ExecutorError where the executor is not LIMP."""
        if self._machine.state is not State.LIMP:
            raise ExecutorError(f'the torque is on: the executor is {self._machine.state.name}')
        self._machine.enter(State.IDLE, 'torque engaged')


def finite_state(state):
    """A measured state as (9,) array; ValueError where it is not nine finite values."""
    state = np.asarray(state, dtype=float)
    if state.shape != (DIM,) or not np.all(np.isfinite(state)):
        raise ValueError(f'the measured state must be {DIM} finite values, got {state!r}')
    return state
