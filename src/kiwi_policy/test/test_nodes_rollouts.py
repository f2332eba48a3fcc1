"""Rollouts without ROS: the order of things, verdicts, files, the table, films."""

import json
import math
from concurrent.futures import Future
from datetime import UTC, datetime
from types import SimpleNamespace

import numpy as np
import pytest

from kiwi_policy.core.executor import ChunkExecutor, ExecutorConfig, ExecutorError, Source, State
from kiwi_policy.core.feasibility import Infeasible
from kiwi_policy.core.metrics import smoothness
from kiwi_policy.core.records import PolicyTraits
from kiwi_policy.nodes.episode_log import EpisodeLog
from kiwi_policy.nodes.images import encode_rgb
from kiwi_policy.nodes.policy_check import check_policy
from kiwi_policy.nodes.results import RunResults, make_run_folder, table, write_json
from kiwi_policy.nodes.rollout_bags import Bag
from kiwi_policy.nodes.rollout_runner import Plan, RunAborted, Runner, Verdict
from kiwi_policy.nodes.rollout_stage import PASSING, RosStage
from kiwi_policy.nodes.video import panel, write_film

STATUS = SimpleNamespace(accepted=4, underruns=1, skipped=2, rejected=1, clamped=3, takeovers=4, ticks=50, overlap=1.0,
                         latency_p50=0.1, latency_p95=0.2, jitter_p99=0.001, cycle_p95=0.006,
                         reject_reasons=['older'], reject_counts=[1])
PLAN = Plan(3, 40, 0.3, 'pick')


def action(log, value, source, takeover=False):
    return SimpleNamespace(episode_id=log.episode_id, command=[value] * 9, source=int(source), takeover=takeover)


class FakeStage:
    """Scripted world: one verdict per episode; None lets it time out."""

    def __init__(self, verdicts, states=(), interrupt_at=None, begin_error=None, recovers=False):
        self.calls = []
        self._verdicts, self._states = list(verdicts), dict(states)
        self._interrupt_at, self._begin_error = interrupt_at, begin_error
        self._recovers = recovers
        self.index = -1

    def prepare(self, log):
        self.index = log.index
        self.calls.append(f'prepare {log.seed}')

    def record(self, log, plan):
        self.calls.append(f'record {log.seed}')

    def close_bag(self, verdict, summary):
        self.calls.append(f'close bag {verdict and verdict.outcome} {summary is not None}')
        return Bag(f'bags/{self.index}', 'true')

    def begin(self, log, task):
        if self._begin_error:
            raise RunAborted(self._begin_error)
        self.calls.append(f'begin {task}')
        for _ in range(3):
            log.on_action(action(log, -70.0, Source.HOLD))
        for step in range(5):
            log.on_action(action(log, float(step**2), Source.CHUNK, step == 3))
        log.on_chunk(SimpleNamespace(episode_id=log.episode_id, inference_seconds=0.1, evaluations=10, image_ages=[0.02]))
        log.on_chunk(SimpleNamespace(episode_id='other', inference_seconds=9.0, evaluations=99, image_ages=[9.0]))

    def judge(self, timed_out):
        verdict = self._verdicts[self.index]
        return Verdict(False, 'timeout') if verdict is None and timed_out else verdict

    def executor_state(self):
        return self._states.get(self.index, State.RUNNING), 'because'

    def recover(self):
        self.calls.append('recover')
        return self._recovers

    def end(self, reason):
        self.calls.append(f'end {reason}')
        return STATUS

    def film(self, log):
        return f'{log.index}.mp4'

    def wait(self, seconds):
        return self._interrupt_at == self.index and seconds > 0


def run(stage, folder, plan=PLAN):
    results, seen = RunResults(folder, {'head': 'flow', 'checkpoint_digest': 'd', 'mode': 'latest'}), []
    message = Runner(stage, results, seen.append).run(plan)
    return results, message, seen


def test_the_order_of_an_episode(tmp_path):
    stage = FakeStage([Verdict(True, 'success')] * 3)
    results, message, seen = run(stage, tmp_path)
    assert stage.calls[:5] == ['end next rollout', 'prepare 40', 'record 40', 'begin pick', 'end success']
    assert stage.calls[-1] == 'end all rollouts done'
    assert message == '' and results.successes == 3
    assert stage.calls[5] == 'close bag success True'
    assert [(summary.bag, summary.bag_complete) for summary in seen] == [(f'bags/{i}', 'true') for i in range(3)]
    assert [summary.seed for summary in seen] == [40, 41, 42]
    assert len({summary.episode_id for summary in seen}) == 3


