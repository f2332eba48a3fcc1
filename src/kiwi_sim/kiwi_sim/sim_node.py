"""sim_node: the simulated LeKiwi as a process. Only this file, operator_port and sim_host know ROS.

Publishes camera/<name>/image_raw/compressed and sim/task_state, serves sim/reset, and prints the device
of the emulated servo bus. With operator:=expert the scripted expert takes over where the policy goes
wrong (takeover/command). Parameters: config/sim.yaml.
"""

import contextlib
import gc
import os
import signal
import sys
import threading
from types import SimpleNamespace

import rclpy
from builtin_interfaces.msg import Time
from geometry_msgs.msg import Point, Pose2D
from kiwi_msgs.msg import TaskState
from kiwi_msgs.srv import ResetWorld
from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CompressedImage

from kiwi_policy.core.parameters import ParameterError, help_text, refuse_unknown
from kiwi_sim.gl_backends import gl_backends
from kiwi_sim.port_link import default_port_link
from kiwi_sim.sim_parameters import TABLE

CAMERAS = ('front', 'wrist')
OVERVIEW = 'overview'
RESET_TIMEOUT = 5.0     # s
LOST_INTERVAL = 10.0    # s
_NEWEST = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT)
_STATE = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=5, reliability=ReliabilityPolicy.RELIABLE)


class SimNode(Node):
    """Topics and services around a `Simulation`.

    Args:
        backends: values of MUJOCO_GL that the camera process may try.
    """

    def __init__(self, backends):
        super().__init__('sim_node')
        options = _declare(self)
        self.fault = None
        self._publishers_by_camera = {}
        self._simulation = None
        self._simulation = self._build(options, backends)
        self._simulation.start()
        self._task_state = self.create_publisher(TaskState, 'sim/task_state', _STATE)
        self.create_service(ResetWorld, 'sim/reset', self._reset)
        steady = Clock(clock_type=ClockType.STEADY_TIME)        # a step of the system clock moves nothing
        self.create_timer(1.0 / options.task_state_rate, self._publish_task_state, clock=steady)
        self._operator = self._make_operator(options, steady) if options.operator == 'expert' else None
        self._spread = options.start_spread
        self._lost = 0.0
        self.create_timer(LOST_INTERVAL, self._report_lost, clock=steady)
        link = options.port_link or default_port_link()
        print(f'servo bus on {self._simulation.bus.path}, link {link}', flush=True)

    def destroy_node(self):
        """Stop the simulation, then the node."""
        if self._simulation is not None:
            self._simulation.stop()
        super().destroy_node()

    def _build(self, options, backends):
        from kiwi_sim.camera_wire import CameraSpec
        from kiwi_sim.simulation import CameraPlan, Simulation
        from kiwi_sim.wire_time import WireTime

        plans = []
        if options.camera_rate > 0:
            size = options.image_height, options.image_width
            plans += [CameraPlan(CameraSpec(name, *size), options.camera_rate) for name in CAMERAS]
        if options.overview_rate > 0:
            size = options.overview_height, options.overview_width
            plans.append(CameraPlan(CameraSpec(OVERVIEW, *size), options.overview_rate))
        for plan in plans:
            name = plan.spec.name
            self._publishers_by_camera[name] = self.create_publisher(
                CompressedImage, f'camera/{name}/image_raw/compressed', _NEWEST)
        wire = WireTime(latency=options.usb_latency, enabled=options.wire_time)
        return Simulation(
            plans, self._publish_frame, self._stop_on_fault, wire,
            options.port_link or default_port_link(), options.jpeg_quality, options.seed, backends,
            spread=options.start_spread)

    def _make_operator(self, options, clock):
        from kiwi_sim.expert_operator import Rules
        from kiwi_sim.operator_port import OperatorPort

        rules = Rules(options.operator_margin, options.operator_patience, options.operator_rate)
        return OperatorPort(self, self._simulation.world, clock, rules)

    def _publish_frame(self, camera, frame):
        message = CompressedImage(format='jpeg')
        message.header.stamp = _stamp(frame.stamp)
        message.header.frame_id = f'{camera}_camera'
        message.data = frame.jpeg
        self._publishers_by_camera[camera].publish(message)

    def _publish_task_state(self):
        simulation, world = self._simulation, self._simulation.world
        message = TaskState()
        with world.lock:
            state = world.task.state()
            base, cube, target = world.base_pose(), world.cube_position(), world.target_position()
            message.header.stamp = self.get_clock().now().to_msg()
            message.seed = world.seed
        message.seconds = float(state.seconds)
        message.success, message.post_hit, message.lifted = state.success, state.post_hit, state.lifted
        message.side = state.side
        message.base = Pose2D(x=float(base[0]), y=float(base[1]), theta=float(base[2]))
        message.cube = Point(x=float(cube[0]), y=float(cube[1]), z=float(cube[2]))
        message.target = Point(x=float(target[0]), y=float(target[1]))
        message.realtime_factor = float(simulation.realtime_factor())
        rates = simulation.camera_rates()
        message.camera_rate = float(min((rates[name] for name in CAMERAS if name in rates), default=0.0))
        self._task_state.publish(message)

    def _report_lost(self):
        lost = self._simulation.lost
        if lost > self._lost:
            self.get_logger().warning(f'the machine paused: the simulation lost {lost - self._lost:.1f} s against '
                                      f'the clock, {lost:.1f} s since its start')
            self._lost = lost

    def _reset(self, request, response):
        if self._operator is not None:
            self._operator.forget()
        response.success = self._simulation.reset(request.seed, RESET_TIMEOUT, CAMERAS, self._spread)
        if not response.success:
            response.message = (f'the world is reset, but no picture of it came within {RESET_TIMEOUT:.0f} s: '
                                'the machine is too busy')
        return response

    def _stop_on_fault(self, message):
        self.fault = message


