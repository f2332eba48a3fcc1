"""Owns the robot and the control clock; runs action chunks. A managed node with autostart.

configure connects the robot, activate starts the control loop, deactivate brings the base to rest and
keeps the arm where it is, cleanup and shutdown close the bus. Torque is never released here.
"""

import sys
import time
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from kiwi_msgs.msg import ActionChunk, ChunkRequest, ExecutedAction, ExecutorStatus, PolicyInfo
from kiwi_msgs.srv import BeginEpisode, EndEpisode
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from sensor_msgs.msg import JointState
from std_srvs.srv import Trigger

from kiwi_policy.core.executor import ChunkExecutor, ExecutorError
from kiwi_policy.hardware.interface import HardwareError
from kiwi_policy.nodes import conversions, process, qos
from kiwi_policy.nodes.control_loop import ControlLoop
from kiwi_policy.nodes.executor_diagnostics import diagnostics
from kiwi_policy.nodes.executor_parameters import TABLE, executor_config
from kiwi_policy.nodes.parameters import ParameterError, declare
from kiwi_policy.nodes.policy_check import check_policy
from kiwi_policy.nodes.status_board import StatusBoard
from kiwi_policy.nodes.ticks import TickClock

NAME = 'chunk_executor_node'
ANSWER_TIMEOUT = 1.0


def lekiwi(parameters):
    """The `Hardware` that the parameters name."""
    from kiwi_policy.hardware.lekiwi import LeKiwiHardware

    return LeKiwiHardware(parameters.robot_port, parameters.calibration, reply_timeout=parameters.reply_timeout)


class ChunkExecutorNode(LifecycleNode):
    """ROS shell of `ChunkExecutor` and `ControlLoop`.

    Args:
        make_hardware: makes the `Hardware` from the declared parameters.
    """

    def __init__(self, make_hardware=lekiwi):
        super().__init__(NAME)
        self.parameters = declare(self, TABLE)
        self.config = executor_config(self.parameters)
        self._make_hardware = make_hardware
        self._hardware = self._loop = self._core = self._ticks = None
        self._board = StatusBoard(round(self.parameters.rate / self.parameters.status_rate))
        self._info, self._task = None, ''
        self.failure = ''

        self._joints = self.create_publisher(JointState, 'joint_states', qos.STATE)
        self._base = self.create_publisher(TwistStamped, 'base_velocity', qos.STATE)
        self._actions = self.create_publisher(ExecutedAction, 'executor/action', qos.ACTION)
        self._statuses = self.create_publisher(ExecutorStatus, 'executor/status', qos.STATUS)
        self._requests = self.create_publisher(ChunkRequest, 'chunk_request', qos.REQUEST)
        self._diagnostics = self.create_publisher(DiagnosticArray, 'diagnostics', qos.STATUS)
        self.create_subscription(ActionChunk, 'action_chunk', self._on_chunk, qos.CHUNK)
        self.create_subscription(PolicyInfo, 'policy_info', self._on_policy, qos.LATCHED)
        self.create_service(Trigger, 'executor/stop', self._on_stop)
        self.create_service(Trigger, 'executor/reset', self._on_reset)
        self.create_service(BeginEpisode, 'executor/begin_episode', self._on_begin)
        self.create_service(EndEpisode, 'executor/end_episode', self._on_end)
        self.create_timer(0.2, self._log_changes)
        self.create_timer(1.0, self._publish_diagnostics)

    # Lifecycle.

    def on_configure(self, _state):
        """Connect the robot."""
        try:
            self._hardware = self._make_hardware(self.parameters)
            self._hardware.connect()
        except (HardwareError, ValueError) as error:
            self.failure = str(error)
            self._close_hardware()
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state):
        """Start the control loop, in IDLE."""
        self._core = ChunkExecutor(self.config)
        if self._info is not None:
            self._core.set_policy(conversions.traits_of(self._info))
        self._ticks = TickClock(self.config.period, time.monotonic() + self.config.period,
                                self.get_clock().now().nanoseconds)
        self._loop = ControlLoop(self._core, self._hardware, self._ticks, self._on_tick,
                                 self.parameters.bus_timeout, self.parameters.reconnect_interval)
        self._loop.start()
        return super().on_activate(state)

    def on_deactivate(self, state):
        """End the control loop: base at rest, arm held."""
        self._stop_loop()
        return super().on_deactivate(state)

    def on_cleanup(self, _state):
        """Close the bus, torque on."""
        self._teardown()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, _state):
        """As cleanup, from any state."""
        self._teardown()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, _state):
        """As cleanup, after a transition that raised."""
        self._teardown()
        return TransitionCallbackReturn.SUCCESS

    def rest(self):
        """Base at rest, arm held, bus closed: from any state, half-built ones too."""
        self._teardown()

    def check_alive(self):
        """Raise RuntimeError where the control thread died by itself."""
        if self._loop is not None and not self._loop.running:
            raise RuntimeError(f'the control loop ended by itself: {self._loop.crash or "see the log"}')

    # Control thread.

    def _on_tick(self, tick):
        if tick.measured is not None:
            joints, base = conversions.state_messages(tick.stamp, tick.measured)
            self._joints.publish(joints)
            self._base.publish(base)
        status = self._board.on_tick(tick, self._core)
        self._actions.publish(conversions.action_message(tick, self._board.episode_id, self.config.names))
        if tick.request is not None:
            self._requests.publish(
                conversions.request_message(tick.request, tick.stamp, self._task, self.config.names))
        if status is not None:
            self._statuses.publish(self._status_message(status, tick.stamp))

    def _status_message(self, status, stamp):
        return conversions.status_message(status, stamp, self._loop.jitter.percentile(99),
                                          self._loop.cycle.percentile(95))

    # Callbacks, in the spinning thread.

    def _on_chunk(self, message):
        if self._loop is None:
            return
        stamp = self._ticks.to_monotonic(conversions.to_nanoseconds(message.header.stamp))
        chunk = conversions.chunk_of(message, stamp)
        self._loop.submit(lambda now, _measured: self._board.on_verdict(self._core.add(chunk, now)))

    def _on_policy(self, message):
        self._info = message
        if self._loop is not None:
            traits = conversions.traits_of(message)
            self._loop.submit(lambda _now, _measured: self._core.set_policy(traits))

    def _on_begin(self, request, response):
        if self._info is not None and not self.count_publishers('action_chunk'):
            self._info = None

        def begin(now, measured):
            check_policy(self._info, self.config)
            self._core.check_feasible()
            if measured is None:
                raise ExecutorError('the robot has not answered yet')
            self._core.begin(request.episode_id, measured, now)
            self._loop.jitter.clear()
            self._loop.cycle.clear()
            self._board.renew()
            self._task = request.task

        response.success, response.message = self._ask(begin, f'episode {request.episode_id!r} begun')
        return response

    def _on_end(self, request, response):
        final = []

        def end(now, _measured):
            final.append((self._core.status(now), self._board.stamp))
            self._core.end(request.reason or 'episode ended')

        response.success, response.message = self._ask(end, 'episode ended')
        if final:
            response.status = self._status_message(*final[0])
        return response

    def _on_stop(self, _request, response):
        response.success, response.message = self._ask(
            lambda _now, _measured: self._core.stop('executor/stop was called'),
            'stopped: base at rest, arm held, until executor/reset')
        return response

    def _on_reset(self, _request, response):
        def reset(_now, _measured):
            if not self._loop.connected:
                raise ExecutorError(f'the robot does not answer: {self._loop.last_error}')
            if not self._core.reset():
                raise ExecutorError(f'nothing to reset: the executor is {self._core.state.name}')

        response.success, response.message = self._ask(reset, 'reset to IDLE')
        return response

    def _ask(self, function, done):
        """Run `function` in the control thread; returns (success, message)."""
        if self._loop is None or not self._loop.running:
            return False, f'{NAME} is not active: configure and activate it first'
        try:
            self._loop.submit(function).result(ANSWER_TIMEOUT)
        except (ExecutorError, ValueError) as error:
            return False, str(error)
        except (FutureTimeout, CancelledError):
            return False, f'the control loop did not answer within {ANSWER_TIMEOUT:.1f} s'
        return True, done

    def _log_changes(self):
        for level, text in self._board.take_news():
            if level == 'error':            # rclpy ties a level to a line of code
                self.get_logger().error(text)
            elif level == 'warning':
                self.get_logger().warning(text)
            else:
                self.get_logger().info(text)

    def _publish_diagnostics(self):
        if self._loop is not None:
            self._diagnostics.publish(diagnostics(self._board, self._loop, self.get_clock().now().to_msg()))

    def _stop_loop(self):
        if self._loop is not None and not self._loop.stop():
            self.get_logger().error('the control thread did not end: the bus may be stuck')
        self._loop = None

    def _close_hardware(self):
        hardware, self._hardware = self._hardware, None
        if hardware is not None:
            hardware.close()

    def _teardown(self):
        self._stop_loop()
        self._close_hardware()


