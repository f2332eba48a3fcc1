"""Chunks and drives shared by the tests of the core."""

import hypothesis
import numpy as np

from kiwi_policy.core.chunk import Chunk
from kiwi_policy.core.executor import ChunkExecutor, ExecutorConfig, PolicyTraits
from kiwi_policy.core.features import DIM, NAMES

hypothesis.settings.register_profile('kiwi', deadline=None)
hypothesis.settings.load_profile('kiwi')

PERIOD = 1.0 / 30.0
START = 1000.0
EPISODE = 'episode-1'
SPREAD = np.array([20.0, 20.0, 20.0, 20.0, 20.0, 40.0, 0.1, 0.1, 20.0])
REST = np.zeros(DIM)


def tick(number):
    """Time in s of a control tick."""
    return START + number * PERIOD


def chunk(at=0, horizon=16, actions=None, chunk_id=1, **changes):
    """A chunk stamped with tick `at`; its actions are zero unless given."""
    actions = np.zeros((horizon, DIM)) if actions is None else np.asarray(actions, dtype=float)
    values = {'stamp': tick(at), 'period': PERIOD, 'actions': actions, 'names': NAMES, 'run_id': 1,
              'chunk_id': chunk_id, 'episode_id': EPISODE}
    return Chunk(**{**values, **changes})


def line(at, horizon, slope=0.5, base=0.1):
    """(H, 9) rows that follow one straight motion, whatever tick they start at."""
    rows = np.zeros((horizon, DIM))
    rows[:, 0] = slope * (at + np.arange(horizon))
    rows[:, 6] = base
    return rows


def executor(state=REST, **settings):
    """An executor whose episode has just begun."""
    ex = ChunkExecutor(ExecutorConfig(**settings))
    ex.set_policy(PolicyTraits(horizon=16, n_action_steps=16, action_spread=SPREAD))
    ex.begin(EPISODE, state, tick(0))
    return ex


def drive(ex, ticks, make_actions, delay=0, first=0, state=REST):
    """Run `ticks` ticks with a policy that answers every request after `delay` ticks.

    Args:
        make_actions: called with the request and its tick, returns (H, 9).

    Returns:
        the commands, the requests and the verdicts.
    """
    commands, requests, verdicts, flying = [], [], [], []
    for number in range(first, first + ticks):
        now = tick(number)
        request = ex.request(now)
        if request is not None:
            requests.append(request)
            answer = chunk(number, actions=make_actions(request, number), chunk_id=request.request_id)
            flying.append((number + delay, answer))
        for arrival, answer in [item for item in flying if item[0] <= number]:
            verdicts.append(ex.add(answer, now))
        flying = [item for item in flying if item[0] > number]
        commands.append(ex.step(now, state))
    return commands, requests, verdicts
