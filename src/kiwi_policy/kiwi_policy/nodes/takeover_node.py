"""A person takes over from the policy during an episode: with the keys of this terminal, or an SO-101 leader arm.

Hold any key of those below and you drive; let go, or press space, and the policy has the robot back.

    base   w s forwards, back    a d left, right    z x turn left, right
    arm    t g shoulder_pan      y h shoulder_lift  u j elbow_flex   i k wrist_flex   o l wrist_roll
    hand   n m close, open       v hold still       space hands back

With source:=leader the arm follows the leader arm, and the keys of the arm only hold the dead-man. The robot's arm moves
to where the leader is held at approach_speed, then follows it. executor/stop stops the robot whoever drives.
Publishes takeover/command while the dead-man is held.
"""

import sys
import time
from contextlib import ExitStack

import numpy as np
from kiwi_msgs.msg import ExecutorStatus, TakeoverCommand
from rclpy.node import Node
from sensor_msgs.msg import JointState

from kiwi_policy.core.features import NAMES, POSITIONS, from_ros
from kiwi_policy.core.jog import Approach, Jog, JogSpeeds
from kiwi_policy.core.messages import positions_of
from kiwi_policy.core.parameters import ParameterError, help_text
from kiwi_policy.core.states import State
from kiwi_policy.hardware.interface import HardwareError
from kiwi_policy.nodes import process, qos
from kiwi_policy.nodes.parameters import declare
from kiwi_policy.nodes.takeover_parameters import TABLE
from kiwi_policy.nodes.terminal_keys import TerminalKeys
from kiwi_policy.nodes.timers import every

NAME = 'takeover_node'
FAREWELLS = 3           # commands that say the dead-man was let go, since the first may be lost
STALE = 1.0             # s after which joint_states say nothing about where driving begins


def connect_leader(parameters):
    """The leader arm that the parameters name."""
    from kiwi_policy.hardware.leader import LeaderArm

    for name in ('leader_port', 'leader_calibration'):
        if not getattr(parameters, name):
            raise ParameterError(f'parameter {name} is empty; source:=leader needs it')
    return LeaderArm(parameters.leader_port, parameters.leader_calibration)


class TakeoverNode(Node):
    """Keys and leader arm to takeover/command.

    Args:
        keys: has read(), the text of the keys pressed since the last call.
        make_leader: makes the leader arm from the declared parameters.
        say: called with a line for the person at the terminal.
    """

    def __init__(self, keys, make_leader=connect_leader, say=print):
        super().__init__(NAME)
        self.parameters = p = declare(self, TABLE)
        if len(p.position_low) != 6 or len(p.position_high) != 6:
            raise ParameterError('parameters position_low and position_high hold six values each')
        self._keys, self._say = keys, say
        self._jog = Jog(JogSpeeds(p.joint_speed, p.gripper_speed, p.base_speed, p.turn_speed, p.hold_time, p.motion_time),
                        p.position_low, p.position_high)
        self._approach = Approach(p.approach_speed)
        self._leader = make_leader(p) if p.source == 'leader' else None
        self._name = p.operator_name or p.source
        self._positions, self._seen_at = None, -np.inf
        self._drives, self._farewells, self._told = False, 0, ''
        self._commands = self.create_publisher(TakeoverCommand, 'takeover/command', qos.OPERATOR)
        self.create_subscription(JointState, 'joint_states', self._on_joints, qos.STATE)
        self.create_subscription(ExecutorStatus, 'executor/status', self._on_status, qos.STATUS)
        self._last = time.monotonic()
        every(self, 1.0 / p.rate, self._tick)

    def close(self):
        """Hand back and let go of the leader arm."""
        if self._drives:
            self._send(False, ())
        if self._leader is not None:
            self._leader.close()

    def _tick(self):
        now = time.monotonic()
        period, self._last = min(now - self._last, 0.1), now
        for key in self._keys.read():
            self._jog.press(key, now)
        values = self._values(period, now) if self._jog.held(now) else None
        if values is None:
            self._release()
            return
        self._drives, self._farewells = True, FAREWELLS
        self._send(True, values)

    def _values(self, period, now):
        """What to send while the dead-man is held; None where that is not known."""
        if now - self._seen_at > STALE:
            self._tell('no joint_states: is chunk_executor_node running, in the same namespace and domain?')
            return None
        begins = not self._drives
        values = self._jog.step(self._positions, period, now)
        if self._leader is None or values is None:
            return values
        try:
            held = self._leader.read()
        except HardwareError as error:
            self._tell(str(error))
            return None
        if begins:
            self._approach.begin(self._positions)
        met = self._approach.met
        values[POSITIONS] = self._approach.step(held, period)
        if begins and not self._approach.met:
            self._tell(f'the leader is held {self._approach.gap:.0f} deg or percent away: the arm approaches it at '
                       f'{self.parameters.approach_speed:g} deg/s')
        elif self._approach.met and not met:
            self._tell('the arm follows the leader')
        return values

    def _release(self):
        self._drives = False
        if self._farewells:
            self._farewells -= 1
            self._send(False, ())
            self._jog.release()

    def _send(self, engaged, values):
        message = TakeoverCommand(engaged=engaged, operator_name=self._name, names=list(NAMES),
                                  values=np.asarray(values, np.float32).tolist())
        message.header.stamp = self.get_clock().now().to_msg()
        self._commands.publish(message)

    def _on_joints(self, message):
        try:
            positions = positions_of(message)
        except ValueError as error:
            self._tell(str(error))
            return
        self._positions, self._seen_at = from_ros(positions, np.zeros(3))[POSITIONS], time.monotonic()

    def _on_status(self, status):
        known = status.state in list(State)
        self._tell(f'{State(status.state).name if known else status.state}: {status.reason}')

    def _tell(self, text):
        if text != self._told:
            self._told = text
            self._say(text)


def main(args=None, make_leader=connect_leader):
    """Run the node; returns the exit code."""
    interrupt = process.start(args, help_text('kiwi_policy', NAME, __doc__, TABLE))

    def work(node):
        print('\n\n'.join(__doc__.split('\n\n')[1:3]), flush=True)
        return process.run_until_interrupted(node, interrupt)

    with ExitStack() as stack:
        return process.run(NAME, lambda: TakeoverNode(stack.enter_context(TerminalKeys()), make_leader), work)


if __name__ == '__main__':
    sys.exit(main())