def test_verdicts_are_kept_apart(tmp_path):
    results, _, _ = run(FakeStage([Verdict(True, 'success'), Verdict(False, 'post_hit'), None]), tmp_path)
    assert [(e.success, e.outcome) for e in results.episodes] == [
        (True, 'success'), (False, 'post_hit'), (False, 'timeout')]
    assert results.episodes[2].seconds >= PLAN.time_limit


@pytest.mark.parametrize('state, outcome', [(State.STOPPED, 'stopped'), (State.FAULT, 'fault')])
def test_a_stopped_executor_ends_the_run(state, outcome, tmp_path):
    results, message, _ = run(FakeStage([Verdict(True, 'success'), None, None], {1: state}), tmp_path)
    assert [e.outcome for e in results.episodes] == ['success', outcome]
    assert message == f'the executor is {state.name}: because'


def test_a_run_goes_on_after_a_fault_that_was_cleared(tmp_path):
    stage = FakeStage([Verdict(True, 'success'), None, Verdict(True, 'success')], {1: State.FAULT}, recovers=True)
    results, message, _ = run(stage, tmp_path)
    assert [e.outcome for e in results.episodes] == ['success', 'fault', 'success']
    assert message == '' and stage.calls.count('recover') == 1


def test_a_stop_is_the_operators_to_undo(tmp_path):
    stage = FakeStage([None] * 3, {0: State.STOPPED}, recovers=True)
    _, message, _ = run(stage, tmp_path)
    assert 'STOPPED' in message and 'recover' not in stage.calls


def test_an_interrupt_ends_the_episode_and_leaves_the_file_whole(tmp_path):
    stage = FakeStage([Verdict(True, 'success'), None, None], interrupt_at=1)
    results, message, _ = run(stage, tmp_path)
    assert message == 'interrupted' and 'end interrupted' in stage.calls
    assert 'close bag interrupted False' in stage.calls
    content = json.loads(results.path.read_text())
    assert content['finished_rollouts'] == 1 and content['message'] == 'interrupted' and content['finished']


def test_a_refusal_is_the_runs_message(tmp_path):
    stage = FakeStage([None], begin_error='set replan_interval to 0.3 s or less')
    results, message, _ = run(stage, tmp_path)
    assert 'close bag None False' in stage.calls
    assert 'replan_interval' in message and results.episodes == []
    assert json.loads(results.path.read_text())['message'] == message


@pytest.mark.parametrize('plan', [{'rollouts': 0}, {'time_limit': 0.0}, {'time_limit': math.nan}])
def test_a_plan_is_checked(plan):
    with pytest.raises(ValueError):
        Plan(**({'rollouts': 1, 'seed': 0, 'time_limit': 1.0, 'task': ''} | plan))


def test_the_file_holds_what_happened(tmp_path):
    results, _, _ = run(FakeStage([Verdict(True, 'success'), None, Verdict(True, 'success')]), tmp_path)
    content = json.loads(results.path.read_text())
    assert (content['head'], content['successes'], content['finished_rollouts']) == ('flow', 2, 3)
    assert content['evaluations_per_chunk'] == 10.0
    assert content['latency_p50'] == content['latency_p95'] == pytest.approx(0.1)
    low, high = content['success_interval_95']
    assert 0.2 < low < 2 / 3 < high < 0.95
    episode = content['episodes'][0]
    expected = smoothness(np.repeat(np.arange(5.0)[:, None] ** 2, 9, axis=1))
    assert episode['smoothness'] == pytest.approx(expected) and expected > 0
    assert (episode['underruns'], episode['rejected'], episode['reject_reasons']) == (1, 1, {'older': 1})
    assert (episode['side'], episode['video']) == ('none', '0.mp4')
    assert content['underruns'] == 3


def test_realtime_factor_and_side_come_from_the_simulation():
    log = EpisodeLog(0, 'e', 1)
    for tick in range(11):
        log.on_task(SimpleNamespace(seconds=0.09 * tick, camera_rate=29.0 + tick % 2, side='left'), 5.0 + 0.1 * tick)
    summary = log.summary(True, 'success', 1.0, None)
    assert summary.realtime_factor == pytest.approx(0.9)
    assert summary.camera_rate == pytest.approx(29.5, abs=0.1)
    assert summary.side == 'left'
    assert summary.to_dict()['latency_p50'] is None         # no chunk came: not a number, so null


