"""The executors of the benchmark: what each does with the chunks that a link delivers."""

from dataclasses import replace

import numpy as np
import pytest
from evaluation_fakes import HORIZON, PERIOD, Track, Walker
from executor_bench_support import BOUNDLESS, chunk, rolled
from kiwi_policy.core.executor import PolicyTraits
from kiwi_policy.core.features import ARM, BASE, DIM, GRIPPER
from kiwi_policy.core.records import Command
from kiwi_policy.core.states import Source, State
from kiwi_training.executor_bench.audit import Audit
from kiwi_training.executor_bench.variants import SYNC, VARIANTS
from kiwi_training.rollouts import RolloutSettings, run_rollout

ALIGNED = [name for name, variant in VARIANTS.items() if variant.kind == 'chunk' and name != SYNC]
LEROBOT = ['weighted_average', 'latest_only']


@pytest.mark.parametrize('latency', [0.0, 0.1])
@pytest.mark.parametrize('executor', VARIANTS)
def test_a_policy_that_knows_the_way_succeeds_with_every_executor(executor, latency):
    runs = rolled(executor, latency=latency)
    assert all(run.trial.rollout.success for run in runs)
    assert all(run.trial.rollout.status.underruns == 0 for run in runs) or (executor == SYNC and latency)


@pytest.mark.parametrize('profile', ['latency_300', 'jitter', 'drops', 'duplicates', 'reordering', 'pauses'])
@pytest.mark.parametrize('executor', ALIGNED)
def test_aligned_executors_run_nothing_expired(executor, profile):
    runs = rolled(executor, profile)
    assert all(run.executed > 0 and run.expired == 0 for run in runs)


def test_the_naive_executor_runs_everything_expired_once_chunks_are_late():
    assert all(run.expired == 0 for run in rolled('naive', 'latency_0'))
    assert all(run.expired == run.executed > 0 for run in rolled('naive', 'latency_200'))


@pytest.mark.parametrize('executor', LEROBOT)
def test_lerobots_first_chunk_is_run_late_and_the_next_ones_are_not(executor):
    for run in rolled(executor, 'latency_100'):
        assert 0 < run.expired <= HORIZON < run.executed
        assert run.trial.rollout.status.underruns == 0


def test_one_period_late_is_not_expired():
    class Says:
        def add(self, chunk, now):
            pass

        def step(self, now, state):
            return Command(np.zeros(DIM), Source.CHUNK, 1, 1, 0)

    audit = Audit(Says())
    audit.add(chunk(tick=0), 0.0)
    for tick, expired in ((0, 0), (1, 0), (2, 1), (3, 2)):
        audit.step(tick * PERIOD, np.zeros(DIM))
        assert audit.expired == expired
    assert audit.executed == 4


def started(name, **settings):
    """An executor of a variant in its episode, with limits that bind nothing."""
    variant = VARIANTS[name]
    policy, make = variant.prepare(Walker())
    executor = make(replace(variant.config(), limits=BOUNDLESS, ramp_speed=1e9, **settings))
    executor.set_policy(PolicyTraits(HORIZON, HORIZON, np.full(DIM, 10.0)))
    executor.begin('e', np.zeros(DIM), 0.0)
    return executor, policy


def ask(executor, policy, tick):
    """True where the executor asks, and the policy begins to answer."""
    request = executor.request(tick * PERIOD)
    if request is None:
        return False
    policy.predict([{'observation.state': np.ones(DIM)}])
    return True


@pytest.mark.parametrize('executor, keeps', [(name, not name.startswith('kiwi')) for name in VARIANTS])
def test_only_ours_brings_the_base_to_rest_when_actions_run_out(executor, keeps):
    ex, policy = started(executor)
    actions = np.tile([0, 0, 0, 0, 0, 50.0, 0.2, 0.0, 30.0], (HORIZON, 1))
    assert ask(ex, policy, 0)
    ex.add(chunk(actions=actions), 0.0)
    commands = [ex.step(0.0, np.zeros(DIM))]
    for tick in range(1, 3 * HORIZON):
        ask(ex, policy, tick)
        commands.append(ex.step(tick * PERIOD, np.zeros(DIM)))
    assert commands[HORIZON - 2].values[BASE] == pytest.approx([0.2, 0.0, 30.0])
    assert ex.state is State.STARVED and ex.status(3 * HORIZON * PERIOD).underruns == 1
    assert commands[-1].source is Source.HOLD
    assert commands[-1].values[BASE] == pytest.approx([0.2, 0.0, 30.0] if keeps else [0.0] * 3, abs=1e-6)
    assert commands[-1].values[GRIPPER] == pytest.approx(50.0)


