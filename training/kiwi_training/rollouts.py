"""Closed-loop rollouts in simulated time, through the executor that runs on the robot.

One tick is one control period: the chunks that have arrived are handed to the executor, the
executor may ask for another, then commands the robot. Tick k is at k * period s; a chunk asked for at
a tick arrives after the latency that is played back. The policy sees pictures as the wire delivers
them: through JPEG, and `image_delay` ticks old.
"""

import math
import time
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from kiwi_policy.core.chunk import Chunk
from kiwi_policy.core.executor import ChunkExecutor, ExecutorConfig, PolicyTraits, State
from kiwi_policy.core.metrics import first_planned, smoothness
from kiwi_policy.core.sampling_seeds import SamplingSeeds, check_noise
from kiwi_training.wire import PictureDelay, through_jpeg

MEASURED = 'measured'


class Policy(Protocol):
    """What a rollout needs of a policy; `kiwi_policy.heads.loader.LoadedPolicy` has it."""

    info: object

    def predict(self, history, task='', rng=None, prefix=None):
        """Chunk for a history of observations, oldest first; has .actions (H, 9) and .evaluations.

        `rng` is an int seed; `prefix` is a `core.prefix.Prefix` from the observation's tick on, or None.
        """


class Env(Protocol):
    """What a rollout needs of an environment; `kiwi_sim.env.ForkEnv` has it."""

    def reset(self, *, seed):
        """Start the episode of a seed; returns observation and info."""

    def step(self, action):
        """Returns observation, reward, terminated, truncated, info."""

    # An environment may also have complete(observation), which adds to the newest observation what is
    # costly to make (pictures): it is called only for the observation that a chunk is made from, or at
    # every tick where pictures are delayed.


class Network(Protocol):
    """Carries the chunks of one rollout from the policy to the executor."""

    def send(self, chunk, now):
        """Take the chunk that the policy sends at `now` (s).

        Returns:
            [(s, chunk), ...]: what is now known to arrive, and when; a chunk may be missing, come twice,
            or come only with a later one.
        """


@dataclass(frozen=True)
class RolloutSettings:
    """How rollouts are run.

    Attributes:
        executor: the executor's settings.
        latency: s from a request to its chunk, or 'measured' to play back the time that inference took,
            or a tuple of measured s, of which one is drawn for each chunk; the same seeds draw the same.
        time_limit: simulated s per episode.
        task: task text passed to the policy.
        image_delay: ticks by which pictures are older than the state beside them.
        jpeg: True pushes pictures through JPEG as on the wire.
        noise: 'chunk' draws a sampling seed for every chunk, 'episode' keeps one for all chunks of an episode.
    """

    executor: ExecutorConfig = field(default_factory=ExecutorConfig)
    latency: float | str | tuple = 0.0
    time_limit: float = 20.0
    task: str = 'Put the cube on the disc.'
    image_delay: int = 0
    jpeg: bool = True
    noise: str = 'chunk'

    def __post_init__(self):
        if self.latency != MEASURED:
            samples = self.latency if isinstance(self.latency, tuple) else (self.latency,)
            if not samples or not all(math.isfinite(sample) and sample >= 0 for sample in samples):
                raise ValueError(f"latency must be s >= 0, a tuple of such, or '{MEASURED}', got {self.latency!r}")
        check_noise(self.noise)
        if not self.time_limit > 0:
            raise ValueError(f'time_limit must be > 0 s, got {self.time_limit!r}')
        if self.image_delay != int(self.image_delay) or self.image_delay < 0:
            raise ValueError(f'image_delay must be a whole number of ticks >= 0, got {self.image_delay!r}')


@dataclass(frozen=True)
class Rollout:
    """One finished rollout.

    Attributes:
        seed, sampling_seed: of the environment and of the policy's sampling.
        outcome: success, post_hit, timeout (cube lifted), not_lifted, or fault.
        seconds: simulated s.
        side: left, right or none.
        actions: (T, 9) executed actions.
        takeover: (T,) bool, True on the first tick of a new chunk.
        sources: (T,) `Source` of each action.
        inference_seconds: wall-clock s per chunk.
        evaluations: counted network evaluations per chunk, empty where the policy has no counter.
        status: the executor's final `Status`.
    """

    seed: int
    sampling_seed: int
    outcome: str
    seconds: float
    side: str
    actions: np.ndarray
    takeover: np.ndarray
    sources: np.ndarray
    inference_seconds: tuple
    evaluations: tuple
    status: object

    @property
    def success(self):
        """True where the task was done."""
        return self.outcome == 'success'

    @property
    def planned(self):
        """(actions, takeover) without what was held before the first chunk came."""
        start = first_planned(self.sources)
        return self.actions[start:], self.takeover[start:]

    @property
    def smoothness(self):
        """deg, see `metrics.smoothness`."""
        return smoothness(self.planned[0])


class Direct:
    """A `Network` in which every chunk arrives as it is sent."""

    def send(self, chunk, now):
        """The chunk, at once."""
        return [(now, chunk)]


