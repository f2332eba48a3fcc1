"""Owns the robot and the control clock; runs action chunks. A managed node with autostart.

configure connects the robot, activate starts the control loop, deactivate brings the base to rest and
keeps the arm where it is, cleanup and shutdown close the bus. Torque is never released here.
"""

import signal
import sys
import time

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from kiwi_msgs.msg import ActionChunk, ChunkRequest, ExecutedAction, ExecutorStatus, PolicyInfo
from kiwi_msgs.srv import BeginEpisode, EndEpisode
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from sensor_msgs.msg import JointState

from kiwi_policy.core.parameters import ParameterError, help_text
from kiwi_policy.hardware.interface import HardwareError
from kiwi_policy.nodes import conversions, process, qos, realtime
from kiwi_policy.nodes.description import publish_description
from kiwi_policy.nodes.executor_diagnostics import diagnostics
from kiwi_policy.nodes.executor_parameters import TABLE, derating_limits, executor_config, poses
from kiwi_policy.nodes.executor_session import ExecutorSession
from kiwi_policy.nodes.operator_ports import OperatorPorts
from kiwi_policy.nodes.parameters import declare
from kiwi_policy.nodes.timers import every

NAME = 'chunk_executor_node'
INACTIVE = f'{NAME} is not active: configure and activate it first'
SWITCH_INTERVAL = 2e-4      # s that the control thread waits at most for another's Python code


def lekiwi(parameters):
    """The `Hardware` that the parameters name."""
    if parameters.robot == 'lekiwi_client':
        from kiwi_policy.hardware.lekiwi_client import LeKiwiClientHardware

        return LeKiwiClientHardware(parameters.bridge_socket, parameters.stale_after)
    from kiwi_policy.hardware.lekiwi import LeKiwiHardware

    return LeKiwiHardware(parameters.robot_port, parameters.calibration, parameters.read_retries,
                          parameters.reply_timeout, parameters.guardian_timeout)


