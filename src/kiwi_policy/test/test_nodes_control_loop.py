"""The control thread on a fake robot: deadlines, faults, reconnection, the order of the last calls."""

import threading
import time

import numpy as np
import pytest
from nodes_support import HOME, FakeRobot

from kiwi_policy.core.blind_base import BLIND
from kiwi_policy.core.chunk import Chunk
from kiwi_policy.core.executor import ChunkExecutor, ExecutorConfig, Source, State
from kiwi_policy.core.features import NAMES
from kiwi_policy.hardware.interface import HardwareError
from kiwi_policy.nodes.control_loop import ControlLoop
from kiwi_policy.nodes.ticks import TickClock

PERIOD = 0.01
SLEEP = time.sleep


class Rig:
    """A loop at 100 Hz with everything it did."""

    def __init__(self, blind_timeout=BLIND, **options):
        self.robot = FakeRobot()
        self.robot.connect()
        self.core = ChunkExecutor(ExecutorConfig(period=PERIOD), blind_timeout=blind_timeout)
        self.clock = TickClock(PERIOD, time.monotonic() + PERIOD, 10**18)
        self.ticks = []
        self.fail = None
        self._ticked = threading.Condition()
        self.loop = ControlLoop(self.core, self.robot, self.clock, self._on_tick,
                                **({'bus_timeout': 0.05, 'reconnect_interval': 0.02} | options))

    def _on_tick(self, tick):
        with self._ticked:
            self.ticks.append(tick)
            self._ticked.notify_all()
        if self.fail:
            raise self.fail

    def until(self, condition, seconds=10.0):
        with self._ticked:
            assert self._ticked.wait_for(condition, seconds), 'the condition was not met in time'

    def ask(self, function):
        return self.loop.submit(function).result(5.0)

    def run_chunk(self, drive=0.1, rows=2000):
        """Begin an episode and hand over a chunk that drives forward."""
        self.ask(lambda now, state: self.core.begin('e', state, now))
        actions = np.tile(HOME, (rows, 1))
        actions[:, 6] = drive
        return self.ask(lambda now, _state: self.core.add(Chunk(now, PERIOD, actions, NAMES, 1, 1, 'e'), now))


@pytest.fixture
def rig():
    rig = Rig()
    rig.loop.start()
    yield rig
    rig.loop.stop()


def test_idle_keeps_the_base_at_rest_and_writes_no_goal(rig):
    rig.until(lambda: len(rig.ticks) >= 5)
    assert set(rig.robot.names()[1:]) == {'hold'}
    assert all(tick.command.source is Source.IDLE for tick in rig.ticks[:5])
    assert np.array_equal(rig.ticks[3].measured, HOME)


def test_ticks_lie_on_the_grid(rig):
    rig.until(lambda: len(rig.ticks) >= 20)
    stamps = [tick.stamp for tick in rig.ticks]
    offsets = [(stamp - 10**18) / (PERIOD * 1e9) for stamp in stamps]
    assert all(abs(offset - round(offset)) < 1e-6 for offset in offsets)
    assert stamps == sorted(set(stamps))
    assert [rig.clock.to_monotonic(tick.stamp) for tick in rig.ticks] == [tick.now for tick in rig.ticks]


def test_a_chunk_drives_and_a_request_is_made(rig):
    assert rig.run_chunk().accepted
    rig.until(lambda: rig.ticks[-1].state is State.RUNNING and rig.robot.state[6] > 0)
    requests = [tick.request for tick in rig.ticks if tick.request]
    assert requests and requests[0].episode_id == 'e'


def test_the_last_call_is_a_base_at_rest(rig):
    rig.run_chunk()
    rig.until(lambda: rig.robot.state[6] > 0)
    assert rig.loop.stop()
    assert rig.robot.names()[-2:] == ['write', 'hold']
    assert rig.robot.state[6] == 0.0


