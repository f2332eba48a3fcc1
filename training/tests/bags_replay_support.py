"""Rollouts of the executor's own session on a fake robot, recorded through its messages, with all that can go wrong."""

import threading

import numpy as np
from bag_fixture import STORE
from kiwi_msgs.msg import ActionChunk, PolicyInfo, TakeoverCommand
from rcl_interfaces.msg import Parameter, ParameterEvent
from rclpy.parameter import Parameter as RosParameter
from rclpy.serialization import serialize_message

from kiwi_policy.bags.writer import BagWriter
from kiwi_policy.core.derating import ServoHealth
from kiwi_policy.core.features import NAMES
from kiwi_policy.core.parameters import settle
from kiwi_policy.hardware.interface import HardwareError
from kiwi_policy.nodes import conversions
from kiwi_policy.nodes.executor_parameters import TABLE, executor_config
from kiwi_policy.nodes.executor_session import ExecutorSession

RATE = 100.0
PERIOD = 1.0 / RATE
HORIZON = 24
EPOCH = 1_790_000_000_123_456_789
PATIENCE = 120.0        # s; bounds hangs only
SPREAD = np.array([20.0, 20.0, 20.0, 20.0, 20.0, 40.0, 0.1, 0.1, 20.0], np.float32)
HOME = np.array([0.1, -20.2, 30.3, 60.4, -90.0, 40.0, 0.0, 0.0, 0.0])
TOPICS = {'executor/action': 'kiwi_msgs/msg/ExecutedAction', 'executor/status': 'kiwi_msgs/msg/ExecutorStatus',
          'action_chunk': 'kiwi_msgs/msg/ActionChunk', 'policy_info': 'kiwi_msgs/msg/PolicyInfo',
          'chunk_request': 'kiwi_msgs/msg/ChunkRequest'}


class Robot:
    """A robot that lags behind its goals, is read with noise, misses a reply now and then and may get hot."""

    limp = False

    def __init__(self):
        self.rng, self.goal, self.state = np.random.default_rng(3), HOME.copy(), HOME.copy()
        self.reads, self.silent, self.temperature = 0, False, 30.0

    def connect(self):
        self._check()

    def read(self):
        self.reads += 1
        self._check()
        if self.reads % 17 == 0:
            raise HardwareError('no reply')
        self.state += 0.3 * (self.goal - self.state)
        return self.state + self.rng.normal(0.0, 0.05, 9)

    def write(self, action):
        self._check()
        self.goal[:] = action

    def hold(self):
        self._check()
        self.goal[6:] = 0.0

    def release(self):
        self.limp = True

    def engage(self):
        self.limp = False

    def next_health(self):
        return ServoHealth('arm_shoulder_pan', 12.0, self.temperature, 0.1, 0.1)

    def close(self):
        pass

    def _check(self):
        if self.silent:
            raise HardwareError('the cable is out')


