"""Parameters of chunk_executor_node and the `ExecutorConfig` they make."""

import math

from kiwi_policy.core.config import DECAYS, FAVORS, MODES, ExecutorConfig
from kiwi_policy.core.derating import DeratingLimits
from kiwi_policy.core.dimensions import BlendRules
from kiwi_policy.core.features import RATE_HZ
from kiwi_policy.core.limits import Limits
from kiwi_policy.core.parameters import Parameter as P
from kiwi_policy.core.parameters import ParameterError
from kiwi_policy.core.pose_move import check_pose
from kiwi_policy.core.takeover import TIMEOUT

_C, _L, _B, _D = ExecutorConfig(), Limits(), BlendRules(), DeratingLimits()


def _rounded(values):
    return [round(value, 2) for value in values]


TABLE = (
    P('autostart', True, 'Configure and activate at start; without it a lifecycle manager does.'),
    P('robot', 'lekiwi', 'lekiwi drives the servo bus on robot_port; lekiwi_client a robot whose computer runs '
      'LeRobot\'s lekiwi_host, through lekiwi_bridge_node.', choices=('lekiwi', 'lekiwi_client')),
    P('robot_port', '', 'Serial device of the servo bus, or a link to one.'),
    P('calibration', '', 'LeRobot calibration file of this robot, <folder>/<id>.json.'),
    P('bridge_socket', '', 'Path of the socket of lekiwi_bridge_node; for lekiwi_client.'),
    P('stale_after', 0.25, 'Age from which a state of lekiwi_client counts as no answer.', 's', 0.05, 5.0),
    P('connect_timeout', 30.0, 'How long autostart keeps trying to reach the robot.', 's', 0.0, 3600.0),
    P('rate', RATE_HZ, 'Control rate; the rate of the dataset the policy was trained on.', 'Hz', 1.0, 200.0),
    P('reply_timeout', 0.02, 'How long to wait for a servo\'s reply. A tick without one goes on with the last state.',
      's', 0.005, 1.0),
    P('read_retries', 0, 'Extra attempts for a read that fails, at the expense of the control rate.', 'attempts', 0, 5),
    P('bus_timeout', 0.5, 'Silence of the robot after which the executor is at fault.', 's', 0.03, 5.0),
    P('blind_timeout', 0.15, 'Silence of the robot after which the base rests until it answers; the arm goes on.', 's',
      0.03, 5.0),
    P('reconnect_interval', 0.05, 'Time between attempts to reach a lost robot again: its wheels may still turn.',
      's', 0.02, 60.0),
    P('guardian_timeout', 0.2, 'Silence of this node, the wheels turning, after which its guardian kills it and stops '
      'them; 0 runs without a guardian.', 's', 0.0, 1.0),
    P('mode', _C.mode, 'sync runs n_action_steps, holds and asks again; latest lets the newest chunk take over; '
      'ensemble averages all live chunks.', choices=MODES),
    P('n_action_steps', 0, 'Rows to run per chunk in sync; 0 takes the policy\'s.', 'rows', 0, 10000),
    P('replan_interval', 0.0, 'Time between requests in latest; 0 is a quarter of a chunk.', 's', 0.0, 60.0),
    P('ensemble_interval', 0.0, 'Time between requests in ensemble; 0 is an eighth of a chunk.', 's', 0.0, 60.0),
    P('ensemble_coeff', _C.ensemble_coeff, 'm of the weights exp(-m * i).', low=0.0, high=100.0),
    P('favor', _C.favor, 'Whether i counts from the newest prediction (m says how fast old ones fade) or from the '
      'oldest (the ACT paper\'s and LeRobot\'s convention).', choices=FAVORS),
    P('blend_arm', _B.arm, 'How far arm joints follow the weighted mean: 0 not at all, 1 fully.', low=0.0, high=1.0),
    P('blend_base', _B.base, 'The same for the base. The gripper is never averaged.', low=0.0, high=1.0),
    P('gate', _C.gate, 'Predictions further apart than this are not blended; 0 switches the gate off.',
      'action spreads', 0.0, 100.0),
    P('gate_latest', _C.gate_latest, 'Apply the gate in latest too.'),
    P('seam_ticks', _C.seam_ticks, 'Ticks over which the step at a takeover is faded out.', 'ticks', 0, 1000),
    P('decay_seconds', _C.decay_seconds, 'Time in which a starved base comes to rest.', 's', 0.01, 10.0),
    P('decay', _C.decay, 'Shape of that decay.', choices=DECAYS),
    P('ramp_speed', _C.ramp_speed, 'Speed from the measured pose to the first chunk.', 'deg/s', 1.0, 720.0),
    P('resample', _C.resample, 'Resample chunks of another rate; without it they are refused.'),
    P('max_age', _C.max_age, 'Oldest chunk taken in sync.', 's', 0.05, 60.0),
    P('request_timeout', _C.request_timeout, 'Time after which an unanswered request is asked again.', 's',
      0.05, 60.0),
    P('initial_latency', _C.initial_latency, 'Time assumed for a chunk before any was measured.', 's', 0.0, 60.0),
    P('position_low', _rounded(_L.low), 'Lower ends of the positions: five arm joints in deg, gripper in percent.',
      low=-360.0, high=360.0),
    P('position_high', _rounded(_L.high), 'Upper ends of the positions.', low=-360.0, high=360.0),
    P('joint_speed', list(_L.joint_speed), 'Greatest speeds: five arm joints in deg/s, gripper in percent/s.',
      low=0.0, high=2000.0),
    P('base_speed', list(_L.base_speed), 'Greatest base velocities: m/s, m/s, deg/s.', low=0.0, high=720.0),
    P('base_acceleration', list(_L.base_acceleration), 'Greatest base accelerations: m/s^2, m/s^2, deg/s^2.',
      low=0.0, high=10000.0),
    P('speed_scale', _L.speed_scale, 'Factor on all speeds; may be set while the node runs.', low=0.01, high=1.0, live=True),
    P('start_pose', [0.0, -68.8, 57.3, 68.8, -90.0, 40.0], 'Where executor/move_to_start goes: five arm joints in deg, '
      'gripper in percent.', low=-360.0, high=360.0),
    P('rest_pose', [0.0, -98.0, 92.0, 70.0, -90.0, 5.0], 'Where executor/move_to_rest goes: folded, so that the arm '
      'does not fall when its torque is released.', low=-360.0, high=360.0),
    P('pose_speed', 30.0, 'Greatest speed of a joint on the way there.', 'deg/s', 1.0, 180.0),
    P('release_tolerance', 20.0, 'executor/release_torque is refused with a joint further from rest_pose than this.',
      'deg', 0.0, 360.0),
    P('takeover_timeout', TIMEOUT, 'Silence of an operator on takeover/command after which the policy has the robot back.',
      's', 0.05, 2.0),
    P('health_rate', 10.0, 'How many servos per second tell their temperature, load, voltage and faults; 0 asks none.',
      'Hz', 0.0, 50.0),
    P('temperature_slow', _D.temperature_slow, 'A servo this hot slows down.', 'deg C', 20.0, 100.0),
    P('temperature_hold', _D.temperature_hold, 'A servo this hot holds until it has cooled below temperature_slow.',
      'deg C', 20.0, 100.0),
    P('load_slow', _D.load_slow, 'A servo under this share of its torque, over a second, slows down; above 1 none does.', low=0.05,
      high=2.0),
    P('load_hold', _D.load_hold, 'A servo under this share holds until it is relieved.', low=0.05, high=2.0),
    P('priority', 10, 'Real-time priority (SCHED_RR) of the node, its control thread one above, and memory that is kept '
      'from being swapped; without the privilege (root, or rtprio and memlock in /etc/security/limits.conf) it runs as '
      'an ordinary process, as with 0.', low=0, high=98),
    P('status_rate', 5.0, 'Rate of executor/status, beside every change of state.', 'Hz', 0.5, 50.0),
    P('publish_description', True, 'Publish the robot\'s URDF on robot_description, latched; false where '
      'robot_state_publisher does.'),
)


