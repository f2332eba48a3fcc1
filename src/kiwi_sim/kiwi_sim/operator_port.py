"""The scripted expert as a live operator: publishes takeover/command from inside the simulation, which alone knows the truth."""

import numpy as np
from kiwi_msgs.msg import ExecutorStatus, TakeoverCommand
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy

from kiwi_policy.core import features
from kiwi_sim.expert_operator import ExpertOperator, Rules

NAME = 'expert'
RUNNING = frozenset({ExecutorStatus.WAITING, ExecutorStatus.RAMPING, ExecutorStatus.RUNNING, ExecutorStatus.STARVED,
                     ExecutorStatus.TAKEOVER})
_RELIABLE = {'history': HistoryPolicy.KEEP_LAST, 'reliability': ReliabilityPolicy.RELIABLE}


class OperatorPort:
    """Watches every episode of the executor and drives where the policy goes wrong.

    Args:
        node: the sim_node.
        world: the `World`.
        clock: of its timer.
        rules: `Rules`.
    """

    def __init__(self, node, world, clock, rules=None):
        self._node, self._world, self._rules = node, world, rules or Rules()
        self._expert, self._episode = None, ''
        self._drives = False
        self._commands = node.create_publisher(TakeoverCommand, 'takeover/command', QoSProfile(depth=1, **_RELIABLE))
        node.create_subscription(ExecutorStatus, 'executor/status', self._on_status, QoSProfile(depth=10, **_RELIABLE))
        node.create_timer(1.0 / features.RATE_HZ, self._tick, clock=clock)

    def forget(self):
        """The world has been reset: what was seen of it is void."""
        self._release()
        self._expert, self._episode = None, ''

    def _on_status(self, status):
        episode = status.episode_id if status.state in RUNNING else ''
        if episode == self._episode:
            return
        self._release()
        self._episode, self._expert = episode, None
        if episode:
            with self._world.lock:
                self._expert = ExpertOperator(self._world, np.random.default_rng([self._world.seed, 3]), self._rules)

    def _tick(self):
        if self._expert is None:
            return
        with self._world.lock:
            action = self._expert.act()
        if action is None:
            self._release()
            return
        if not self._drives:
            self._node.get_logger().info(f'the expert takes over: {self._expert.reason}')
        self._drives = True
        self._send(True, action)

    def _release(self):
        if self._drives:
            self._drives = False
            self._node.get_logger().info('the expert hands back')
            self._send(False, ())

    def _send(self, engaged, values):
        message = TakeoverCommand(engaged=engaged, operator_name=NAME, names=list(features.NAMES),
                                  values=np.asarray(values, np.float32).tolist())
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._commands.publish(message)
