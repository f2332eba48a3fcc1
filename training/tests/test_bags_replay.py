"""kiwi-bags replay: what was recorded is repeated exactly, in every mode and whatever happened; other configurations differ."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')

from bags_replay_support import HORIZON, PERIOD, Rollout, settled, write_bag  # noqa: E402

from kiwi_policy.core.executor import State  # noqa: E402
from kiwi_policy.core.journal import Kind  # noqa: E402
from kiwi_policy.core.metrics import first_planned, seam_ratio, smoothness  # noqa: E402
from kiwi_training.bags.command import main  # noqa: E402
from kiwi_training.bags.executor_settings import Choice, read_file  # noqa: E402
from kiwi_training.bags.reader import Bag, BagError  # noqa: E402
from kiwi_training.bags.reexecution import Recording, differences  # noqa: E402
from kiwi_training.bags.rollout import RecordedRollout  # noqa: E402

MODES = ('latest', 'ensemble', 'sync')


def adventure(mode):
    """A `Rollout` in which all that can happen to an executor does."""
    rollout = Rollout(mode=mode, max_age=0.5, pose_speed=180.0)
    rollout.ticks(3)
    rollout.begin('first')
    rollout.until(State.RUNNING)
    rollout.ticks(60)
    stamp = rollout.stamp()
    for changes in ({'names': ['wrong'] * 9}, {'episode_id': 'another'}, {'horizon': HORIZON - 1},
                    {'actions': [float('nan')] * (9 * HORIZON)}, {'period': 2 * PERIOD}):
        rollout.send(rollout.chunk(stamp, **changes))
    rollout.send(rollout.chunk(stamp + 10**9))
    rollout.send(rollout.chunk(stamp - 10**9))
    twice = rollout.chunk(rollout.stamp())
    rollout.send(twice)
    rollout.send(twice)
    rollout.send(rollout.chunk(rollout.stamp(), chunk_id=3))
    rollout.ticks(10)
    rollout.other = True                            # the policy means the other side of the post
    rollout.ticks(30)
    rollout.other = False
    rollout.run_id = 7                              # a restarted policy; the run before it is history
    rollout.set_policy(rollout._policy_info(7))
    rollout.ticks(20)
    rollout.send(rollout.chunk(rollout.stamp(), run_id=2**63 + 5))
    rollout.ask(lambda: rollout.session.set_speed_scale(0.4))
    rollout.ticks(30)
    rollout.robot.temperature = 62.0                # a servo slows down
    rollout.delay = 9
    rollout.ticks(30)
    rollout.robot.temperature = 30.0
    rollout.operate(15)
    rollout.until(State.RUNNING)
    rollout.operate(10, hand_back=False)            # and falls silent
    rollout.until(State.RUNNING)
    rollout.answers = False
    rollout.until(State.STARVED)
    rollout.ticks(10)
    rollout.answers = True
    rollout.until(State.RUNNING)
    rollout.ticks(10)
    rollout.ask(lambda: rollout.session.halt())
    rollout.ticks(5)
    rollout.ask(lambda: rollout.session.reset())
    rollout.ticks(2)
    rollout.ask(lambda: rollout.session.move_to('start'))
    rollout.until(State.MOVING)
    rollout.until(State.IDLE)

    rollout.begin('second')
    rollout.send(rollout.chunk(rollout.stamp(), run_id=2**63 + 5))     # of the run that was replaced before this episode
    rollout.until(State.RUNNING)
    rollout.ticks(20)
    rollout.ask(lambda: rollout.session.end('enough'))
    rollout.begin('third')
    rollout.until(State.RUNNING)
    rollout.ticks(20)
    rollout.robot.silent = True
    rollout.until(State.FAULT)
    rollout.robot.silent = False
    rollout.ticks(30)
    rollout.ask(lambda: rollout.session.reset())
    rollout.ticks(3)
    return rollout


@pytest.fixture(scope='module')
def bags(tmp_path_factory):
    """Mode -> (bag folder, the `Rollout` that made it)."""
    folder, found = tmp_path_factory.mktemp('bags'), {}
    for mode in MODES:
        rollout = adventure(mode)
        found[mode] = rollout.write(folder / mode), rollout
    return found


def load(folder):
    rollout = RecordedRollout.load(Bag(folder))
    return rollout, Recording(rollout)


def live_maker(rollout):
    return Choice('live').maker(rollout.parameters['chunk_executor_node'])


@pytest.mark.parametrize('mode', MODES)
def test_the_live_configuration_gives_the_live_commands_at_every_tick(mode, bags):
    rollout, recording = load(bags[mode][0])
    assert [episode.episode_id for episode in recording.episodes] == ['first', 'second', 'third']
    assert recording.gaps == []
    make = live_maker(rollout)
    assert make().config.mode == mode
    for episode in recording.episodes:
        live, run = recording.live(episode), recording.run(episode, make)
        assert len(run.commands) == episode.until - episode.first > 20
        assert np.array_equal(run.commands, live.commands)
        assert np.array_equal(run.sources, live.sources)
        assert np.array_equal(run.takeover, live.takeover) and np.array_equal(run.clamped, live.clamped)
        assert differences(run, live)[1] == 0 and not run.refused
    assert recording.episodes[-1].until == len(rollout.ticks)


@pytest.mark.parametrize('mode', MODES)
def test_the_adventure_is_one(mode, bags):
    rollout, recording = load(bags[mode][0])
    kinds = {event.kind for events in rollout.ticks.events for event in events}
    assert kinds >= {Kind.CHUNK, Kind.POLICY, Kind.RUNS, Kind.SPEED, Kind.DERATE, Kind.BEGIN, Kind.END, Kind.STOP, Kind.FAULT,
                     Kind.RESET, Kind.MOVE, Kind.OPERATOR}
    assert set(State) - {State.LIMP} <= set(bags[mode][1].states)
    assert np.isnan(rollout.ticks.measured).any()
    run = recording.run(recording.episodes[0], live_maker(rollout))
    wanted = {'foreign_episode', 'wrong_names', 'wrong_shape', 'not_finite', 'wrong_period', 'future', 'duplicate',
              'older', 'old_run'}
    assert set(run.reasons) >= ({'unasked'} if mode == 'sync' else wanted)
    second = recording.run(recording.episodes[1], live_maker(rollout))
    assert 'old_run' in second.reasons


@pytest.mark.parametrize('mode', MODES)
def test_counters_are_those_of_the_last_status(mode, bags):
    rollout, recording = load(bags[mode][0])
    make = live_maker(rollout)
    for episode in recording.episodes[:2]:
        live, run = recording.live(episode), recording.run(episode, make)
        assert run.counters['accepted'] == live.counters['accepted'] > 0
        assert run.counters['underruns'] == live.counters['underruns']
        assert run.counters['skipped'] == live.counters['skipped']


def test_what_was_received_is_on_record(bags):
    rollout, _ = load(bags['latest'][0])
    told = [event.ids for events in rollout.ticks.events for event in events if event.kind is Kind.CHUNK]
    assert told == [pair for received in rollout.ticks.received for pair in received]
    assert len(told) >= len(rollout.chunks) - 1         # the last may have come after the last tick
    assert {run for run, _ in told} == {2**63 + 5, 7}


def test_another_configuration_differs_and_is_measured_by_the_same_metrics(bags, tmp_path, capsys):
    folder = bags['latest'][0]
    file = tmp_path / 'mine.yaml'
    file.write_text('/**:\n  ros__parameters:\n    rate: 100.0\n    mode: ensemble\n    robot_port: /dev/x\n'
                    'other_node:\n  ros__parameters:\n    what: 1\n')
    assert main(['replay', str(folder), '--executor', 'live', str(file), '--set', 'seam_ticks=0', 'gate=0',
                 '--set', 'speed_scale=0.1', '--json', str(tmp_path / 'replay.json')]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split('  ')[0] for line in lines[1:6]] == ['robot', 'live', str(file), 'seam_ticks=0 gate=0', 'speed_scale=0.1']
    rollout, recording = load(folder)
    ticks = sum(episode.until - episode.first for episode in recording.episodes)
    assert f'3 episodes of 1 bag; live repeats {ticks} of {ticks} ticks exactly' in lines
    rows = {row['executor']: row for row in json.loads((tmp_path / 'replay.json').read_text())['executors']}
    parts = []
    for episode in recording.episodes:
        span = slice(episode.first, episode.end)
        start = episode.first + first_planned(rollout.ticks.sources[span])
        parts.append((rollout.ticks.commands[start:episode.end].astype(float), rollout.ticks.takeover[start:episode.end]))
    assert rows['robot']['smoothness'] == rows['live']['smoothness'] == np.mean([smoothness(actions) for actions, _ in parts])
    assert rows['robot']['seam_ratio'] == rows['live']['seam_ratio'] == seam_ratio(parts)
    assert rows['live']['differing_ticks'] == 0 and max(rows['live']['max_difference'].values()) == 0.0
    for name in (str(file), 'seam_ticks=0 gate=0', 'speed_scale=0.1'):
        assert rows[name]['differing_ticks'] > 10 and max(rows[name]['max_difference'].values()) > 0.1
    assert rows['speed_scale=0.1']['clamped'] > rows['live']['clamped']
    assert rows[str(file)]['infeasible'] == [] and rows['live']['reject_reasons']['future'] == 1


def test_a_replay_does_not_depend_on_what_ran_before(bags):
    rollout, recording = load(bags['ensemble'][0])
    make = live_maker(rollout)
    forward = [recording.run(episode, make).commands for episode in recording.episodes]
    backward = [recording.run(episode, make).commands for episode in reversed(recording.episodes)][::-1]
    assert all(np.array_equal(one, other) for one, other in zip(forward, backward))


@pytest.mark.parametrize('topic, text', [('action_chunk', r'\d+ chunks? that the executor received (is|are) not on record'),
                                         ('executor/action', '1 tick of the control loop is not on record')])
def test_what_is_missing_is_said(topic, text, bags, tmp_path, capsys):
    made = bags['latest'][1]
    folder = write_bag(tmp_path / 'bag', made.given, made.messages, lambda name, number: name == topic and number == 40)
    assert main(['replay', str(folder)]) == 1
    _, recording = load(folder)
    gap, = recording.gaps
    assert re.fullmatch(text, gap)
    assert f'warning: {folder}: {gap}' in capsys.readouterr().out.splitlines()


def test_a_wrong_configuration_does_not_pass_for_exact(bags, tmp_path, capsys):
    made = bags['latest'][1]
    folder = write_bag(tmp_path / 'bag', made.given | {'seam_ticks': 4}, made.messages)
    assert main(['replay', str(folder)]) == 1
    assert 'ticks differ though nothing is missing' in capsys.readouterr().out


def test_a_recording_that_begins_too_late_has_nothing_to_replay(bags, tmp_path):
    made = bags['latest'][1]
    begins = [number for number, message in enumerate(m for topic, m in made.messages if topic == 'executor/action')
              if any(event.kind == Kind.BEGIN for event in message.events)]
    folder = write_bag(tmp_path / 'late', made.given, made.messages,
                       lambda name, number: name == 'executor/action' and number <= begins[-1])
    with pytest.raises(BagError, match='no episode began while this was recorded'):
        Recording(RecordedRollout.load(Bag(folder)))
    folder = write_bag(tmp_path / 'one', made.given, made.messages,
                       lambda name, number: name == 'executor/action' and number <= begins[0])
    rollout, recording = load(folder)
    assert [episode.episode_id for episode in recording.episodes] == ['second', 'third']
    for episode in recording.episodes:
        assert np.array_equal(recording.run(episode, live_maker(rollout)).commands, recording.live(episode).commands)


@pytest.mark.parametrize('arguments, text', [
    (['--set', 'mode=fast'], 'mode is \'fast\', must be one of sync, latest, ensemble'),
    (['--set', 'sem_ticks=0'], 'there is no parameter sem_ticks; did you mean seam_ticks'),
    (['--set', 'seam_ticks'], 'write it as NAME=VALUE'),
    (['--set', 'robot_port=x'], 'robot_port changes nothing in a replay'),
    (['--set', 'replan_interval=0.1'], 'replan_interval changes only when chunks are asked for'),
    (['--set', 'gate=-1'], 'gate is -1.0, must lie in'),
    (['--set', 'gate=wide'], 'gate is \'wide\', must be like 1.0'),
    (['--set', 'base_speed=[1, 0, 1]'], 'limits.base_speed must be > 0'),
    (['--executor', 'nowhere.yaml'], 'nowhere.yaml: cannot be read'),
])
def test_what_cannot_be_replayed_is_refused_with_the_choices(arguments, text, bags, capsys):
    assert main(['replay', str(bags['latest'][0]), *arguments]) == 2
    assert text in capsys.readouterr().err


@pytest.mark.parametrize('content, text', [
    ('/**:\n  ros__parameters:\n    rate: 30\n', 'rate is 30, must be like 30.0 (write 20.0, not 20)'),
    ('/**:\n  ros__parameters:\n    rat: 30.0\n', 'there is no parameter rat; did you mean rate'),
    ('/**:\n  ros__parameters:\n    rate: 30.0\n', 'parameter rate is 30 Hz, the recording has a tick every 1/100 s'),
    ('other_node:\n  ros__parameters:\n    rate: 30.0\n', 'has no ros__parameters of /** or chunk_executor_node; it has other_node'),
    ('- 1\n', 'it has no sections'), (':\n:', 'cannot be read')])
def test_a_parameter_file_is_checked_as_the_node_checks_it(content, text, bags, tmp_path, capsys):
    path = tmp_path / 'executor.yaml'
    path.write_text(content)
    assert main(['replay', str(bags['latest'][0]), '--executor', str(path)]) == 2
    assert text in capsys.readouterr().err


def test_the_nodes_own_section_wins_over_the_wildcard(tmp_path):
    path = tmp_path / 'executor.yaml'
    path.write_text('/robot/chunk_executor_node:\n  ros__parameters:\n    gate: 2.0\n'
                    '/**:\n  ros__parameters:\n    gate: 3.0\n    seam_ticks: 1\n')
    assert read_file(path) == {'gate': 2.0, 'seam_ticks': 1}


def test_a_configuration_the_robot_would_refuse_is_named(bags, tmp_path, capsys):
    made = bags['latest'][1]
    slow = [(topic, message) for topic, message in made.messages]
    folder = write_bag(tmp_path / 'bag', settled(made.given) | {'replan_interval': 10.0}, slow)
    main(['replay', str(folder)])
    assert 'live: the executor would refuse to begin: ' in capsys.readouterr().out


def test_several_bags_are_pooled(bags, tmp_path, capsys):
    folders = [str(bags[mode][0]) for mode in MODES]
    (tmp_path / 'cut').mkdir()
    (tmp_path / 'cut' / 'cut_0.mcap').write_bytes(b'')
    assert main(['replay', folders[0], str(tmp_path)]) == 1         # what can be replayed is
    captured = capsys.readouterr()
    assert '3 episodes of 1 bag' in captured.out and 'kiwi-bags recover' in captured.err
    assert main(['replay', *folders]) == 0
    captured = capsys.readouterr()
    assert '9 episodes of 3 bags' in captured.out and '3/3' in captured.err


def test_settings_and_parameters_are_read_without_ros():
    code = ('import sys, kiwi_training.bags.replay, kiwi_training.bags.reexecution, kiwi_training.bags.replay_figures, '
            'kiwi_training.bags.executor_settings\n'
            'sys.exit(", ".join(m for m in ("rclpy", "kiwi_msgs", "torch") if m in sys.modules) or 0)')
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
