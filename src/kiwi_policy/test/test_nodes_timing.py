"""Ticks and stamps, histograms, the inference worker, throttled complaints."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiwi_policy.core.chunk import Chunk
from kiwi_policy.core.executor import ChunkExecutor, ExecutorConfig, PolicyTraits
from kiwi_policy.core.feasibility import Infeasible
from kiwi_policy.core.features import NAMES
from kiwi_policy.nodes.complaints import Complaints
from kiwi_policy.nodes.jitter import Histogram
from kiwi_policy.nodes.ticks import TickClock
from kiwi_policy.nodes.worker import NewestJobWorker

EPOCH = 1_700_000_000_123_456_789


@pytest.fixture
def clock():
    return TickClock(1 / 30, start=100.0, stamp=EPOCH, remembered=50)


def test_a_stamp_maps_back_to_its_tick_exactly(clock):
    stamps = [clock.stamp(index) for index in range(40)]
    assert [clock.to_monotonic(stamp) for stamp in stamps] == [100.0 + index / 30 for index in range(40)]
    assert len(set(np.diff(stamps).tolist())) <= 2


def test_a_newer_unknown_stamp_lies_in_the_future(clock):
    now = clock.time(9)
    newest = clock.stamp(9)
    assert clock.to_monotonic(newest + 1) == pytest.approx(now + 1 / 30)
    assert clock.to_monotonic(newest + 10**9) == pytest.approx(now + 1.0)


def test_an_unknown_or_forgotten_stamp_is_older_than_every_tick(clock):
    first = clock.stamp(0)
    assert clock.to_monotonic(first - 1) < 0
    for index in range(1, 51):
        clock.stamp(index)
    assert clock.to_monotonic(first) < 0
    assert clock.to_monotonic(clock.stamp(50) - 1000) < 0


def test_the_tick_after_an_overrun(clock):
    assert clock.index_at(99.0) == 0
    assert clock.index_at(100.0 + 3.2 / 30) == 4
    assert clock.time(clock.index_at(100.0 + 7.0001 / 30)) > 100.0 + 7.0001 / 30


def test_the_clock_wants_a_period():
    with pytest.raises(ValueError, match='period'):
        TickClock(0.0, 0.0, 0)


def test_histogram_percentiles_are_within_a_bin():
    durations = np.random.default_rng(3).gamma(2.0, 1e-3, 20000)
    histogram = Histogram()
    for duration in durations:
        histogram.add(duration)
    for percent in (5, 50, 95, 99):
        exact = np.percentile(durations, percent)
        assert exact <= histogram.percentile(percent) * 1.001 and histogram.percentile(percent) < 1.05 * exact
    assert histogram.percentile(100) == pytest.approx(durations.max())


def test_histogram_takes_early_and_late_alike_and_forgets():
    histogram = Histogram()
    assert histogram.percentile(99) == 0.0
    histogram.add(-0.002)
    histogram.add(0.002)
    assert histogram.percentile(99) == pytest.approx(0.002) and histogram.count == 2
    histogram.clear()
    assert histogram.percentile(99) == 0.0


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(1e-5, 5.0), max_size=100), st.lists(st.floats(1e-4, 2.0), min_size=1, max_size=5, unique=True))
def test_a_histogram_is_shared_out_over_intervals(durations, edges):
    histogram, edges = Histogram(), sorted(edges)
    for duration in durations:
        histogram.add(duration)
    shares = histogram.shares(edges)
    assert sum(shares) == len(durations)
    for index, edge in enumerate(edges):
        assert sum(d < 0.95 * edge for d in durations) <= sum(shares[:index + 1]) <= sum(d <= 1.05 * edge for d in durations)


def test_the_newest_job_wins_and_errors_do_not_end_the_thread():
    done, errors = [], []
    entered, released = threading.Event(), threading.Event()

    def work(job):
        if job == 'slow':
            entered.set()
            released.wait(10)
        if job == 'bad':
            raise RuntimeError('no')
        done.append(job)

    worker = NewestJobWorker(work, lambda job, error: errors.append((job, str(error))))
    worker.start()
    worker.submit('slow')
    assert entered.wait(10)
    for job in ('first', 'second', 'bad'):
        worker.submit(job)
    assert worker.waiting()
    finished = threading.Event()
    released.set()
    while not errors:
        finished.wait(0.005)
    worker.submit('after')
    while 'after' not in done:
        finished.wait(0.005)
    assert worker.close()
    assert done == ['slow', 'after']
    assert errors == [('bad', 'no')]
    assert worker.replaced == 2


def test_complaints_are_throttled_and_the_recovery_announced_once():
    said = []
    complaints = Complaints(lambda text: said.append(('warn', text)), lambda text: said.append(('ok', text)), 2.0)
    complaints.recovered('fine', 0.0)
    for second in (1.0, 1.5, 2.0, 3.1):
        complaints.complain('camera front is late', second)
    complaints.recovered('chunks are made again', 4.0)
    complaints.recovered('chunks are made again', 5.0)
    assert said == [('warn', 'camera front is late'), ('warn', 'camera front is late (4 times in 2.1 s)'),
                    ('ok', 'chunks are made again after 3.0 s')]


def test_a_measured_delay_that_was_forgotten_no_longer_refuses():
    executor = ChunkExecutor(ExecutorConfig())
    executor.set_policy(PolicyTraits(horizon=32, latency_p95=0.1))
    executor.begin('e', np.zeros(9), 0.0)
    assert executor.request(0.0) is not None
    executor.add(Chunk(0.0, 1 / 30, np.zeros((32, 9)), NAMES, 1, 1, 'e'), 0.9)
    executor.end()
    with pytest.raises(Infeasible, match='0.900 s per chunk'):
        executor.check_feasible()
    executor.forget_latency()
    executor.check_feasible()