def test_the_table_shows_every_episode_and_the_sum(tmp_path):
    results, _, _ = run(FakeStage([Verdict(True, 'success'), None, Verdict(True, 'success')]), tmp_path)
    text = table(results)
    assert [line.split()[:3] for line in text.splitlines()[1:4]] == [
        ['1', '40', 'success'], ['2', '41', 'timeout'], ['3', '42', 'success']]
    assert '2/3 successful' in text and '10.0 evaluations per chunk' in text and '3 underruns' in text
    assert 'p50 100 ms, p95 100 ms' in text


def test_an_operators_help_is_no_secret(tmp_path):
    results = RunResults(tmp_path, {})
    log = EpisodeLog(0, 'e', 1)
    for source in [Source.CHUNK] * 6 + [Source.OPERATOR] * 4:
        log.on_action(action(log, 1.0, source))
    results.add(log.summary(True, 'success', 1.0, None), log)
    content = json.loads(results.path.read_text())
    assert content['episodes'][0]['operator_share'] == pytest.approx(0.4) and content['helped_by_operator'] == 1
    text = table(results)
    assert 'success (operator 40 %)' in text and '1/1 successful (1 with an operator at the wheel for a while)' in text


def test_an_empty_run_still_has_a_table(tmp_path):
    assert '0/0 successful' in table(RunResults(tmp_path, {}))


def test_nothing_is_overwritten_and_latest_follows(tmp_path):
    moment = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    first, second = make_run_folder(tmp_path / 'r', moment), make_run_folder(tmp_path / 'r', moment)
    assert (first.name, second.name) == ('2026-01-02T03-04-05Z', '2026-01-02T03-04-05Z-1')
    assert (tmp_path / 'r' / 'latest').resolve() == second.resolve()
    assert not (tmp_path / 'r' / 'latest').readlink().is_absolute()


def test_a_latest_that_is_no_link_is_left_alone(tmp_path):
    (tmp_path / 'latest').mkdir()
    make_run_folder(tmp_path)
    assert not (tmp_path / 'latest').is_symlink()


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / 'rollouts.json'
    write_json(path, {'a': 1})
    with pytest.raises(ValueError):
        write_json(path, {'a': math.nan})
    assert json.loads(path.read_text()) == {'a': 1}


def frames(count=12):
    pictures = [encode_rgb(np.full((48, 64, 3), (20 * index, 90, 160), np.uint8)) for index in range(count)]
    return [{'front': picture, 'wrist': pictures[0]} for picture in pictures]


def test_a_film_shows_the_cameras_side_by_side(tmp_path):
    av = pytest.importorskip('av')
    name = write_film(tmp_path / 'rollout_001', frames(), ['overview', 'front', 'wrist'], 10.0, 48)
    assert name == 'rollout_001.mp4' and [path.name for path in tmp_path.iterdir()] == [name]
    with av.open(str(tmp_path / name)) as film:
        shown = [frame.to_ndarray(format='rgb24') for frame in film.decode(video=0)]
    assert len(shown) == 12 and shown[0].shape == (48, 128, 3)
    front, wrist = shown[10][:, 8:56], shown[10][:, 72:120]
    assert np.abs(front.mean((0, 1)) - (200, 90, 160)).max() < 12
    assert np.abs(wrist.mean((0, 1)) - (0, 90, 160)).max() < 12


def test_without_an_encoder_a_strip_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr('kiwi_policy.nodes.video._write_mp4', lambda *_: (_ for _ in ()).throw(ImportError('no av')))
    assert write_film(tmp_path / 'r', frames(), ['front'], 10.0, 48) == 'r.png'
    assert (tmp_path / 'r.png').stat().st_size > 0


def test_no_camera_no_film(tmp_path):
    assert write_film(tmp_path / 'r', [{}], ['front'], 10.0, 48) == ''
    assert panel({'front': frames(1)[0]['front']}, ['front', 'wrist'], 47).shape == (48, 64 + 48, 3)


class FakePorts:
    """Latest messages and scripted services of a rollout."""

    begin, end, reset, clear = 'begin', 'end', 'reset', 'clear'
    clear_request = staticmethod(lambda: None)
    reset_request = staticmethod(lambda seed: seed)
    begin_request = staticmethod(lambda episode_id, task: (episode_id, task))
    end_request = staticmethod(lambda reason: reason)

    def __init__(self, **answers):
        self.info = self.status = self.task = self.label = self.log = None
        self.recording = False
        self.called = []
        self._answers = answers

    def call(self, service, request, interrupted):
        self.called.append((service, request))
        answer = self._answers.get(service, SimpleNamespace(success=True, message='', status=STATUS))
        if isinstance(answer, list):
            answer = answer.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def take_frames(self):
        return []