def run_rollout(env, policy, settings, seed, sampling_seed=None, watch=None, make_executor=ChunkExecutor,
                network=None, operator=None):
    """Run one episode and judge it. A touched post ends it as a failure.

    Args:
        env: an `Env` at the executor's rate.
        policy: a `Policy`.
        settings: `RolloutSettings`.
        seed: of the environment's start.
        sampling_seed: of the policy's sampling; the environment's seed where None.
        watch: called with the environment after every tick, e.g. to film it.
        make_executor: called with `settings.executor`; what it returns is used as a `ChunkExecutor` is.
        network: `Network` on which the chunks travel once the policy's latency is over; `Direct` where None.
        operator: `takeovers.Operator` who may take over; None where nobody does.

    Returns:
        a `Rollout`.
    """
    sampling_seed = seed if sampling_seed is None else sampling_seed
    period = settings.executor.period
    observation, info = env.reset(seed=seed)
    executor = make_executor(settings.executor)
    executor.set_policy(_as_announced(policy.info, settings.latency))
    worker = _Worker(policy, settings, np.random.default_rng(sampling_seed), period,
                     np.random.default_rng((seed, sampling_seed)), network or Direct())
    executor.begin(f'seed-{seed}-{sampling_seed}', observation['observation.state'], 0.0)
    if operator is not None:
        operator.begin(env, seed)
    complete = getattr(env, 'complete', None)
    each_tick = complete if settings.image_delay else None
    actions, takeover, sources = [], [], []
    outcome = None
    for tick in range(math.ceil(settings.time_limit / period - 1e-9)):
        now = tick * period
        worker.see(each_tick(observation) if each_tick else observation)
        worker.deliver(executor, now)
        if operator is not None:
            operator.offer(executor, now)
        request = executor.request(now)
        if request is not None:
            worker.ask(request, None if each_tick else complete)
            worker.deliver(executor, now)
        command = executor.step(now, observation['observation.state'])
        if executor.state is State.FAULT:
            outcome = 'fault'
            break
        if operator is not None:
            operator.note(observation, command)
        actions.append(command.values)
        takeover.append(command.takeover)
        sources.append(command.source)
        observation, _, _, _, info = env.step(command.values)
        if watch is not None:
            watch(env)
        if info['post_hit'] or info['success']:
            outcome = 'post_hit' if info['post_hit'] else 'success'
            break
    if outcome is None:
        outcome = 'timeout' if info['lifted'] else 'not_lifted'
    seconds = len(actions) * period
    return Rollout(seed, sampling_seed, outcome, seconds, info['side'], np.array(actions).reshape(-1, 9),
                   np.array(takeover, dtype=bool), np.array(sources, dtype=int), tuple(worker.inference_seconds),
                   tuple(worker.evaluations), executor.status(seconds))


def traits(info):
    """`PolicyTraits` from a loaded policy's info."""
    spread = None if info.action_spread is None else np.asarray(info.action_spread, dtype=float)
    return PolicyTraits(info.horizon, info.n_action_steps, spread)


def _as_announced(info, latency):
    """Traits as the executor learns them: a policy that was measured announces its latency."""
    if not isinstance(latency, tuple):
        return traits(info)
    return replace(traits(info), latency_p95=float(np.percentile(latency, 95)))


class _Worker:
    """The policy as the executor meets it: one inference at a time, answers come late.

    Only the newest waiting request counts. The chunk is stamped with its request's tick and made from
    the observations up to that tick.
    """

    def __init__(self, policy, settings, rng, period, delays, network):
        self._policy, self._settings, self._period = policy, settings, period
        self._delays = delays           # draws which of the measured latencies comes next
        self._network = network
        self._seeds = SamplingSeeds(rng, settings.noise)
        self._history = deque(maxlen=max(policy.info.n_obs_steps, 1))
        self._delay = PictureDelay(settings.image_delay)
        self._waiting = None
        self._flying = []               # (time of arrival, chunk), by time
        self._free_at = 0.0
        self.inference_seconds, self.evaluations = [], []

    def see(self, observation):
        """Remember this tick's observation."""
        observation = self._delay(observation)
        if not self._history:
            self._history.extend([observation] * self._history.maxlen)
        self._history.append(observation)

    def ask(self, request, complete=None):
        """Take a request made at this tick; it replaces one that still waits."""
        if complete is not None:
            self._history[-1] = complete(self._history[-1])
        self._waiting = (request, [through_jpeg(seen) if self._settings.jpeg else seen for seen in self._history])

    def deliver(self, executor, now):
        """Hand over what has arrived by `now`, and start on what waits."""
        while True:
            while self._flying and self._flying[0][0] <= now + 1e-9:
                arrival, chunk = self._flying.pop(0)
                executor.add(chunk, arrival)
            if self._waiting is None or self._free_at > now + 1e-9:
                return
            request, history = self._waiting
            self._waiting = None
            self._flying += self._network.send(self._infer(request, history), self._free_at)
            self._flying.sort(key=lambda item: item[0])

    def _infer(self, request, history):
        prefix = request.prefix if len(request.prefix.rows) else None
        began = time.perf_counter()
        prediction = self._policy.predict(history, self._settings.task, rng=self._seeds.draw(), prefix=prefix)
        took = time.perf_counter() - began
        self.inference_seconds.append(took)
        if prediction.evaluations is not None:
            self.evaluations.append(int(prediction.evaluations))
        self._free_at = max(request.stamp, self._free_at) + self._delay_of(took)
        info = self._policy.info
        return Chunk(request.stamp, info.period or self._period, prediction.actions, tuple(info.names), 1,
                     len(self.inference_seconds), request.episode_id)

    def _delay_of(self, took):
        latency = self._settings.latency
        if isinstance(latency, tuple):
            return latency[int(self._delays.integers(len(latency)))]
        return took if latency == MEASURED else latency
