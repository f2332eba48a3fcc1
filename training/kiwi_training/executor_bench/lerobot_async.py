"""LeRobot 0.6.1's asynchronous inference as an executor: its client's queue and its server's filter.

What runs here is written after `lerobot/async_inference/robot_client.py` and `policy_server.py`; the tests
hold it against these very classes. Three traits decide what it does under faults:

- Time is counted in executed actions. A chunk's rows are numbered from the action that was executed last
  when its observation was taken, so rows are on time as long as every tick executes one. While the first
  chunk is awaited and whenever the queue is empty the count stands still, and what comes then is run late.
- An empty queue sends nothing: the arm holds its goal and the base keeps its velocity.
- The server refuses observations that it takes for ones it has answered. The client lifts that (`must_go`)
  once per chunk received: where that chunk is lost while the robot stands, nothing is answered any more.

Left out are transport (gRPC, so neither losses nor duplicates: those show what the aggregation does where
chunks do get lost), threads, and the server's pause up to 1/30 s per inference.
"""

from dataclasses import dataclass

import numpy as np

from kiwi_policy.core.features import DIM
from kiwi_policy.core.limits import Limiter, hold
from kiwi_policy.core.prefix import Prefix
from kiwi_policy.core.records import Command, Request, Status, Verdict
from kiwi_policy.core.states import Source, State

AGGREGATES = {
    'weighted_average': lambda old, new: 0.3 * old + 0.7 * new,
    'latest_only': lambda old, new: new,
}
"""Old and new action (9,) of one step -> action, as `configs.AGGREGATE_FUNCTIONS`; the first is LeRobot's default."""
THRESHOLD = 0.5
"""Share of a chunk at which the queue is low enough to send observations: `RobotClientConfig.chunk_size_threshold`."""
SIMILAR = 1.0
"""Distance of two states (mixed units) below which they are taken for one: `helpers.observations_similar`."""
NO_PREFIX = Prefix(np.empty((0, DIM)), 0)


@dataclass(frozen=True)
class Observation:
    """What the server reads of an observation: `helpers.TimedObservation`.

    Attributes:
        timestep: number of the action executed last, 0 before any.
        state: (9,) measured.
        must_go: True where the server may not refuse it.
    """

    timestep: int
    state: np.ndarray
    must_go: bool


@dataclass(frozen=True)
class TimedAction:
    """A row of a chunk in the client's queue: `helpers.TimedAction`.

    Attributes:
        timestep: its number.
        values: (9,).
        chunk_id, index: chunk and row it came from last.
    """

    timestep: int
    values: np.ndarray
    chunk_id: int
    index: int


class Server:
    """Which observations are answered: `PolicyServer`, around a policy.

    One observation waits at most, the newest that was accepted; `predict` answers it.

    Args:
        policy: `kiwi_training.rollouts.Policy`.
    """

    def __init__(self, policy):
        self.info = policy.info
        self._policy = policy
        self._waiting = self._answered = None
        self._predicted = set()

    def enqueue(self, observation):
        """True where the observation is accepted: `_enqueue_observation`."""
        accepted = observation.must_go or self._answered is None or self._is_new(observation)
        if accepted:
            self._waiting = observation
        return accepted

    def predict(self, history, task='', rng=None, prefix=None):
        """The policy's chunk for what waits: `GetActions`, `_predict_action_chunk`."""
        self._predicted.add(self._waiting.timestep)
        self._answered = self._waiting
        return self._policy.predict(history, task, rng=rng, prefix=prefix)

    def _is_new(self, observation):
        """`_obs_sanity_checks`: a step not yet predicted, and a state that differs."""
        if observation.timestep in self._predicted:
            return False
        return np.linalg.norm(observation.state - self._answered.state) >= SIMILAR


