"""Links of the executor benchmark: what happens to chunks, and that it is the same for every executor."""

import numpy as np
import pytest
from evaluation_fakes import PERIOD
from executor_bench_support import chunk
from kiwi_training.executor_bench.profiles import COPY_AFTER, PROFILES, Link, Profile


def travel(link, ticks, latency=0.15):
    """[(tick asked, arrival - due)] of chunks asked for at every tick, in order of arrival."""
    arrivals = []
    for tick in range(ticks):
        arrivals += link.send(chunk(tick, tick), tick * PERIOD + latency)
    arrivals.sort(key=lambda item: item[0])
    return [(each.chunk_id, time - each.stamp - latency) for time, each in arrivals]


@pytest.mark.parametrize('name', [name for name, profile in PROFILES.items() if profile.fixed])
def test_a_link_of_fixed_latency_changes_nothing(name):
    assert PROFILES[name].latency == pytest.approx(int(name.split('_')[1]) / 1e3)
    assert travel(Link(PROFILES[name], 3, PERIOD), 50) == [(tick, pytest.approx(0.0)) for tick in range(50)]


def test_drops():
    lost = 4000 - len(travel(Link(PROFILES['drops'], 0, PERIOD), 4000))
    assert 0.03 < lost / 4000 < 0.07


def test_duplicates():
    seen = travel(Link(PROFILES['duplicates'], 0, PERIOD), 4000)
    copies = [late for _, late in seen if late > 1e-6]
    assert {tick for tick, _ in seen} == set(range(4000))
    assert 0.03 < len(copies) / 4000 < 0.07 and copies == pytest.approx([COPY_AFTER] * len(copies))


def test_reordering():
    order = [tick for tick, _ in travel(Link(PROFILES['reordering'], 0, PERIOD), 4000)]
    behind = [tick for before, tick in zip(order, order[1:]) if tick < before]
    assert sorted(order) == list(range(len(order))) and len(order) >= 3999
    assert 0.07 < len(behind) / 4000 < 0.13
    assert all(order[order.index(tick) - 1] == tick + 1 for tick in behind)


def test_jitter():
    late = [late for _, late in travel(Link(PROFILES['jitter'], 0, PERIOD), 4000)]
    assert min(late) > 0
    assert np.median(late) == pytest.approx(0.05, rel=0.1)
    assert np.percentile(late, 95) == pytest.approx(0.3, rel=0.15)


def test_pauses():
    times = np.array([time for tick in range(1800) for time, _ in
                      Link(PROFILES['pauses'], 7, PERIOD).send(chunk(tick, tick), tick * PERIOD)])
    late = times - np.arange(1800) * PERIOD
    starts = np.flatnonzero((late[1:] > 1e-9) & (late[:-1] < 1e-9)) + 1
    assert np.all(late <= 1.0) and np.all(np.diff(times) >= 0)
    assert np.all((np.diff(starts) * PERIOD > 2.9) & (np.diff(starts) * PERIOD < 5.1))
    assert len(starts) >= 60 / 5 - 1
    assert np.mean(late > 0) == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize('name', ['jitter', 'drops', 'duplicates', 'pauses'])
def test_the_fate_of_a_chunk_is_that_of_its_tick(name):
    everything = {}
    for tick, late in travel(Link(PROFILES[name], 5, PERIOD), 300):
        everything.setdefault(tick, []).append(late)
    link = Link(PROFILES[name], 5, PERIOD)
    for tick in range(0, 300, 7):
        arrivals = [time - tick * PERIOD - 0.15 for time, _ in link.send(chunk(tick, 1), tick * PERIOD + 0.15)]
        assert arrivals == pytest.approx(everything.get(tick, []))
    assert travel(Link(PROFILES[name], 6, PERIOD), 300) != travel(Link(PROFILES[name], 5, PERIOD), 300)


@pytest.mark.parametrize('changes, message', [
    ({'latency': -0.1}, 'latency of profile x must be s >= 0, got -0.1'),
    ({'lost': 1.5}, 'lost of profile x must lie in 0..1, got 1.5'),
    ({'late_median': 0.1}, 'late_p95 of profile x'),
    ({'pause': 4.0}, 'pause_every of profile x'),
])
def test_impossible_profiles_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Profile('x', 'x', **changes)
