"""The executor while its node is active: core, control loop and clock, asked from any thread."""

import logging
import math
import time
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout

import numpy as np

from kiwi_policy.core.executor import ExecutorError, State
from kiwi_policy.core.feasibility import Infeasible
from kiwi_policy.core.features import ARM, JOINTS
from kiwi_policy.core.journal import JournalledExecutor
from kiwi_policy.hardware.interface import HardwareError
from kiwi_policy.nodes import conversions
from kiwi_policy.nodes.control_loop import ControlLoop
from kiwi_policy.nodes.executor_parameters import derating_limits, poses
from kiwi_policy.nodes.health_watch import HealthWatch
from kiwi_policy.nodes.policy_check import check_policy
from kiwi_policy.nodes.status_board import StatusBoard
from kiwi_policy.nodes.takeover_inbox import TakeoverInbox
from kiwi_policy.nodes.ticks import TickClock

logger = logging.getLogger(__name__)

ANSWER_TIMEOUT = 1.0
SILENT = 'the robot has not answered: is it powered and connected?'


class ExecutorSession:
    """From activation to deactivation.

    Args:
        config: `ExecutorConfig`.
        hardware: connected `Hardware`.
        parameters: declared values of executor_parameters.TABLE.
        stamp: ns, the present ROS time.
        on_tick: called with (session, `Tick`) in the control thread.
    """

    def __init__(self, config, hardware, parameters, stamp, on_tick):
        self.config = config
        self.task = ''
        self.board = StatusBoard(round(parameters.rate / parameters.status_rate))
        self._core = JournalledExecutor(config, parameters.takeover_timeout, parameters.blind_timeout)
        self._hardware, self._parameters, self._poses = hardware, parameters, poses(parameters)
        self.health = HealthWatch(hardware, self._core.operator, ticks_between(parameters.rate, parameters.health_rate),
                                  derating_limits(parameters), self.board.tell)
        if hardware.limp:
            self._core.operator.release()
        self._ticks = TickClock(config.period, time.monotonic() + config.period, stamp)
        self.loop = ControlLoop(self._core, hardware, self._ticks, lambda tick: on_tick(self, tick),
                                parameters.bus_timeout, parameters.reconnect_interval, self.health.tick,
                                self.board.tell)
        self.takeover = TakeoverInbox(self.loop.submit, self._core.takeover, self.board.tell)

    def note(self, tick):
        """Keep the board; returns the ExecutorStatus message to publish, None where it is not due."""
        status = self.board.on_tick(tick, self._core)
        return None if status is None else self._status_message(status, tick.stamp)

    def action_message(self, tick):
        """ExecutedAction of the newest tick; in the control thread."""
        return conversions.action_message(tick, self.board.episode_id, self.config.names, self._core.told)

    def set_policy(self, info):
        """Tell the executor what the policy is (PolicyInfo message)."""
        traits = conversions.traits_of(info)
        self.loop.submit(lambda _now, _measured: self._core.set_policy(traits))

    def add(self, message):
        """Hand over an ActionChunk message."""
        stamp = self._ticks.to_monotonic(conversions.to_nanoseconds(message.header.stamp))
        chunk = conversions.chunk_of(message, stamp)
        self.loop.submit(lambda now, _measured: self.board.on_verdict(self._core.add(chunk, now)))

    def begin(self, episode_id, task, info):
        """Begin an episode for the policy of a PolicyInfo message; returns (success, message)."""
        def begin(now, measured):
            check_policy(info, self.config)
            try:
                warning = self._core.check_feasible()
            except Infeasible:
                self._core.forget_latency()     # the next attempt rests on what the policy measures by then
                raise
            if measured is None:
                raise ExecutorError(SILENT)
            self._core.begin(episode_id, measured, now)
            if warning:
                self.board.tell('warning', warning)
            self.loop.clear_timing()
            self.board.renew()
            self.task = task

        until = time.monotonic() + ANSWER_TIMEOUT
        while True:                 # one lost reply is no reason to refuse: the next tick may bring one
            success, message = self._ask(begin, f'episode {episode_id!r} begun')
            if message != SILENT or time.monotonic() >= until:
                return success, message

    def end(self, reason):
        """End the episode; returns (success, message, final ExecutorStatus message or None)."""
        final = []

        def end(now, _measured):
            final.append((self._core.status(now), self.board.stamp))
            self._core.end(reason or 'episode ended')

        success, message = self._ask(end, 'episode ended')
        return success, message, self._status_message(*final[0]) if final else None

    def halt(self):
        """Latched stop; returns (success, message)."""
        return self._ask(lambda _now, _measured: self._core.stop('executor/stop was called'),
                         'stopped: base at rest, arm held, until executor/reset')

    def reset(self):
        """Leave a latched stop or fault; returns (success, message)."""
        def reset(_now, _measured):
            if not self.loop.connected:
                raise ExecutorError(f'the robot does not answer: {self.loop.last_error}')
            if not self._core.reset():
                raise ExecutorError(f'nothing to reset: the executor is {self._core.state.name}')

        return self._ask(reset, 'reset to IDLE')

    def set_speed_scale(self, scale):
        """Run at this share of all speeds; returns (success, message)."""
        return self._ask(lambda _now, _measured: self._core.operator.set_speed_scale(scale), f'speed scale {scale:g}')

    def move_to(self, name):
        """Begin a slow move to the 'start' or 'rest' pose; returns (success, message)."""
        seconds = []

        def move(now, measured):
            if measured is None:
                raise ExecutorError(SILENT)
            seconds.append(self._core.operator.move_to(name, self._poses[name], self._parameters.pose_speed, measured, now))

        success, message = self._ask(move, '')
        return success, f'moving to the {name} pose, {seconds[0]:.1f} s' if success else message

    def release(self):
        """Take the torque off, near the rest pose only; returns (success, message)."""
        def release(_now, measured):
            if measured is None:
                raise ExecutorError(SILENT)
            away = np.abs(measured[ARM] - self._poses['rest'][ARM])
            worst = int(np.argmax(away))
            if away[worst] > self._parameters.release_tolerance:
                raise ExecutorError(f'the arm would fall: {JOINTS[worst]} is {away[worst]:.0f} deg from the rest pose, '
                                    f'{self._parameters.release_tolerance:g} are allowed; move to rest first')
            self._core.operator.release()
            try:
                self._hardware.release()
            except HardwareError:
                if not self._hardware.limp:         # nothing was released
                    self._core.operator.engage()
                raise

        return self._ask(release, 'torque released, until executor/engage_torque')

    def engage(self):
        """Put the torque on again where the arm is; returns (success, message)."""
        def engage(_now, measured):
            if measured is None:
                raise ExecutorError(SILENT)
            if self._core.state is State.LIMP:
                self._hardware.engage()
            self._core.operator.engage()

        return self._ask(engage, 'torque engaged')

    def _ask(self, function, done):
        try:
            self.loop.submit(function).result(ANSWER_TIMEOUT)
        except (ExecutorError, HardwareError, ValueError) as error:
            return False, str(error)
        except (FutureTimeout, CancelledError):
            return False, f'the control loop did not answer within {ANSWER_TIMEOUT:.1f} s'
        except Exception as error:
            logger.exception('the control loop could not do what was asked')
            return False, f'{type(error).__name__}: {error}'
        return True, done

    def _status_message(self, status, stamp):
        return conversions.status_message(status, stamp, self.loop.jitter.percentile(99),
                                          self.loop.cycle.percentile(95))


def ticks_between(rate, often):
    """Ticks at `rate` Hz between events that happen `often` Hz at most; 0 for never."""
    return math.ceil(rate / often) if often > 0 else 0
