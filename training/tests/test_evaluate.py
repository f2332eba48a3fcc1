import json
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from evaluation_fakes import HORIZON, PERIOD, Track, Walker, make_broken, make_dying, make_track, make_walker
from kiwi_policy.core.executor import ExecutorConfig, ExecutorError, Source
from kiwi_policy.core.feasibility import Infeasible
from kiwi_policy.core.features import NAMES
from kiwi_policy.core.metrics import first_planned, smoothness
from kiwi_policy.nodes.images import decode_rgb
from kiwi_sim.jpeg import JpegEncoder
from kiwi_training import evaluate
from kiwi_training.evaluation import Evaluation, check_fit, load_checkpoint, make_fork_env, run_all, summarize
from kiwi_training.rollouts import RolloutSettings, run_rollout
from kiwi_training.wire import through_jpeg

FREE = ExecutorConfig(ramp_speed=1e6)


def settings(**changes):
    executor = replace(FREE, **{name: changes.pop(name) for name in list(changes) if hasattr(FREE, name)})
    return RolloutSettings(executor, **changes)


def evaluation(tmp_path, jobs=1, count=6, fixed=False, make_policy=make_walker):
    seeds = tuple((7 if fixed else i, i) for i in range(count))
    return Evaluation(str(tmp_path), settings(), seeds, {}, (8, 8), jobs, make_policy, make_track)


@pytest.mark.parametrize('mode', ['sync', 'latest', 'ensemble'])
@pytest.mark.parametrize('latency', [0.0, 0.1])
def test_a_policy_that_knows_the_way_succeeds_in_every_mode(mode, latency):
    rollout = run_rollout(Track(), Walker(), settings(mode=mode, latency=latency), seed=3)
    assert rollout.success
    assert rollout.side in ('left', 'right')
    assert len(rollout.actions) == len(rollout.takeover) == round(rollout.seconds / PERIOD)
    assert rollout.evaluations == (10,) * len(rollout.inference_seconds)
    assert rollout.status.rejected == 0