def test_a_failing_publisher_ends_in_a_base_at_rest():
    rig = Rig()
    rig.loop.start()
    rig.run_chunk()
    rig.until(lambda: rig.robot.state[6] > 0)
    rig.fail = RuntimeError('publisher is gone')
    rig.loop._thread.join(5.0)
    assert not rig.loop.running
    assert 'publisher is gone' in rig.loop.crash
    assert rig.robot.names()[-1] == 'hold'


def test_a_stopped_loop_refuses_functions():
    rig = Rig()
    rig.loop.start()
    rig.until(lambda: rig.ticks)
    rig.loop.stop()
    assert rig.loop.submit(lambda _now, _state: None).cancelled()


def test_a_function_never_gets_an_old_measurement():
    rig = Rig(bus_timeout=60.0)
    rig.loop.start()
    try:
        rig.until(lambda: rig.ticks)
        assert np.array_equal(rig.ask(lambda _now, state: state), HOME)
        rig.robot.broken.set()
        rig.until(lambda: rig.ticks[-1].measured is None)
        assert rig.ask(lambda _now, state: state) is None
    finally:
        rig.loop.stop()


def test_an_error_in_a_function_goes_to_its_asker_only(rig):
    def wrong(_now, _state):
        raise ValueError('mine')

    with pytest.raises(ValueError, match='mine'):
        rig.ask(wrong)
    count = len(rig.ticks)
    rig.until(lambda: len(rig.ticks) > count + 3)


def test_a_lost_robot_is_a_latched_fault_and_is_reached_again(rig):
    rig.run_chunk()
    rig.until(lambda: rig.robot.state[6] > 0)
    rig.robot.broken.set()
    rig.until(lambda: rig.ticks[-1].state is State.FAULT)
    assert 'the cable is out' in rig.core.status(0.0).reason
    count = len(rig.ticks)
    rig.until(lambda: len(rig.ticks) > count + 10)          # the loop goes on while the robot is away
    assert rig.ticks[-1].measured is None
    rig.robot.broken.clear()
    rig.until(lambda: rig.ticks[-1].measured is not None)
    calls = rig.robot.names()
    assert 'write' not in calls[len(calls) - calls[::-1].index('connect'):]    # no old goal after reconnecting
    assert rig.core.state is State.FAULT
    assert rig.ask(lambda _now, _state: rig.core.reset())
    rig.until(lambda: rig.ticks[-1].state is State.IDLE)


def test_a_fault_in_idle_passes_when_the_robot_answers_again(rig):
    rig.until(lambda: rig.ticks)
    rig.robot.broken.set()
    rig.until(lambda: rig.ticks[-1].state is State.FAULT)
    rig.robot.broken.clear()
    rig.until(lambda: rig.ticks[-1].state is State.IDLE)
    rig.until(lambda: rig.ticks[-1].measured is not None)


def test_a_stop_is_not_undone_by_a_lost_robot(rig):
    rig.ask(lambda _now, _state: rig.core.stop())
    rig.robot.broken.set()
    rig.until(lambda: rig.ticks[-1].state is State.FAULT)
    rig.robot.broken.clear()
    rig.until(lambda: rig.ticks[-1].measured is not None)
    count = len(rig.ticks)
    rig.until(lambda: len(rig.ticks) > count + 5)
    assert rig.core.state is State.FAULT


def test_a_short_silence_is_no_fault():
    rig = Rig(bus_timeout=5.0)
    rig.loop.start()
    rig.run_chunk()
    rig.until(lambda: rig.robot.state[6] > 0)
    rig.robot.broken.set()
    rig.until(lambda: rig.ticks[-1].measured is None)
    rig.robot.broken.clear()
    rig.until(lambda: rig.ticks[-1].measured is not None)
    assert rig.core.state is State.RUNNING
    assert rig.loop.bus_errors > 0
    rig.loop.stop()


def silent():
    raise HardwareError('no reply')