def _stamp(nanoseconds):
    seconds, rest = divmod(nanoseconds, 10**9)
    return Time(sec=seconds, nanosec=rest)


def _declare(node):
    """Declare the parameters of TABLE read-only. Returns their values by name."""
    refuse_unknown([name for name in node._parameter_overrides if not node.has_parameter(name)], TABLE)
    values = SimpleNamespace()
    for parameter in TABLE:
        descriptor = ParameterDescriptor(
            description=parameter.description, additional_constraints=parameter.bounds(), read_only=True)
        if parameter.low is not None and isinstance(parameter.default, float):
            interval = FloatingPointRange(from_value=float(parameter.low), to_value=float(parameter.high))
            descriptor.floating_point_range = [interval]
        elif parameter.low is not None:
            descriptor.integer_range = [IntegerRange(from_value=parameter.low, to_value=parameter.high)]
        try:
            value = node.declare_parameter(parameter.name, parameter.default, descriptor).value
        except (InvalidParameterTypeException, InvalidParameterValueException) as error:
            raise ParameterError(
                f'parameter {parameter.name} must be like {parameter.default!r} [{parameter.bounds()}]: {error}'
            ) from error
        if value is None:  # rclpy takes an empty list for no value at all
            raise ParameterError(f'parameter {parameter.name} has no value, must be like {parameter.default!r}')
        setattr(values, parameter.name, parameter.check(value))
    return values


def main(args=None):
    """Run the node until SIGINT or SIGTERM. Returns the exit code."""
    if {'-h', '--help'} & set(sys.argv[1:] if args is None else args):
        print(help_text('kiwi_sim', 'sim_node', __doc__, TABLE))
        return 0
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    sys.setswitchinterval(5e-4)  # the bus thread must not wait 5 ms for the interpreter
    with contextlib.suppress(OSError):
        os.nice(-10)  # real servos answer however busy the computer is; needs a privilege, does without
    backends = gl_backends()
    os.environ['MUJOCO_GL'] = 'disable'  # this process renders nothing and needs no OpenGL
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except (RuntimeError, ValueError) as error:  # a parameter file that is none, unknown ROS arguments
        print(f'sim_node: error: {" ".join(str(error).partition(", at ")[0].split())}', file=sys.stderr, flush=True)
        return 1
    node, executor = None, SingleThreadedExecutor()
    try:
        node = SimNode(backends)
        gc.collect()
        gc.freeze()  # later collections, during which no servo answers, leave out what the start has loaded
        executor.add_node(node)
        while rclpy.ok() and not stop.is_set() and node.fault is None:
            executor.spin_once(timeout_sec=0.1)
        fault = node.fault
    except (OSError, RuntimeError, ValueError) as error:
        fault = error
    finally:
        executor.shutdown(timeout_sec=1.0)
        if node is not None:
            node.destroy_node()
        rclpy.try_shutdown()
    if fault is not None and not stop.is_set():
        print(f'sim_node: error: {fault}', file=sys.stderr, flush=True)
        return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
