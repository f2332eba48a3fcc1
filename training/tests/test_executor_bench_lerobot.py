"""Our copy of LeRobot's asynchronous inference against the classes it is written after."""

import importlib
import logging
import sys
import threading
from queue import Queue
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock

import numpy as np
import pytest
from evaluation_fakes import HORIZON, PERIOD, Walker
from executor_bench_support import BOUNDLESS
from kiwi_policy.core.chunk import Chunk
from kiwi_policy.core.config import ExecutorConfig
from kiwi_policy.core.features import BASE, DIM, NAMES
from kiwi_policy.core.states import Source
from kiwi_training.executor_bench.lerobot_async import AGGREGATES, THRESHOLD, Client, Server

PACKAGE = 'lerobot.async_inference'


@pytest.fixture(scope='module')
def lerobot():
    """LeRobot's robot_client, policy_server, helpers and configs, with gRPC replaced by nothing."""
    pytest.importorskip('torch')
    import lerobot.utils
    from lerobot.utils import import_utils
    services = ModuleType('services_pb2_grpc')
    services.AsyncInferenceServicer, services.AsyncInferenceStub = object, MagicMock
    transport = ModuleType('lerobot.transport')
    transport.services_pb2, transport.services_pb2_grpc = MagicMock(), services
    with pytest.MonkeyPatch.context() as patch:
        for owner in (import_utils, lerobot.utils):
            patch.setattr(owner, 'require_package', lambda *_, **__: None)
        for name, module in (('grpc', MagicMock()), ('lerobot.transport', transport),
                             ('lerobot.transport.utils', MagicMock())):
            patch.setitem(sys.modules, name, module)
        helpers = importlib.import_module(f'{PACKAGE}.helpers')
        patch.setattr(helpers, 'get_logger', logging.getLogger)
        yield SimpleNamespace(helpers=helpers, **{name: importlib.import_module(f'{PACKAGE}.{name}')
                                                  for name in ('configs', 'robot_client', 'policy_server')})
    for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
        del sys.modules[name]


class Theirs:
    """LeRobot's client and server, joined without a wire, tick by tick."""

    def __init__(self, lerobot, aggregate):
        import torch
        self._torch = torch
        client = self.client = object.__new__(lerobot.robot_client.RobotClient)
        client.config = SimpleNamespace(client_device='cpu', environment_dt=PERIOD)
        client.robot = SimpleNamespace(action_features=dict.fromkeys(NAMES), send_action=self._send,
                                       get_observation=lambda: dict(zip(NAMES, map(float, self._state), strict=True)))
        client.shutdown_event = threading.Event()
        client.latest_action_lock, client.action_queue_lock = threading.Lock(), threading.Lock()
        client.latest_action = client.action_chunk_size = -1
        client._chunk_size_threshold = lerobot.robot_client.RobotClientConfig.chunk_size_threshold
        client.action_queue, client.action_queue_size = Queue(), []
        client.must_go = threading.Event()
        client.must_go.set()
        server = self.server = object.__new__(lerobot.policy_server.PolicyServer)
        server.config = SimpleNamespace(environment_dt=PERIOD)
        server.observation_queue = Queue(maxsize=1)
        server._predicted_timesteps, server._predicted_timesteps_lock = set(), threading.Lock()
        server.last_processed_obs = None
        server.lerobot_features = {'observation.state': {'dtype': 'float32', 'shape': (DIM,), 'names': list(NAMES)}}
        client.send_observation = server._enqueue_observation
        self._aggregate = lerobot.configs.get_aggregate_function(aggregate)
        self._sent, self._state = None, np.zeros(DIM)

    def receive(self, number, observation, rows):
        """The body of `receive_actions`."""
        actions = self.server._time_action_chunk(observation.get_timestamp(), list(self._torch.from_numpy(rows)),
                                                 observation.get_timestep())
        self.client.action_chunk_size = max(self.client.action_chunk_size, len(actions))
        self.client._aggregate_action_queues(actions, self._aggregate)
        self.client.must_go.set()

    def tick(self, number, seen):
        """The body of `control_loop`; returns the action sent, or None."""
        self._sent, self._state = None, seen
        if self.client.actions_available():
            self.client.control_loop_action()
        if self.client._ready_to_send_observation():
            self.client.control_loop_observation('task')
        return self._sent

    def take(self):
        """The observation that inference begins on: `GetActions`; None where none waits."""
        if self.server.observation_queue.empty():
            return None
        observation = self.server.observation_queue.get()
        self.server._predicted_timesteps.add(observation.get_timestep())
        self.server.last_processed_obs = observation
        return observation

    def _send(self, action):
        self._sent = np.array([action[name] for name in NAMES])


class Ours:
    """Our client and server behind the same three methods."""

    def __init__(self, aggregate):
        self.server = Server(Walker())
        self.client = Client(ExecutorConfig(limits=BOUNDLESS), self.server, AGGREGATES[aggregate])
        self.client.begin('e', np.zeros(DIM), 0.0)
        self._waiting = None

    def receive(self, number, request, rows):
        self.client.add(Chunk(request.stamp, PERIOD, rows, NAMES, 1, number, 'e'), 0.0)

    def tick(self, number, seen):
        self._waiting = self.client.request(number * PERIOD) or self._waiting
        return self._waiting

    def take(self):
        request, self._waiting = self._waiting, None
        if request is not None:
            self.server.predict([{'observation.state': np.ones(DIM)}])
        return request


