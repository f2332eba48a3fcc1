import math
from dataclasses import fields

import numpy as np
import pytest
from core_support import EPISODE, PERIOD, REST, SPREAD, chunk, drive, executor, line, tick
from kiwi_policy.core.executor import ChunkExecutor, ExecutorConfig, ExecutorError, PolicyTraits, State, Status
from kiwi_policy.core.features import BASE, DIM, POSITIONS
from kiwi_policy.core.prefix import Prefix
from kiwi_policy.core.states import Source

POSE = np.array([5.0, -60.0, 50.0, 60.0, -90.0, 40.0, 0.1, -0.1, 10.0])


def test_the_numbers_are_those_of_the_messages():
    assert [state.name for state in State] == [
        'IDLE', 'WAITING', 'RAMPING', 'RUNNING', 'STARVED', 'STOPPED', 'FAULT', 'MOVING', 'LIMP', 'TAKEOVER']
    assert [source.name for source in Source] == ['IDLE', 'HOLD', 'RAMP', 'CHUNK', 'POSE', 'OPERATOR']
    assert list(State) == list(range(10)) and list(Source) == list(range(6))


def test_idle_follows_the_measured_pose_and_asks_nothing():
    ex = ChunkExecutor()
    command = ex.step(tick(0), POSE)
    assert command.source is Source.IDLE
    assert command.values[POSITIONS] == pytest.approx(POSE[POSITIONS])
    assert np.all(command.values[BASE] == 0.0)
    assert ex.request(tick(0)) is None


def test_an_episode_from_waiting_to_idle():
    ex = executor(state=POSE, ramp_speed=60.0)
    assert ex.state is State.WAITING
    command = ex.step(tick(0), POSE)
    assert command.source is Source.HOLD
    assert command.values[POSITIONS] == pytest.approx(POSE[POSITIONS])
    assert np.all(command.values[BASE] == 0.0)
    target = np.tile(POSE, (8, 1))
    target[:, 0] += 5.0
    ex.add(chunk(1, actions=target), tick(1))
    seen = []
    for number in range(1, 12):
        ex.step(tick(number), POSE)
        seen.append(ex.state)
    assert seen == [State.RAMPING] * 2 + [State.RUNNING] * 6 + [State.STARVED] * 3
    ex.end('done')
    assert (ex.state, ex.status(tick(12)).reason) == (State.IDLE, 'done')
    assert ex.status(tick(12)).episode_id == ''
    assert ex.step(tick(12), POSE).source is Source.IDLE


@pytest.mark.parametrize('mode', ['sync', 'latest', 'ensemble'])
def test_stop_is_latched_holds_the_arm_and_rests_the_base_at_once(mode):
    ex = executor(mode=mode, ramp_speed=1e9)
    commands, _, _ = drive(ex, 10, lambda request, number: line(number, 16))
    ex.stop('operator')
    for number in range(10, 20):
        command = ex.step(tick(number), POSE)
        assert command.source is Source.HOLD
        assert command.values[POSITIONS] == pytest.approx(commands[-1].values[POSITIONS])
        assert np.all(command.values[BASE] == 0.0)
        assert ex.request(tick(number)) is None
    ex.end()
    assert ex.state is State.STOPPED
    with pytest.raises(ExecutorError, match='operator'):
        ex.begin('episode-2', POSE, tick(20))
    assert ex.reset()
    assert ex.state is State.IDLE
    assert not ex.reset()
    ex.begin('episode-2', POSE, tick(21))
    assert ex.state is State.WAITING


def test_a_stop_before_any_command_holds_the_measured_pose():
    ex = ChunkExecutor()
    ex.stop()
    command = ex.step(tick(0), POSE)
    assert command.source is Source.HOLD
    assert command.values[POSITIONS] == pytest.approx(POSE[POSITIONS])


def test_a_fault_outlives_a_stop_and_says_why():
    ex = executor()
    ex.fault('bus: no answer from servo 3')
    ex.stop()
    assert ex.state is State.FAULT
    assert ex.status(tick(0)).reason == 'bus: no answer from servo 3'
    assert ex.reset() and ex.state is State.IDLE


@pytest.mark.parametrize('state', [np.full(DIM, np.nan), np.zeros(8)])
def test_a_state_that_cannot_be_is_a_fault_and_the_command_stays_finite(state):
    ex = executor(state=POSE)
    command = ex.step(tick(0), state)
    assert ex.state is State.FAULT
    assert command.source is Source.HOLD
    assert command.values[POSITIONS] == pytest.approx(POSE[POSITIONS])


