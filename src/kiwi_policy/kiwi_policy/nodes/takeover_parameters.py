"""Parameters of takeover_node."""

from kiwi_policy.core.features import RATE_HZ
from kiwi_policy.core.jog import JogSpeeds
from kiwi_policy.core.limits import Limits
from kiwi_policy.core.parameters import Parameter as P

_J, _L = JogSpeeds(), Limits()


def _rounded(values):
    return [round(value, 2) for value in values]


TABLE = (
    P('source', 'keyboard', 'What moves the arm: keys of this terminal, or an SO-101 leader arm, with keys for the base and as '
      'the dead-man.', choices=('keyboard', 'leader')),
    P('operator_name', '', 'Who drives, as it is shown and recorded; empty: the source.'),
    P('rate', RATE_HZ, 'Commands per second; the control rate.', 'Hz', 5.0, 200.0),
    P('leader_port', '', 'Serial device of the leader arm.'),
    P('leader_calibration', '', 'LeRobot\'s calibration file of the leader arm, <folder>/<id>.json.'),
    P('approach_speed', 45.0, 'Greatest speed of a joint on the way to where the leader arm is held.', 'deg/s', 1.0, 180.0),
    P('joint_speed', _J.joint, 'How fast a key moves a joint.', 'deg/s', 1.0, 180.0),
    P('gripper_speed', _J.gripper, 'How fast a key moves the gripper.', 'percent/s', 1.0, 400.0),
    P('base_speed', _J.base, 'How fast a key drives the base.', 'm/s', 0.01, 0.3),
    P('turn_speed', _J.turn, 'How fast a key turns the base.', 'deg/s', 1.0, 90.0),
    P('hold_time', _J.hold, 'How long the dead-man is held after a key; longer than the terminal waits before it repeats '
      'one.', 's', 0.1, 2.0),
    P('motion_time', _J.motion, 'How long a motion lasts after a key; longer than the time between two repeats.', 's',
      0.03, 1.0),
    P('position_low', _rounded(_L.low), 'Lower ends of the positions keys go to: five arm joints in deg, gripper in percent.',
      low=-360.0, high=360.0),
    P('position_high', _rounded(_L.high), 'Upper ends.', low=-360.0, high=360.0),
)