def drive(side, ticks, latency, lost, moves):
    """Actions (or None) per tick, and the number of chunks asked for.

    Args:
        side: `Theirs` or `Ours`.
        latency: ticks per inference, one at a time.
        lost: rng draws below this share lose a chunk.
        moves: (ticks, 9) measured states.
    """
    rng = np.random.default_rng(1)
    actions, flying, asked = [], None, 0
    for number in range(ticks):
        if flying is not None and flying[0] <= number:
            if flying[3]:
                side.receive(*flying[1:3], flying[4])
            flying = None
        for stage in ('before', 'after'):
            if flying is None and (observation := side.take()) is not None:
                asked += 1
                rows = rng.normal(size=(HORIZON, DIM)).astype(np.float32)
                flying = (number + latency, asked, observation, rng.random() >= lost, rows)
            if stage == 'before':
                actions.append(side.tick(number, moves[max(number - 1, 0)]))
        if isinstance(side, Ours):
            command = side.client.step(number * PERIOD, moves[number])
            actions[-1] = command.values if command.source is Source.CHUNK else None
    return actions, asked


def walk(ticks, pace):
    """States that wander, and at times stand."""
    rng = np.random.default_rng(2)
    moving = np.repeat(rng.random(ticks // 10 + 1) < 0.6, 10)[:ticks, None]
    return np.cumsum(moving * rng.normal(size=(ticks, DIM)) * pace, axis=0) * (np.arange(DIM) < 6)


@pytest.mark.parametrize('lost', [0.0, 0.2])
@pytest.mark.parametrize('latency', [1, 5, 12])
@pytest.mark.parametrize('aggregate', AGGREGATES)
def test_every_tick_is_lerobots(lerobot, aggregate, latency, lost):
    for pace in (0.05, 1.0):
        moves = walk(400, pace)
        moves[0] = 0.0
        theirs, their_count = drive(Theirs(lerobot, aggregate), 400, latency, lost, moves)
        ours, our_count = drive(Ours(aggregate), 400, latency, lost, moves)
        assert [action is None for action in ours] == [action is None for action in theirs]
        for one, other in zip(ours, theirs):
            if one is not None:
                np.testing.assert_allclose(one, other, atol=1e-5)
        assert our_count == their_count > 1


def test_the_constants_are_lerobots(lerobot):
    assert lerobot.robot_client.RobotClientConfig.chunk_size_threshold == THRESHOLD
    assert lerobot.robot_client.RobotClientConfig.aggregate_fn_name == next(iter(AGGREGATES))
    assert set(AGGREGATES) <= set(lerobot.configs.AGGREGATE_FUNCTIONS)


def client(aggregate='latest_only', horizon=4):
    """A client that has its first chunk of rows 0, 1, 2 ... (all values of row i are i)."""
    made = Ours(aggregate)
    deliver(made, 0, 1, np.arange(horizon))
    return made


def deliver(side, tick, number, values):
    """Ask at a tick, answer at once with rows of these values, then execute the tick."""
    side.tick(tick, None)
    request = side.take()
    if request is not None:
        rows = np.repeat(np.asarray(values, dtype=float)[:, None], DIM, axis=1)
        side.receive(number, request, rows)
    return side.client.step(tick * PERIOD, np.full(DIM, 10.0 * (tick + 1))), request is not None


def executed(side, tick):
    side.client.request(tick * PERIOD)
    return side.client.step(tick * PERIOD, np.full(DIM, 10.0 * (tick + 1))).values[0]


@pytest.mark.parametrize('aggregate, blended', [('weighted_average', 0.3 * 3 + 0.7 * 91), ('latest_only', 91.0)])
def test_steps_are_aggregated_by_their_number_by_hand(aggregate, blended):
    side = client(aggregate)
    assert [executed(side, 1), executed(side, 2)] == [0.0, 1.0]
    command, asked = deliver(side, 3, 2, [90.0, 91.0, 92.0])     # action 2 was executed last: row 0 is dropped
    assert asked and command.values[0] == 2.0
    assert executed(side, 4) == pytest.approx(blended)
    assert executed(side, 5) == 92.0


def test_an_empty_queue_sends_nothing_and_the_base_goes_on():
    side = client(horizon=2)
    assert [executed(side, tick) for tick in (1, 2)] == [0.0, 1.0]
    side.client.request(3 * PERIOD)
    command = side.client.step(3 * PERIOD, np.zeros(DIM))
    assert command.source is Source.HOLD and command.values[BASE] == pytest.approx([1.0] * 3)
    assert side.client.status(0.0).underruns == 1


def test_after_a_lost_chunk_a_robot_that_stands_is_never_answered_again():
    side = Ours('weighted_average')
    asked = []
    for tick in range(60):
        side.tick(tick, None)
        asked.append(side.take() is not None)       # and no chunk ever comes
        side.client.step(tick * PERIOD, np.zeros(DIM))
    assert asked == [True] + [False] * 59


def test_a_client_serves_one_episode():
    side = Ours('latest_only')
    with pytest.raises(RuntimeError, match='one episode'):
        side.client.begin('f', np.zeros(DIM), 0.0)