class Rollout:
    """A session that runs in its own thread and records what its node would publish.

    A played policy answers each request `delay` ticks later.

    Args:
        parameters: of the executor, beside RATE.
    """

    def __init__(self, **parameters):
        self.given = {'rate': RATE, 'bus_timeout': 0.4, 'reconnect_interval': 0.1, 'health_rate': 25.0, **parameters}
        values = settle(TABLE, self.given)
        self.robot, self.messages, self.states = Robot(), [], []
        self.delay, self.answers, self.other = 3, True, False
        self.run_id, self.chunk_id = 2**63 + 5, 0
        self._flying, self._ticks, self._changed = [], 0, threading.Condition()
        self.info = self._policy_info(self.run_id)
        self.session = ExecutorSession(executor_config(values), self.robot, values, EPOCH, self._on_tick)
        self.session.loop.start()
        self.set_policy(self.info)

    def _policy_info(self, run_id):
        return PolicyInfo(run_id=run_id, head='played', names=list(NAMES), period=PERIOD, horizon=HORIZON,
                          n_action_steps=HORIZON - 8, action_spread=SPREAD.tolist(), latency_p95=0.02)

    def set_policy(self, info):
        self.info = info
        self._keep('policy_info', info)
        self.session.set_policy(info)

    def begin(self, episode_id):
        self.episode_id = episode_id
        self.ask(lambda: self.session.begin(episode_id, 'task', self.info))

    def ask(self, function, attempts=5):
        """Ask the session for something until it is done: a lost reply, or a policy that was late once, is a refusal."""
        for _ in range(attempts):
            done, text, *_ = function()
            if done:
                return
        raise AssertionError(text)

    def ticks(self, count):
        """Let `count` further ticks pass."""
        until = self._ticks + count
        self._wait(lambda: self._ticks >= until, f'{count} ticks')

    def until(self, state):
        """Wait for a state."""
        self._wait(lambda: self.states and self.states[-1] == state, state.name)

    def _wait(self, condition, what):
        loop = self.session.loop
        with self._changed:
            assert self._changed.wait_for(lambda: loop.crash or condition(), PATIENCE), f'no {what}'
        assert not loop.crash, loop.crash

    def chunk(self, stamp, **changes):
        """An ActionChunk of the present plan, stamped with ns."""
        with self._changed:
            self.chunk_id += 1
            number = self.chunk_id
        phase = (stamp - EPOCH) / 1e9 + np.arange(HORIZON) * PERIOD
        rows = np.tile(HOME, (HORIZON, 1))
        rows[:, :5] += 15.0 * np.sin(2.0 * phase[:, None] + np.arange(5))
        rows[:, 0] += 90.0 * self.other
        rows[:, 6] = 0.2 * np.cos(phase)
        rows += np.random.default_rng(number).normal(0.0, 0.5, rows.shape) * (SPREAD > 1)
        message = ActionChunk(**({
            'run_id': self.run_id, 'episode_id': self.episode_id, 'chunk_id': number, 'names': list(NAMES),
            'period': PERIOD, 'horizon': HORIZON, 'actions': rows.astype(np.float32).ravel().tolist()} | changes))
        message.header.stamp = conversions.to_stamp(stamp)
        return message

    def send(self, message):
        """Publish a chunk: it is recorded, and handed to the session."""
        self._keep('action_chunk', message)
        self.session.add(message)

    def operate(self, ticks, hand_back=True):
        """An operator drives for `ticks` ticks, then lets go or falls silent."""
        for number in range(ticks):
            pose = HOME + number * np.array([1.0, -1.0, 1.0, 0.3, 0.0, 2.0, 0.001, 0.0, 0.5])
            self._take(TakeoverCommand(engaged=True, operator_name='hand', names=list(NAMES), values=pose.tolist()), number)
            self.ticks(1)
        if hand_back:
            self._take(TakeoverCommand(engaged=False, operator_name='hand'), ticks)

    def _take(self, message, number):
        message.header.stamp.nanosec = number
        self.session.takeover.put(message)

    def stamp(self):
        """ns, of the newest tick."""
        return self.session.board.stamp

    def write(self, folder, drop=lambda topic, number: False):
        """End the session and write the bag; `drop` leaves out a topic's message by its number."""
        self.session.loop.stop()
        assert not self.session.loop.crash, self.session.loop.crash
        return write_bag(folder, self.given, self.messages, drop)

    def _on_tick(self, session, tick):
        status = session.note(tick)
        if tick.request is not None:
            self._keep('chunk_request', conversions.request_message(tick.request, tick.stamp, session.task, NAMES))
            if self.answers:
                self._flying.append((self._ticks + self.delay, self.chunk(tick.stamp, request_id=tick.request.request_id)))
        self._keep('executor/action', session.action_message(tick))
        if status is not None:
            self._keep('executor/status', status)
        for entry in [entry for entry in self._flying if entry[0] <= self._ticks]:
            self._flying.remove(entry)
            self.send(entry[1])
        with self._changed:
            self._ticks += 1
            self.states.append(tick.state)
            self._changed.notify_all()

    def _keep(self, topic, message):
        self.messages.append((topic, message))


def write_bag(folder, parameters, messages, drop=lambda topic, number: False):
    """A bag of (topic, message) pairs, an executor's parameters before them."""
    writer = BagWriter(folder, {'namespace': ''})
    event = ParameterEvent(node='/chunk_executor_node', new_parameters=[
        Parameter(name=name, value=RosParameter(name, value=value).get_parameter_value())
        for name, value in settled(parameters).items()])
    writer.add_topic('/parameter_events', 'rcl_interfaces/msg/ParameterEvent')
    writer.write('/parameter_events', cdr(event, 'rcl_interfaces/msg/ParameterEvent'), EPOCH)
    numbers = dict.fromkeys(TOPICS, -1)
    for offset, (topic, message) in enumerate(messages, start=1):
        numbers[topic] += 1
        if not drop(topic, numbers[topic]):
            writer.add_topic(f'/{topic}', TOPICS[topic])
            writer.write(f'/{topic}', cdr(message, TOPICS[topic]), EPOCH + offset)
    writer.close({'outcome': 'success', 'success': 'true', 'labelled': 'true'})
    return folder


def settled(parameters):
    """Name -> value of every parameter of the executor."""
    return vars(settle(TABLE, parameters))


def cdr(message, kind):
    """CDR bytes of a message as they come over the wire: rclpy's serialize_message leaves more at their end."""
    data = serialize_message(message)
    definition = STORE.get_msgdef(kind)
    return data[:4 + definition.deserialize_cdr_le(data[4:], 0, definition.cls, STORE)[1]]