class ChunkExecutorNode(LifecycleNode):
    """ROS shell of `ExecutorSession`.

    Args:
        make_hardware: makes the `Hardware` from the declared parameters.
    """

    def __init__(self, make_hardware=lekiwi):
        super().__init__(NAME)
        self.parameters = declare(self, TABLE)
        self.config = executor_config(self.parameters)
        poses(self.parameters), derating_limits(self.parameters)
        self._make_hardware = make_hardware
        self._hardware = self._session = self._info = None
        self.failure = ''

        self._joints = self.create_publisher(JointState, 'joint_states', qos.STATE)
        self._base = self.create_publisher(TwistStamped, 'base_velocity', qos.STATE)
        self._actions = self.create_publisher(ExecutedAction, 'executor/action', qos.ACTION)
        self._statuses = self.create_publisher(ExecutorStatus, 'executor/status', qos.STATUS)
        self._requests = self.create_publisher(ChunkRequest, 'chunk_request', qos.REQUEST)
        self._diagnostics = self.create_publisher(DiagnosticArray, 'diagnostics', qos.STATUS)
        if self.parameters.publish_description:
            publish_description(self)
        self.create_subscription(ActionChunk, 'action_chunk', self._on_chunk, qos.CHUNK)
        self.create_subscription(PolicyInfo, 'policy_info', self._on_policy, qos.LATCHED)
        OperatorPorts(self, lambda: self._session, TABLE, INACTIVE)
        self.create_service(BeginEpisode, 'executor/begin_episode', self._on_begin)
        self.create_service(EndEpisode, 'executor/end_episode', self._on_end)
        every(self, 0.2, self._log_news)
        every(self, 1.0, self._publish_diagnostics)

    # Lifecycle.

    def on_configure(self, _state):
        """Connect the robot."""
        try:
            self._hardware = self._make_hardware(self.parameters)
            self._hardware.connect()
        except (HardwareError, ValueError) as error:
            self.failure = str(error)
            self._teardown()
            return TransitionCallbackReturn.FAILURE
        return TransitionCallbackReturn.SUCCESS

    def on_activate(self, state):
        """Start the control loop, in IDLE."""
        process.settle_memory()
        try:
            self._session = ExecutorSession(self.config, self._hardware, self.parameters,
                                            self.get_clock().now().nanoseconds, self._on_tick)
        except Exception as error:
            self.failure = f'{type(error).__name__}: {error}'     # rclpy drops what is raised here
            return TransitionCallbackReturn.FAILURE
        self._session.loop.start()
        self._session.set_speed_scale(self.get_parameter('speed_scale').value)
        if self._info is not None:
            self._session.set_policy(self._info)
        return super().on_activate(state)

    def on_deactivate(self, state):
        """End the control loop: base at rest, arm held."""
        self._end_session()
        self.get_logger().warning('deactivated: base at rest, arm held under torque')
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

    def halt(self):
        """End the control loop at once: base at rest, arm held."""
        if self._session is not None:
            self._session.loop.stop()

    def rest(self):
        """Base at rest, arm held, bus closed: from any state, half-built ones too."""
        self._teardown()

    def check_alive(self):
        """Raise RuntimeError where the control thread died by itself."""
        if self._session is not None and not self._session.loop.running:
            raise RuntimeError(f'the control loop ended by itself: {self._session.loop.crash}')

    # Control thread.

    def _on_tick(self, session, tick):
        if tick.measured is not None:
            joints, base = conversions.state_messages(tick.stamp, tick.measured)
            self._joints.publish(joints)
            self._base.publish(base)
        status = session.note(tick)
        if tick.request is not None:
            self._requests.publish(
                conversions.request_message(tick.request, tick.stamp, session.task, self.config.names))
        self._actions.publish(session.action_message(tick))
        if status is not None:
            self._statuses.publish(status)

    # Callbacks, in the spinning thread.

    def _on_chunk(self, message):
        if self._session is not None:
            self._session.add(message)

    def _on_policy(self, message):
        self._info = message
        if self._session is not None:
            self._session.set_policy(message)

    def _on_begin(self, request, response):
        if self._session is None:
            response.message = INACTIVE
            return response
        if not self.count_publishers('action_chunk'):
            self._info = None
        response.success, response.message = self._session.begin(request.episode_id, request.task, self._info)
        return response

    def _on_end(self, request, response):
        if self._session is None:
            response.message = INACTIVE
            return response
        response.success, response.message, status = self._session.end(request.reason)
        if status is not None:
            response.status = status
        return response

    def _log_news(self):
        for level, text in self._session.board.take_news() if self._session else ():
            if level == 'error':            # rclpy ties a level to a line of code
                self.get_logger().error(text)
            elif level == 'warning':
                self.get_logger().warning(text)
            else:
                self.get_logger().info(text)

    def _publish_diagnostics(self):
        if self._session is not None:
            stamp = self.get_clock().now().to_msg()
            self._diagnostics.publish(diagnostics(self._session, stamp))

    def _end_session(self):
        if self._session is not None and not self._session.loop.stop():
            self.get_logger().error('the control thread did not end: the bus may be stuck')
        self._session = None

    def _teardown(self):
        self._end_session()
        hardware, self._hardware = self._hardware, None
        if hardware is not None:
            hardware.close()


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
        raise HardwareError(f'could not activate: {node.failure or "see the log"}')
    p = node.parameters
    where = p.bridge_socket if p.robot == 'lekiwi_client' else p.robot_port
    node.get_logger().info(f'robot on {where}, {node.config.mode}, {p.rate:g} Hz')


def main(args=None, make_hardware=lekiwi):
    """Run the node; returns the exit code."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    interrupt = process.start(args, help_text('kiwi_policy', NAME, __doc__, TABLE))
    node = None
    try:
        node = ChunkExecutorNode(make_hardware)
        if node.parameters.priority:
            realtime.prefer_process(node.parameters.priority)     # the guardian inherits it
            realtime.lock_memory()
        if node.parameters.autostart:
            autostart(node, interrupt)
        every(node, 0.5, node.check_alive)
        process.spin(node, interrupt.is_set, at_end=node.halt, poll=0.05)
        if interrupt.is_set():
            name = signal.Signals(interrupt.number).name
            node.get_logger().info(f'ends on {name}: base at rest, arm held under torque')
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
