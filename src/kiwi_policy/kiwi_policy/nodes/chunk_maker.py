"""From an observation of bytes to a chunk of actions, with the time and the evaluations it took."""

import time
from dataclasses import dataclass

import numpy as np

from kiwi_policy.core.features import DIM
from kiwi_policy.core.latency import LatencyTracker
from kiwi_policy.core.prefix import Prefix
from kiwi_policy.core.sampling_seeds import SamplingSeeds
from kiwi_policy.nodes.history import Observation
from kiwi_policy.nodes.images import decode_rgb, encode_rgb

PROBES = 5


@dataclass(frozen=True)
class Made:
    """A chunk.

    Attributes:
        actions: (H, 9) in LeRobot's units.
        evaluations: counted network evaluations, 0 where the head has no counter.
        seconds: s from taking the observation.
        predict_seconds: s of these in the policy itself.
    """

    actions: np.ndarray
    evaluations: int
    seconds: float
    predict_seconds: float


class ChunkMaker:
    """Decodes, predicts, measures. One call at a time.

    Args:
        policy: `heads.loader.LoadedPolicy` or anything like it.
        seed: of the sampling noise; negative draws one.
        noise: drawn afresh for every `chunk`, or the same for all of an `episode`, so that a head that
            samples keeps to one mode.
    """

    def __init__(self, policy, seed=-1, noise='chunk'):
        self._policy = policy
        self._seeds = SamplingSeeds(np.random.default_rng(None if seed < 0 else seed), noise)
        self._chunks, self._probes = LatencyTracker(window=100), LatencyTracker(window=PROBES)
        self.evaluations = 0

    @property
    def latency(self):
        """`LatencyTracker` of the chunks made lately, of the probes where none was made since."""
        return self._chunks if len(self._chunks) else self._probes

    def begin_episode(self):
        """The next chunk has noise of its own."""
        self._seeds.begin_episode()

    def make(self, observation, task, prefix=None):
        """Return what was `Made` from a `history.Observation`.

        Args:
            observation: what the policy sees.
            task: text.
            prefix: `core.prefix.Prefix` from the observation's tick on, or None.

        Raises:
            ValueError: an image cannot be decoded, or the policy returned something unfit.
        """
        made = self._make(observation, task, prefix)
        self._chunks.add(made.seconds)
        self._probes.clear()
        return made

    def probe(self):
        """Make a chunk from a blank observation and a blank plan, to measure the latency as it is now."""
        info = self._policy.info
        prefix = Prefix(np.zeros((info.horizon, DIM)), 1)
        images = dict.fromkeys(info.cameras, encode_rgb(np.zeros((96, 96, 3), np.uint8)))
        observation = Observation(0, (np.zeros(DIM),) * info.n_obs_steps, (images,) * info.n_obs_steps, {})
        self._probes.add(self._make(observation, '', prefix).seconds)
        if len(self._probes) == PROBES:
            self._chunks.clear()

    def warm_up(self, chunks):
        """Probe `chunks` times; the first, with its set-up, is not counted."""
        for index in range(chunks):
            self.probe()
            if index == 0 and chunks > 1:
                self._probes.clear()

    def _make(self, observation, task, prefix):
        started = time.monotonic()
        history = self._decoded(observation)
        decoded = time.monotonic()
        prediction = self._policy.predict(history, task=task, rng=self._seeds.draw(), prefix=prefix)
        finished = time.monotonic()
        actions = np.asarray(prediction.actions)
        if actions.ndim != 2 or actions.shape[1] != DIM:
            raise ValueError(f'the policy returned actions of shape {actions.shape}, expected (H, {DIM})')
        self.evaluations = int(prediction.evaluations or 0)
        return Made(actions, self.evaluations, finished - started, finished - decoded)

    def _decoded(self, observation):
        pixels = {}
        history = []
        for state, images in zip(observation.states, observation.images):
            entry = {'observation.state': np.asarray(state, dtype=np.float32)}
            for camera, data in images.items():
                if id(data) not in pixels:
                    pixels[id(data)] = decode_rgb(data)
                entry[f'observation.images.{camera}'] = pixels[id(data)]
            history.append(entry)
        return history