def autostart(node, interrupt):
    """Configure, as often as connect_timeout allows, and activate. Raises HardwareError."""
    deadline = time.monotonic() + node.parameters.connect_timeout
    told = ''
    while node.trigger_configure() is not TransitionCallbackReturn.SUCCESS:
        if interrupt.is_set():
            return
        if time.monotonic() >= deadline:
            raise HardwareError(f'{node.failure} (tried for {node.parameters.connect_timeout:.0f} s)')
        if node.failure != told:
            told = node.failure
            node.get_logger().info(f'waiting for the robot: {told}')
        interrupt.wait(0.5)
    if node.trigger_activate() is not TransitionCallbackReturn.SUCCESS:
        raise HardwareError('could not activate: see the log')
    node.get_logger().info(f'robot on {node.parameters.robot_port}, {node.config.mode}, '
                           f'{node.parameters.rate:g} Hz')


def main(args=None, make_hardware=lekiwi):
    """Run the node; returns the exit code."""
    sys.setswitchinterval(0.001)
    interrupt = process.start(args)
    node = None
    try:
        node = ChunkExecutorNode(make_hardware)
        if node.parameters.autostart:
            autostart(node, interrupt)
        node.create_timer(0.5, node.check_alive)
        process.spin(node, interrupt.is_set)
        return 0
    except ParameterError as error:
        return process.fail(NAME, error, process.MISCONFIGURED)
    except (HardwareError, RuntimeError) as error:
        return process.fail(NAME, error)
    finally:
        if node is not None:
            node.rest()
        process.finish(node)


if __name__ == '__main__':
    sys.exit(main())