def stage_on(ports, sim=True, **parameters):
    settings = SimpleNamespace(**({'sim': sim, 'reset_seconds': 0.0, 'label_timeout': 0.0, 'video': False, 'record': False} | parameters))
    said = []
    return RosStage(ports, settings, None, lambda: False, said.append), said


def refusal(message):
    return SimpleNamespace(success=False, message=message)


LOG = EpisodeLog(0, 'e', 9)


@pytest.mark.parametrize('task, verdict', [
    (dict(seed=9, success=True, post_hit=False), Verdict(True, 'success')),
    (dict(seed=9, success=True, post_hit=True), Verdict(False, 'post_hit')),
    (dict(seed=8, success=True, post_hit=True), None),
    (dict(seed=9, success=False, post_hit=False), None)])
def test_the_simulation_judges_its_own_episode(task, verdict):
    ports = FakePorts()
    stage, _ = stage_on(ports)
    stage.prepare(LOG)
    stage.begin(LOG, 'pick')
    ports.task = SimpleNamespace(**task)
    assert stage.judge(False) == verdict
    assert stage.judge(True) == (verdict or Verdict(False, 'timeout'))
    assert ports.called == [('reset', 9), ('begin', ('e', 'pick'))]


def test_a_policy_that_comes_back_is_waited_for():
    ports = FakePorts(begin=[refusal('no policy: start policy_node'), SimpleNamespace(success=True, message='')])
    stage_on(ports)[0].begin(LOG, '')
    assert [name for name, _ in ports.called] == ['begin', 'begin']


def test_refusals_that_pass_by_themselves_are_known_by_their_words():
    session = pytest.importorskip('kiwi_policy.nodes.executor_session')
    with pytest.raises(ExecutorError) as without_policy:
        check_policy(None, ExecutorConfig())
    core = ChunkExecutor(ExecutorConfig())
    core.set_policy(PolicyTraits(horizon=30, latency_p95=9.0))
    with pytest.raises(Infeasible) as too_slow:
        core.check_feasible()
    core.fault('the cable is out')
    with pytest.raises(ExecutorError) as faulty:
        core.begin('e', np.zeros(9), 0.0)
    for message in (without_policy.value, too_slow.value, faulty.value, session.SILENT):
        assert str(message).startswith(PASSING)


def test_a_robot_that_misses_one_tick_begins_at_the_next():
    session_module = pytest.importorskip('kiwi_policy.nodes.executor_session')
    session = object.__new__(session_module.ExecutorSession)
    answers = [(False, session_module.SILENT), (True, 'begun')]
    session._ask = lambda *_: answers.pop(0)
    assert session.begin('e', '', None) == (True, 'begun')


def test_a_refusal_that_stays_ends_the_run():
    ports = FakePorts(begin=refusal('the executor is STOPPED: reset it first'))
    with pytest.raises(RunAborted, match='begin_episode refused: the executor is STOPPED'):
        stage_on(ports)[0].begin(LOG, '')
    assert len(ports.called) == 1


def test_a_reset_that_keeps_failing_ends_the_run():
    ports = FakePorts(reset=refusal('no picture'))
    with pytest.raises(RunAborted, match='sim/reset failed: no picture'):
        stage_on(ports)[0].prepare(LOG)
    assert ports.called == [('reset', 9)] * 3


def test_a_reset_that_fails_once_is_repeated():
    ports = FakePorts(reset=[refusal('no picture'), SimpleNamespace(success=True, message='')])
    stage_on(ports)[0].prepare(LOG)
    assert ports.called == [('reset', 9)] * 2


def test_an_episode_that_another_run_left_behind_is_ended_first():
    ports = FakePorts()
    stage, _ = stage_on(ports)
    stage.end('next rollout')
    stage.end('next rollout')
    stage.prepare(LOG)
    assert ports.called == [('end', 'next rollout'), ('reset', 9)]