def test_begin_refuses_what_cannot_start():
    ex = executor()
    with pytest.raises(ExecutorError, match=EPISODE):
        ex.begin('episode-2', REST, tick(0))
    with pytest.raises(ValueError, match='episode_id'):
        ChunkExecutor().begin('', REST, tick(0))
    with pytest.raises(ValueError, match='finite'):
        ChunkExecutor().begin('episode-1', np.full(DIM, np.inf), tick(0))


def test_sync_runs_its_rows_holds_asks_and_reports_the_pause():
    ex = executor(mode='sync', n_action_steps=10, ramp_speed=1e9, seam_ticks=0)
    commands, requests, verdicts = drive(ex, 45, lambda request, number: line(0, 16), delay=4)
    assert all(verdict.accepted for verdict in verdicts)
    indices = [command.index for command in commands]
    assert indices == [-1] * 4 + (list(range(10)) + [-1] * 4) * 2 + list(range(10)) + [-1] * 3
    assert [request.stamp for request in requests] == pytest.approx([tick(0), tick(14), tick(28), tick(42)])
    status = ex.status(tick(44))
    assert status.underruns == 3 and status.skipped == 0
    assert status.reason == 'sync pause: waiting for the next chunk'
    assert status.starved_seconds == pytest.approx(11 * PERIOD)


def test_sync_with_an_instant_policy_never_pauses():
    ex = executor(mode='sync', n_action_steps=8, ramp_speed=1e9)
    commands, requests, _ = drive(ex, 40, lambda request, number: line(number, 16))
    assert [command.index for command in commands] == list(range(8)) * 5
    assert ex.status(tick(39)).underruns == 0
    assert len(requests) == 5


@pytest.mark.parametrize('delay', [0, 1, 3, 6])
def test_latest_asks_every_quarter_chunk_and_never_runs_dry(delay):
    ex = executor(ramp_speed=1e9)
    commands, requests, _ = drive(ex, 100, lambda request, number: line(number, 32), delay)
    spacing = np.diff([request.stamp for request in requests]) / PERIOD
    assert spacing == pytest.approx(8.0)
    assert ex.status(tick(99)).underruns == 0
    assert ex.status(tick(99)).request_interval == pytest.approx(8 * PERIOD)
    assert all(command.source is Source.CHUNK for command in commands[delay:])


def test_latest_asks_early_enough_to_bridge_a_whole_chunk():
    ex = executor(ramp_speed=1e9, replan_interval=16 * PERIOD, initial_latency=0.0)
    ex.set_policy(PolicyTraits(16, 16, SPREAD, latency_p95=4 * PERIOD))
    drive(ex, 100, lambda request, number: line(number, 16), delay=4)
    assert ex.status(tick(99)).underruns == 0


def test_ensemble_asks_more_often_and_reports_its_overlap():
    ex = executor(mode='ensemble', ensemble_interval=2 * PERIOD, ramp_speed=1e9)
    _, requests, _ = drive(ex, 100, lambda request, number: line(number, 16))
    assert np.diff([request.stamp for request in requests]) / PERIOD == pytest.approx(2.0)
    assert 7.0 < ex.status(tick(99)).overlap <= 8.0


def test_a_lost_request_is_asked_again_and_a_late_answer_still_counts():
    ex = executor(request_timeout=0.5, mode='sync')
    asked = [number for number in range(40) if ex.request(tick(number)) is not None]
    assert asked == [0, 15, 30]
    assert ex.status(tick(40)).lost == 2
    assert ex.add(chunk(15), tick(40)).accepted
    assert ex.status(tick(40)).latency_p50 == pytest.approx(25 * PERIOD)


def test_the_committed_prefix_is_what_will_run():
    ex = executor(ramp_speed=1e9, initial_latency=0.1, seam_ticks=0, replan_interval=8 * PERIOD)
    commands, requests, _ = drive(ex, 40, lambda request, number: line(number, 16) + 0.01 * number, delay=3)
    assert len(requests[0].committed) == 0
    for request in requests[1:-1]:
        first = round((request.stamp - tick(0)) / PERIOD)
        assert request.committed.shape == (3, DIM)
        ran = np.array([command.values for command in commands[first:first + 3]])
        assert request.committed == pytest.approx(ran)
        assert request.expected_delay == pytest.approx(0.1)