class Client:
    """The robot's side: `RobotClient`, its control loop tick by tick.

    LeRobot acts first and observes then, so `request` takes the tick's action from the queue before it
    decides whether to send an observation; `step` returns that action. Call them in this order. The state of
    an observation is the one measured a tick before, which is what the filter sees; the policy sees the
    present one.

    Args:
        config: `ExecutorConfig`, of which period and limits count.
        server: `Server` that the policy stands behind.
        aggregate: one of AGGREGATES' functions.
    """

    def __init__(self, config, server, aggregate):
        self._period, self._limiter = config.period, Limiter(config.limits, config.period)
        self._server, self._aggregate = server, aggregate
        self._queue = []                # `TimedAction`s, first to be executed first
        self._popped = None             # this tick's
        self._latest = -1               # number of the action executed last
        self._chunk_size = -1           # rows of the longest chunk
        self._must_go = True
        self._timesteps = {}            # stamp of a request -> number of its chunk's row 0
        self._state, self._episode_id = State.IDLE, ''
        self._measured = self._last = None
        self._seen = set()
        self._accepted = self._skipped = self._underruns = self._clamped = self._starved = self._ticks = 0

    def set_policy(self, traits):
        """Nothing of the policy is used."""

    def begin(self, episode_id, state, now):
        """Start the only episode of this client: hold the measured pose until actions come."""
        if self._state is not State.IDLE:
            raise RuntimeError('a client serves one episode: make another')
        self._episode_id = episode_id
        self._measured = np.asarray(state, dtype=float)
        self._last = hold(state)
        self._state = State.WAITING

    def request(self, now):
        """A `Request` where an observation is sent that the server accepts: `control_loop`."""
        if self._queue:                 # `control_loop_action`
            self._popped = self._queue.pop(0)
            self._latest = self._popped.timestep
        if len(self._queue) / self._chunk_size > THRESHOLD:     # `_ready_to_send_observation`
            return None
        observation = Observation(max(self._latest, 0), self._measured, self._must_go and not self._queue)
        if observation.must_go:         # `control_loop_observation`
            self._must_go = False
        if not self._server.enqueue(observation):
            return None
        self._timesteps[now] = observation.timestep
        return Request(len(self._timesteps), now, self._episode_id, self._period, NO_PREFIX, 0.0)

    def add(self, chunk, now):
        """Replace the queue by the chunk's rows: `receive_actions`, `_aggregate_action_queues`.

        Rows up to the action executed last are dropped, rows whose number is in the queue are aggregated with
        it, and what the queue held beyond is gone.
        """
        old = {action.timestep: action.values for action in self._queue}
        first, self._queue = self._timesteps[chunk.stamp], []
        for index, values in enumerate(np.asarray(chunk.actions, dtype=float)):
            timestep = first + index
            if timestep <= self._latest:
                self._skipped += 1
                continue
            if timestep in old:
                values = self._aggregate(old[timestep], values)
            self._queue.append(TimedAction(timestep, values, chunk.chunk_id, index))
        self._chunk_size = max(self._chunk_size, chunk.horizon)
        self._must_go = True
        self._accepted += 1
        return Verdict(True)

    def step(self, now, state):
        """The `Command` of this tick; without an action the last one stays in force, base included."""
        self._measured = np.asarray(state, dtype=float)
        self._ticks += 1
        action, self._popped = self._popped, None
        if action is None:
            if self._state is State.RUNNING:
                self._underruns += 1
                self._state = State.STARVED
            self._starved += self._state is State.STARVED
            return Command(self._last, Source.HOLD)
        self._state = State.RUNNING
        self._last, clamped = self._limiter.clamp(action.values, self._last)
        self._clamped += clamped
        takeover = action.chunk_id not in self._seen
        self._seen.add(action.chunk_id)
        return Command(self._last, Source.CHUNK, 1, action.chunk_id, action.index, 1, takeover, clamped)

    def status(self, now):
        """`Status` with what this client counts."""
        return Status(self._state, '', 'lerobot', self._episode_id, accepted=self._accepted, skipped=self._skipped,
                      underruns=self._underruns, clamped=self._clamped, takeovers=len(self._seen), ticks=self._ticks,
                      overlap=1.0, queue_seconds=len(self._queue) * self._period,
                      starved_seconds=self._starved * self._period)

    @property
    def state(self):
        """The present `State`."""
        return self._state