def test_a_film_that_fails_is_said_and_ends_nothing(monkeypatch, tmp_path):
    ports = FakePorts()
    ports.take_frames = lambda: frames(1)
    stage, said = stage_on(ports, video=True, video_cameras=['front'], video_rate=10.0, video_height=48)
    stage._folder = tmp_path
    monkeypatch.setattr('kiwi_policy.nodes.rollout_stage.write_film', lambda *_: 1 / 0)
    assert stage.film(LOG) == ''
    assert said == ['no film of rollout 1: ZeroDivisionError: division by zero']


def test_an_unexpected_error_is_in_the_file_too(tmp_path):
    stage = FakeStage([None])
    stage.judge = lambda timed_out: 1 / 0
    results = RunResults(tmp_path, {})
    with pytest.raises(ZeroDivisionError):
        Runner(stage, results, lambda _summary: None).run(PLAN)
    assert stage.calls[-1] == 'end unexpected ZeroDivisionError: division by zero'
    assert json.loads(results.path.read_text())['message'] == 'unexpected ZeroDivisionError: division by zero'


@pytest.mark.parametrize('error', [RunAborted('no'), OSError('no'), KeyError('no')])
def test_an_autorun_that_fails_is_no_success(error, capsys):
    rollout_node = pytest.importorskip('kiwi_policy.nodes.rollout_node')
    interrupt = SimpleNamespace(triggered=False)
    interrupt.trigger = lambda: setattr(interrupt, 'triggered', True)

    def run(_plan, _on_episode):
        raise error

    outcome = []
    rollout_node.autorun(SimpleNamespace(run=run, default_plan=lambda: PLAN), interrupt, outcome)
    assert outcome == [1] and interrupt.triggered
    output = capsys.readouterr().err
    assert output.startswith('rollout_node: error: ') and output.count('\n') == 1


class FakeClient:
    """A service whose answer never comes."""

    srv_name = 'executor/end_episode'

    def __init__(self, ready):
        self.ready, self.dropped = ready, []

    def call_async(self, _request):
        return Future()

    def remove_pending_request(self, future):
        self.dropped.append(future)

    def service_is_ready(self):
        return self.ready


@pytest.mark.parametrize('ready, patience', [(False, 3600.0), (True, 3600.0), (True, 0.0)])
def test_a_service_without_an_answer_is_given_up(ready, patience):
    ports_module = pytest.importorskip('kiwi_policy.nodes.rollout_ports')
    ports, client = object.__new__(ports_module.RolloutPorts), FakeClient(ready)
    ports._timeout = patience
    with pytest.raises(RunAborted, match='service executor/end_episode did not answer'):
        ports.call(client, None, lambda: patience > 0)
    assert len(client.dropped) == 1


def test_an_episode_is_ended_once_and_a_silent_executor_is_said():
    ports = FakePorts(end=RunAborted('service end did not answer'))
    stage, said = stage_on(ports)
    stage.begin(LOG, '')
    stage.end('over')
    stage.end('again')
    assert [name for name, _ in ports.called] == ['begin', 'end']
    assert said == ['service end did not answer']


def test_a_fault_is_cleared_in_simulation_only():
    ports = FakePorts(clear=[refusal('the robot does not answer'), SimpleNamespace(success=True, message='reset')])
    assert stage_on(ports)[0].recover()
    assert [name for name, _ in ports.called] == ['clear', 'clear']
    ports = FakePorts()
    assert not stage_on(ports, sim=False)[0].recover()
    assert ports.called == []


def test_only_the_running_episodes_state_counts():
    ports = FakePorts()
    stage, _ = stage_on(ports)
    stage.begin(LOG, '')
    ports.status = SimpleNamespace(state=5, reason='old', episode_id='before')
    assert stage.executor_state() == (State.IDLE, '')
    ports.status = SimpleNamespace(state=5, reason='now', episode_id='e')
    assert stage.executor_state() == (State.STOPPED, 'now')


@pytest.mark.parametrize('label, verdict', [
    ((True, ''), Verdict(True, 'success')), ((False, ''), Verdict(False, 'failure')),
    ((False, 'slipped'), Verdict(False, 'slipped')), (None, None)])
def test_on_a_real_robot_the_operator_judges(label, verdict):
    ports = FakePorts()
    stage, said = stage_on(ports, sim=False)
    stage.prepare(LOG)
    stage.begin(LOG, '')
    ports.label = label
    assert stage.judge(False) == verdict
    assert stage.judge(True) == (verdict or Verdict(False, 'timeout', labelled=False))
    assert 'restore the scene' in said[0]
    assert [name for name, _ in ports.called] == ['begin']