def executor_config(values):
    """The `ExecutorConfig` of declared parameter values.

    Raises:
        ParameterError: where the core refuses a value.
    """
    try:
        limits = Limits(low=tuple(values.position_low), high=tuple(values.position_high),
                        joint_speed=tuple(values.joint_speed), base_speed=tuple(values.base_speed),
                        base_acceleration=tuple(values.base_acceleration), speed_scale=values.speed_scale)
        return ExecutorConfig(
            mode=values.mode, period=1.0 / values.rate, n_action_steps=values.n_action_steps or None,
            replan_interval=values.replan_interval or None, ensemble_interval=values.ensemble_interval or None,
            ensemble_coeff=values.ensemble_coeff, favor=values.favor,
            blend=BlendRules(arm=values.blend_arm, base=values.blend_base), gate=values.gate or math.inf,
            gate_latest=values.gate_latest, seam_ticks=values.seam_ticks, decay_seconds=values.decay_seconds,
            decay=values.decay, ramp_speed=values.ramp_speed, limits=limits, resample=values.resample,
            max_age=values.max_age, request_timeout=values.request_timeout,
            initial_latency=values.initial_latency)
    except ValueError as error:
        raise ParameterError(str(error)) from error


def derating_limits(values):
    """The `DeratingLimits` of declared parameter values; ParameterError where they contradict each other."""
    try:
        return DeratingLimits(values.temperature_slow, values.temperature_hold, values.load_slow, values.load_hold)
    except ValueError as error:
        raise ParameterError(str(error)) from error


def poses(values):
    """Name -> (6,) of the poses the arm moves to on request; ParameterError where one cannot be reached."""
    found = {}
    for name in ('start', 'rest'):
        try:
            found[name] = check_pose(getattr(values, f'{name}_pose'), values.position_low, values.position_high)
        except ValueError as error:
            raise ParameterError(f'parameter {name}_pose: {error}') from error
    return found