@pytest.mark.parametrize('gated', [False, True])
def test_the_ensemble_averages_both_sides_unless_it_is_gated(gated):
    ex, _ = started('ensemble_gated' if gated else 'ensemble')
    for tick, pan in ((0, -40.0), (1, 40.0)):
        actions = np.zeros((HORIZON, DIM))
        actions[:, 0] = pan
        ex.add(chunk(tick, tick + 1, actions), tick * PERIOD)
        command = ex.step(tick * PERIOD, np.zeros(DIM))
    assert command.values[0] == pytest.approx(-40.0 if gated else 0.0, abs=1.0)
    assert ex.status(PERIOD).dissents == gated


def test_the_ensemble_is_acts():
    torch = pytest.importorskip('torch')
    from lerobot.policies.act.modeling_act import ACTTemporalEnsembler
    ex, _ = started('ensemble')
    theirs, rng = ACTTemporalEnsembler(0.01, HORIZON), np.random.default_rng(0)
    for tick in range(3 * HORIZON):
        actions = 10.0 * rng.normal(size=(HORIZON, DIM))
        assert ex.request(tick * PERIOD) is not None
        ex.add(chunk(tick, tick + 1, actions), tick * PERIOD)
        expected = theirs.update(torch.from_numpy(actions)[None])[0].numpy()
        np.testing.assert_allclose(ex.step(tick * PERIOD, np.zeros(DIM)).values, expected, atol=1e-6)


def steps_at_a_takeover(name):
    ex, _ = started(name)
    pans = []
    for tick in range(12):
        if tick in (0, 4):
            actions = np.zeros((HORIZON, DIM))
            actions[:, 0] = 2.0 * tick
            ex.add(chunk(tick, tick + 1, actions), tick * PERIOD)
        pans.append(ex.step(tick * PERIOD, np.zeros(DIM)).values[0])
    return np.diff(pans)


def test_seams_are_hard_or_faded():
    assert steps_at_a_takeover('kiwi_hard_switch').max() == pytest.approx(8.0)
    assert steps_at_a_takeover('aligned').max() == pytest.approx(8.0)
    assert steps_at_a_takeover('kiwi').max() < 2.0


def test_the_naive_executor_begins_anew_with_every_arrival():
    ex, _ = started('naive')
    actions = np.zeros((HORIZON, DIM))
    actions[:, ARM] = np.arange(HORIZON)[:, None]
    first, second = chunk(0, 1, actions), chunk(4, 2, actions)
    rows = []
    for tick, arrived in enumerate([(), (first,), (), (first,), (), (), (second,), (), (first,), ()]):
        for each in arrived:
            ex.add(each, (tick - 0.4) * PERIOD)
        command = ex.step(tick * PERIOD, np.zeros(DIM))
        rows.append((command.chunk_id, command.index))
    assert rows == [(0, -1), (1, 0), (1, 1), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (1, 0), (1, 1)]


def test_all_run_at_the_same_limits_and_rate():
    configs = [variant.config(PERIOD) for variant in VARIANTS.values()]
    assert len({config.limits for config in configs}) == len({config.period for config in configs}) == 1
    assert len({config.ramp_speed for config in configs}) == 1


def test_a_rollout_needs_no_network_and_passes_what_it_is_given():
    class Lossy:
        def __init__(self):
            self.sent = 0

        def send(self, chunk, now):
            self.sent += 1
            return [] if self.sent == 1 else [(now, chunk), (now, chunk)]

    settings = RolloutSettings(VARIANTS['kiwi'].config(), latency=0.1, time_limit=6.0)
    plain, network = run_rollout(Track(), Walker(), settings, 0), Lossy()
    lossy = run_rollout(Track(), Walker(), settings, 0, network=network)
    assert plain.status.lost == 0 and plain.status.rejected == 0
    assert lossy.status.lost == 1 and lossy.seconds > plain.seconds + 0.3
    assert lossy.status.reject_counts['duplicate'] == network.sent - 1 == lossy.status.accepted


def test_the_same_seeds_meet_the_same_faults():
    again = [[run.trial.rollout.seconds for run in rolled('kiwi', 'drops', seeds=(4, 5))] for _ in range(2)]
    assert again[0] == again[1]
    assert all(run.processor_seconds >= 0 for run in rolled('kiwi', 'drops', seeds=(4,)))