def test_the_base_of_a_silent_robot_rests_before_the_fault():
    rig = Rig(blind_timeout=0.05, bus_timeout=5.0)
    rig.loop.start()
    rig.run_chunk()
    rig.until(lambda: rig.robot.state[6] > 0)
    rig.robot.read = silent
    rig.until(lambda: rig.robot.state[6] == 0)             # still written to
    assert rig.core.state is State.RUNNING and rig.loop.blind_stops == 1
    del rig.robot.read
    rig.until(lambda: rig.robot.state[6] > 0)
    rig.loop.stop()


def test_a_slow_cycle_skips_ticks_and_counts_them():
    rig = Rig()
    rig.robot.read = lambda: (time.sleep(3.5 * PERIOD), HOME.copy())[1]
    rig.loop.start()
    rig.until(lambda: len(rig.ticks) >= 4)
    rig.loop.stop()
    steps = np.diff([tick.now for tick in rig.ticks]) / PERIOD
    assert np.all(np.round(steps) >= 3)
    assert rig.loop.missed_ticks >= 9


def test_jitter_is_how_late_a_tick_starts_and_a_long_one_is_missed_ticks_instead():
    rig = Rig()
    lengths = iter([3.5 * PERIOD])
    read = rig.robot.read
    rig.robot.read = lambda: (time.sleep(next(lengths, 0.0)), read())[1]
    rig.loop.start()
    rig.until(lambda: len(rig.ticks) >= 10)
    rig.loop.stop()
    assert rig.loop.missed_ticks >= 3
    assert rig.loop.jitter.count == rig.loop.cycle.count == rig.loop.bus.count == len(rig.ticks)
    assert rig.loop.bus.largest >= 3.5 * PERIOD and rig.loop.cycle.largest >= rig.loop.bus.largest
    assert rig.loop.scheduling


def test_a_late_start_is_one_late_tick(monkeypatch):
    rig = Rig()
    late = iter([0.0, 0.0, 5 * PERIOD])
    monkeypatch.setattr('kiwi_policy.nodes.control_loop.time.sleep', lambda seconds: SLEEP(seconds + next(late, 0.0)))
    rig.loop.start()
    rig.until(lambda: len(rig.ticks) >= 6)
    rig.loop.stop()
    assert sum(rig.loop.jitter.shares([4.5 * PERIOD])[1:]) >= 1
    assert rig.loop.jitter.largest >= 5 * PERIOD
    rig.loop.clear_timing()
    assert rig.loop.jitter.count == rig.loop.bus.count == 0


def test_a_limp_robot_is_read_and_not_commanded(rig):
    rig.ask(lambda _now, _state: rig.core.operator.release())
    before, ticks = len(rig.robot.names()), len(rig.ticks)
    rig.until(lambda: len(rig.ticks) >= ticks + 5)
    assert rig.robot.names()[before + 1:] == []
    assert rig.ticks[-1].measured is not None


def test_a_limp_robot_that_was_lost_is_limp_when_it_is_back(rig):
    rig.ask(lambda _now, _state: rig.core.operator.release())
    rig.robot.broken.set()
    rig.until(lambda: not rig.loop.connected)
    rig.robot.broken.clear()
    rig.until(lambda: rig.loop.connected and rig.ticks[-1].measured is not None)
    assert rig.core.state is State.LIMP


def test_what_may_be_skipped_is_done_beside_the_loop():
    done = []
    rig = Rig(aside=lambda index, now: done.append((index, now)))
    rig.loop.start()
    rig.until(lambda: len(done) >= 3)
    rig.robot.broken.set()
    rig.until(lambda: rig.ticks[-1].measured is None)
    seen = len(done)
    rig.until(lambda: len([tick for tick in rig.ticks if tick.measured is None]) >= 3)
    assert len(done) <= seen + 1
    rig.loop.stop()
    assert all(rig.clock.time(index) == now for index, now in done)