@pytest.mark.parametrize('mode', ['latest', 'ensemble'])
def test_the_prefix_is_the_whole_plan_as_it_would_run(mode):
    """What would run if no further chunk came: as far as the newest chunk reaches."""
    ex = executor(mode=mode, ramp_speed=1e9, initial_latency=0.1, seam_ticks=0, gate=np.inf,
                  replan_interval=4 * PERIOD, ensemble_interval=4 * PERIOD)
    bend = 0.1 * np.arange(16)[:, None] ** 1.5 * np.eye(DIM)[0]
    _, requests, _ = drive(ex, 9, lambda request, number: line(number, 16) + bend, delay=3)
    request = requests[-1]
    assert request.stamp == pytest.approx(tick(8)) and request.prefix.committed == 3
    assert request.prefix.rows.shape == (12, DIM)
    would_run = np.array([ex.step(tick(number), REST).values for number in range(9, 20)])
    assert request.prefix.rows[1:] == pytest.approx(would_run)


def test_what_waits_behind_a_jump_is_no_plan():
    """A chunk that disagrees takes over when the committed one has run out; only what is certain reaches it."""
    def asks(ticks):
        ex = executor(ramp_speed=1e9, initial_latency=0.1, seam_ticks=0, replan_interval=4 * PERIOD)
        offset = iter([0.0, 90.0, 90.0, 90.0, 90.0])
        _, requests, verdicts = drive(ex, ticks, lambda request, number: line(number, 16) + next(offset), delay=1)
        assert all(verdict.accepted for verdict in verdicts)
        return [request.prefix for request in requests]

    early, late = asks(13)[2:4]                     # asked at ticks 8 and 12, the committed chunk ends at 16
    assert (len(early.rows), early.committed) == (8, 1)
    assert (len(late.rows), late.committed) == (4, 1)
    assert np.all(early.rows[:, 1] == 0.0) and np.all(late.rows[:, 1] == 0.0)


def test_committed_rows_reach_beyond_a_jump():
    ex = executor(ramp_speed=1e9, initial_latency=6 * PERIOD, seam_ticks=0, replan_interval=4 * PERIOD)
    ex.add(chunk(0, actions=line(0, 8)), tick(0))
    ex.step(tick(0), REST)
    ex.add(chunk(1, actions=line(1, 16) + 90.0, chunk_id=2), tick(1))
    ex.step(tick(1), REST)
    request = ex.request(tick(5))
    assert request.prefix.rows[:, 1].tolist() == [0.0] * 3 + [90.0] * 9
    assert request.prefix.committed == 6


def test_a_prefix_ages():
    prefix = Prefix(np.arange(5.0)[:, None], 2)
    left = prefix.after(1)
    assert left.rows[:, 0].tolist() == [1.0, 2.0, 3.0, 4.0] and left.committed == 1
    assert len(prefix.after(9).rows) == prefix.after(9).committed == 0


def test_request_and_step_may_come_in_either_order():
    def run(step_first):
        ex = executor(ramp_speed=1e9)
        ids = []
        for number in range(60):
            if step_first:
                ids.append(ex.step(tick(number), REST).index)
            request = ex.request(tick(number))
            if not step_first:
                ids.append(ex.step(tick(number), REST).index)
            if request is not None:
                late = tick(number) + 0.3 * PERIOD
                ex.add(chunk(number, actions=line(number, 16), chunk_id=request.request_id), late)
        return ids
    assert run(True) == run(False)


def test_status_counts_what_happened():
    ex = executor(ramp_speed=1e9, replan_interval=8 * PERIOD)
    drive(ex, 40, lambda request, number: line(number, 16), delay=2)
    status = ex.status(tick(39))
    assert status.state is State.RUNNING
    assert (status.mode, status.episode_id, status.run_id) == ('latest', EPISODE, 1)
    assert (status.ticks, status.accepted, status.takeovers) == (40, 5, 5)
    assert status.skipped == 10
    assert status.overlap == 1.0
    assert status.latency_p50 == status.latency_p95 == pytest.approx(2 * PERIOD)
    assert 0 < status.queue_seconds <= 16 * PERIOD
    assert all(math.isfinite(getattr(status, field.name)) for field in fields(Status)
               if field.type in (int, float, 'int', 'float'))


@pytest.mark.parametrize('change, text', [
    ({'mode': 'fastest'}, 'sync, latest, ensemble'),
    ({'favor': 'best'}, 'newest, oldest'),
    ({'decay': 'cubic'}, 'linear, exponential'),
    ({'period': 0.0}, 'period must be finite and > 0'),
    ({'replan_interval': -1.0}, 'replan_interval'),
    ({'ensemble_coeff': np.nan}, 'ensemble_coeff'),
    ({'gate': 0.0}, 'gate must be > 0'),
    ({'seam_ticks': 1.5}, 'seam_ticks'),
    ({'max_live': 0}, 'max_live'),
    ({'n_action_steps': 0}, 'n_action_steps'),
])
def test_bad_settings_are_named(change, text):
    with pytest.raises(ValueError, match=text):
        ExecutorConfig(**change)