def test_without_latency_every_tick_runs_a_row_and_nothing_is_skipped():
    rollout = run_rollout(Track(), Walker(), settings(), seed=0)
    status = rollout.status
    assert (status.underruns, status.skipped, status.starved_seconds) == (0, 0, 0.0)
    assert np.abs(np.diff(rollout.actions[:, 0])) == pytest.approx(1.0)
    assert len(rollout.evaluations) == math.ceil(len(rollout.actions) / (HORIZON // 4))


def test_latency_is_played_back():
    rollout = run_rollout(Track(), Walker(), settings(latency=0.1, initial_latency=0.1), seed=0)
    assert np.all(rollout.actions[:3, 0] == 0.0)
    assert rollout.actions[3, 0] != 0.0
    assert rollout.status.latency_p50 == pytest.approx(0.1)
    assert rollout.status.skipped == 3 * len(rollout.evaluations)


def test_what_is_held_before_the_first_chunk_is_no_motion_of_the_policy():
    rollout = run_rollout(Track(), Walker(), settings(latency=0.1, initial_latency=0.1), seed=0)
    actions, takeover = rollout.planned
    assert rollout.sources[:3].tolist() == [Source.HOLD] * 3
    np.testing.assert_array_equal(actions, rollout.actions[3:])
    assert takeover[0] and len(takeover) == len(actions)
    assert rollout.smoothness == smoothness(rollout.actions[3:]) < smoothness(rollout.actions)


@pytest.mark.parametrize('sources, first', [
    ([], 0),
    ([Source.HOLD, Source.HOLD], 2),
    ([Source.CHUNK, Source.HOLD], 0),
    ([Source.IDLE, Source.HOLD, Source.RAMP, Source.HOLD, Source.CHUNK], 2),
])
def test_the_first_planned_tick(sources, first):
    assert first_planned(sources) == first


class Filmed(Track):
    """A track with one picture, filled with the number of the tick it shows."""

    def _observation(self):
        return {**super()._observation(), **self._picture()}

    def _picture(self):
        return {'observation.images.front': np.full((8, 8, 3), self._ticks, dtype=np.uint8)}


class Developed(Filmed):
    """`Filmed`, whose picture must be asked for at its tick."""

    def _observation(self):
        return Track._observation(self)

    def complete(self, observation):
        assert observation['tick'] == self._ticks
        return {**observation, **self._picture()}


@pytest.mark.parametrize('env', [Filmed, Developed])
@pytest.mark.parametrize('delay', [0, 4])
def test_pictures_are_as_old_as_asked(env, delay):
    walker = Walker(n_obs_steps=2 if env is Filmed else 1)
    run_rollout(env(), walker, settings(image_delay=delay, jpeg=False), seed=0)
    shown = [(seen['tick'], int(seen['observation.images.front'][0, 0, 0]))
             for history, _, _ in walker.calls for seen in history]
    assert len(shown) > 2
    assert all(picture == max(tick - delay, 0) for tick, picture in shown)


def test_pictures_pass_through_jpeg_as_between_the_nodes():
    red, green = np.meshgrid(np.arange(0, 160, 10), np.arange(250, 90, -10))
    picture = np.stack([red, green, red // 2], axis=-1).astype(np.uint8)
    observation = {'observation.state': np.ones(9), 'observation.images.front': picture}
    seen = through_jpeg(observation)
    assert seen['observation.state'] is observation['observation.state']
    np.testing.assert_array_equal(seen['observation.images.front'], decode_rgb(JpegEncoder(95).encode(picture)))
    assert 0 < np.abs(seen['observation.images.front'].astype(float) - picture).mean() < 8


@pytest.mark.parametrize('jpeg', [True, False])
def test_jpeg_can_be_switched_off(jpeg):
    class Noisy(Track):
        def _observation(self):
            noise = np.random.default_rng(self._ticks).integers(0, 256, (8, 8, 3), dtype=np.uint8)
            return {**super()._observation(), 'observation.images.front': noise}

    walker = Walker()
    run_rollout(Noisy(), walker, settings(jpeg=jpeg), seed=0)
    first = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    assert np.array_equal(walker.calls[0][0][0]['observation.images.front'], first) is not jpeg


def test_measured_latency_is_the_time_inference_took():
    slow = Walker(seconds=0.05)
    rollout = run_rollout(Track(), slow, settings(latency='measured'), seed=0)
    assert rollout.status.latency_p50 >= 0.05
    assert np.all(rollout.actions[:2, 0] == 0.0)


def test_a_policy_slower_than_its_chunk_starves_instead_of_running_stale_rows():
    rollout = run_rollout(Track(), Walker(), settings(latency=1.0), seed=0)
    assert rollout.outcome == 'not_lifted'
    assert rollout.status.accepted == 0
    assert rollout.status.reject_counts['too_old'] >= 5
    assert np.all(rollout.actions == 0.0)


def test_the_policy_sees_the_history_up_to_the_request_oldest_first():
    walker = Walker(n_obs_steps=3)
    run_rollout(Track(), walker, settings(latency=0.1, task='Go.'), seed=0)
    ticks = [[observation['tick'] for observation in history] for history, _, _ in walker.calls]
    assert ticks[0] == [0, 0, 0]
    assert all(history == [history[-1] - 2, history[-1] - 1, history[-1]] for history in ticks[1:])
    assert all(task == 'Go.' for _, task, _ in walker.calls)
    assert walker.calls[0][2] is None
    assert walker.calls[1][2].rows.shape == (12, 9) and walker.calls[1][2].committed == 3


@pytest.mark.parametrize('env, limit, outcome', [
    (Track(), 12.0, 'success'),
    (Track(post=20.0), 12.0, 'post_hit'),
    (Track(goal=1e3), 1.0, 'timeout'),
    (Track(goal=1e3), 0.01, 'not_lifted'),
    (Track(goal=20.0, post=20.0), 12.0, 'post_hit'),
])
def test_the_outcome_names_the_failure(env, limit, outcome):
    rollout = run_rollout(env, Walker(), settings(time_limit=limit), seed=0)
    assert rollout.outcome == outcome
    assert rollout.success == (outcome == 'success')


def test_the_same_seeds_give_the_same_rollout_and_the_sampling_seed_matters():
    first = run_rollout(Track(), Walker(), settings(), 1, 5)
    again = run_rollout(Track(), Walker(), settings(), 1, 5)
    np.testing.assert_array_equal(first.actions, again.actions)
    sides = {run_rollout(Track(), Walker(), settings(), 1, seed).side for seed in range(8)}
    assert sides == {'left', 'right'}


def test_the_rollout_stops_short_at_nothing_it_should_not():
    with pytest.raises(ValueError, match='latency'):
        RolloutSettings(latency=-1.0)
    with pytest.raises(ValueError, match='latency'):
        RolloutSettings(latency=math.nan)
    with pytest.raises(ValueError, match='time_limit'):
        RolloutSettings(time_limit=0.0)
    with pytest.raises(ValueError, match='image_delay'):
        RolloutSettings(image_delay=-1)


def test_worker_processes_agree_with_a_single_one(tmp_path):
    seen = []
    alone = run_all(evaluation(tmp_path))
    together = run_all(evaluation(tmp_path, jobs=2), seen.append)
    assert len(seen) == 6
    assert [rollout.seed for rollout in together] == list(range(6))
    for one, other in zip(alone, together):
        np.testing.assert_array_equal(one.actions, other.actions)


def test_the_summary_counts():
    rollouts = [run_rollout(Track(), Walker(), settings(), seed) for seed in range(4)]
    rollouts.append(run_rollout(Track(post=20.0), Walker(), settings(), 4))
    summary = summarize(rollouts)
    assert (summary['rollouts'], summary['successes']) == (5, 4)
    assert summary['failures'] == {'post_hit': 1}
    assert summary['success_low'] < 0.8 < summary['success_high']
    assert summary['evaluations_per_chunk'] == 10
    assert sum(summary['sides'].values()) == 5
    assert summary['left_share'] + summary['right_share'] == pytest.approx(1.0)
    json.dumps(summary, allow_nan=False)


def run_command(tmp_path, *options, make_policy=make_walker):
    output = tmp_path / 'out' / 'eval.json'
    arguments = evaluate.parse([str(tmp_path), '--output', str(output), *(() if '--jobs' in options else ('--jobs', '1')), *options])
    described = evaluate.evaluation_from(arguments, make_policy, make_track)
    return evaluate.evaluate(described, arguments), output


def test_the_command_prints_its_table_and_writes_its_json(tmp_path, capsys):
    code, output = run_command(tmp_path, '--rollouts', '5', '--latency', '0.05', '--executor', 'ensemble')
    assert code == 0
    printed = capsys.readouterr().out
    assert 'success                5/5  100.0 %' in printed
    assert '50 ms' in printed
    record = json.loads(output.read_text())
    assert record['summary']['successes'] == 5
    assert record['executor']['mode'] == 'ensemble'
    assert [rollout['seed'] for rollout in record['rollouts']] == list(range(100000, 100005))


def test_a_fixed_start_varies_the_sampling_only(tmp_path, capsys):
    _, output = run_command(tmp_path, '--fixed-start', '--seed', '9', '--rollouts', '12')
    record = json.loads(output.read_text())
    assert {rollout['seed'] for rollout in record['rollouts']} == {9}
    assert [rollout['sampling_seed'] for rollout in record['rollouts']] == list(range(12))
    assert {rollout['side'] for rollout in record['rollouts']} == {'left', 'right'}
    assert 'from one start' in capsys.readouterr().out


def test_sampling_overrides_reach_the_policy(tmp_path):
    arguments = evaluate.parse([str(tmp_path), '--sampling', 'steps=4', '--sampling', 'solver=heun',
                                '--sampling', 'scale=0.5'])
    described = evaluate.evaluation_from(arguments)
    assert described.sampling == {'steps': 4, 'solver': 'heun', 'scale': 0.5}
    arguments = evaluate.parse([str(tmp_path), '--prefix-conditioning', 'project'])
    assert evaluate.evaluation_from(arguments).sampling == {'prefix_conditioning': 'project'}


def test_defaults_of_the_command():
    arguments = evaluate.parse(['folder'])
    assert len(evaluate.evaluation_from(arguments).seeds) == 200
    arguments = evaluate.parse(['folder', '--fixed-start'])
    described = evaluate.evaluation_from(arguments)
    assert len(described.seeds) == 50
    assert described.image_size == (96, 96)
    assert (described.settings.time_limit, described.settings.image_delay, described.settings.jpeg) == (20.0, 0, True)
    described = evaluate.evaluation_from(evaluate.parse(
        ['folder', '--image-size', '48x64', '--image-delay', '3', '--no-jpeg']))
    assert described.image_size == (48, 64)
    assert (described.settings.image_delay, described.settings.jpeg) == (3, False)


def test_mistakes_are_named(tmp_path, capsys):
    assert evaluate.main([str(tmp_path / 'nowhere')]) == 2
    assert 'model.safetensors' in capsys.readouterr().err
    assert evaluate.main([str(tmp_path), '--latency', '-1']) == 2
    assert 'latency' in capsys.readouterr().err
    assert evaluate.main([str(tmp_path), '--rollouts', '0']) == 2
    assert '--rollouts' in capsys.readouterr().err
    assert evaluate.main([str(tmp_path), '--spread', '-1']) == 2
    assert '--spread' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        evaluate.parse([str(tmp_path), '--latency', 'soon'])
    assert 'measured' in capsys.readouterr().err


def test_a_policy_that_cannot_be_built_ends_the_command_with_its_reason(tmp_path, capsys):
    code, output = run_command(tmp_path, '--rollouts', '1', make_policy=make_broken)
    assert code == 1 and not output.exists()
    assert f'kiwi-eval: nothing in {tmp_path}' in capsys.readouterr().err


def test_a_worker_that_dies_ends_the_command_with_a_sentence(tmp_path, capsys):
    code, _ = run_command(tmp_path, '--rollouts', '2', '--jobs', '2', make_policy=make_dying)
    assert code == 1
    assert 'kiwi-eval: A process in the process pool was terminated abruptly' in capsys.readouterr().err


def test_what_the_robot_refuses_is_refused(tmp_path, capsys):
    code, output = run_command(tmp_path, '--rollouts', '1', '--latency', '0.5')
    assert code == 1 and not output.exists()
    assert 'no interval is short enough' in capsys.readouterr().err
    assert run_command(tmp_path, '--rollouts', '1', '--latency', '0.5', '--executor', 'sync')[0] == 0

    slow = Walker(seconds=0.45)
    with pytest.raises(Infeasible, match='the policy needs 0'):
        check_fit(slow, settings(latency='measured'))
    check_fit(slow, settings(latency=0.0))

    swapped, other_rate = Walker(), Walker()
    swapped.info.names = NAMES[::-1]
    other_rate.info.period = 0.1
    for policy, message in ((swapped, 'the policy commands'), (other_rate, 'trained at 10.00 Hz')):
        with pytest.raises(ExecutorError, match=message):
            check_fit(policy, settings())


def test_a_checkpoint_of_short_action_steps_is_refused_unless_allowed(monkeypatch):
    info = SimpleNamespace(head='act', digest='0' * 16, horizon=50, n_action_steps=1, temporal_ensembling=False)
    monkeypatch.setattr('kiwi_policy.heads.loader.load_policy', lambda *_, **__: SimpleNamespace(info=info))
    with pytest.raises(ValueError, match='n_action_steps 1 is below half'):
        load_checkpoint('folder', {})
    assert load_checkpoint('folder', {}, allow_short_action_steps=True).info is info


@pytest.mark.parametrize('jobs', [1, 2])
def test_a_policy_that_cannot_be_built_is_reported(tmp_path, jobs):
    with pytest.raises(ValueError, match='nothing in'):
        run_all(evaluation(tmp_path, jobs, make_policy=make_broken))


def test_the_starts_can_be_scattered_wider():
    assert evaluate.parse(['folder', '--spread', '3']).spread == 3.0
    assert make_fork_env((24, 32), Walker().info, spread=3.0).spread == 3.0
    assert make_fork_env((24, 32), Walker().info).spread == 1.0


def test_only_the_observation_a_chunk_is_made_from_is_completed():
    class Costly(Track):
        completed = []

        def complete(self, observation):
            self.completed.append(observation['tick'])
            return {**observation, 'picture': observation['tick']}

    walker = Walker()
    rollout = run_rollout(Costly(), walker, settings(), seed=0)
    assert [history[-1]['picture'] for history, _, _ in walker.calls] == Costly.completed
    assert len(Costly.completed) == len(rollout.inference_seconds) < len(rollout.actions) / 3


@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGKILL])
def test_workers_never_outlive_the_command(tmp_path, signum):
    script = tmp_path / 'endless.py'
    script.write_text(
        'import sys\n'
        'from test_evaluate import evaluation\n'
        'from evaluation_fakes import make_sleeper\n'
        'from kiwi_training.evaluation import run_all\n'
        'if __name__ == "__main__":\n'
        '    try:\n'
        '        run_all(evaluation(sys.argv[1], jobs=2, make_policy=make_sleeper))\n'
        '    except KeyboardInterrupt:\n'
        '        pass\n')
    folder = os.path.dirname(__file__)
    path = os.pathsep.join([folder, *(entry for entry in sys.path if entry)])
    process = subprocess.Popen([sys.executable, str(script), str(tmp_path)], env={**os.environ, 'PYTHONPATH': path})
    try:
        workers = wait_for(lambda: sorted(tmp_path.glob('worker-*')) if len(
            list(tmp_path.glob('worker-*'))) == 2 else None)
        pids = [int(worker.name.removeprefix('worker-')) for worker in workers]
        process.send_signal(signum)
        process.wait(30)
        wait_for(lambda: not any(alive(pid) for pid in pids))
    finally:
        process.kill()


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f'not within {seconds} s')


def alive(pid):
    try:
        with open(f'/proc/{pid}/stat') as stat:
            return stat.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False
