"""A whole bake-off in this process: tiny networks on states alone, seconds of training, a few short rollouts."""

import json

import numpy as np
import pytest
from kiwi_policy.core.features import NAMES
from kiwi_training.bakeoff import command, shards, training_process
from kiwi_training.bakeoff.store import Store
from lerobot.datasets.lerobot_dataset import LeRobotDataset

CONFIG = """
title = 'miniature'
dataset = 'demos'
[training]
steps = 3
batch_size = 8
horizon = 16
val_split = 0.3
cache_dir = '{cache}'
[[heads]]
name = 'bc'
policy = 'kiwi_bc'
settings = {small}
[[heads]]
name = 'cvae'
policy = 'kiwi_cvae'
settings = {small}
  [[heads.rows]]
  name = 'cvae sampled'
  sampling = {{ latent = 'sample' }}
[[heads]]
name = 'flow'
policy = 'kiwi_flow'
settings = {small}
seeds = [7, 8]
control = false
  [[heads.rows]]
  name = 'flow 2'
  sampling = {{ num_inference_steps = 2 }}
[rollouts]
trials = 3
extra_seed_trials = 1
time_limit = 0.3
shard = 2
[latency]
chunks = 4
warm_up = 1
[coverage]
trials = 2
[executors]
trials = 1
rows = ['flow 2']
[requery]
rows = ['flow 2']
intervals = ['1', 'H/4', 'H']
trials = 1
[noise]
rows = ['flow 2']
trials = 1
[control]
dataset = 'demos'
horizon = 8
trials = 1
rows = ['bc']
[latent]
[overlay]
samples = 2
rows = ['flow 2']
"""
SMALL = ['policy.width=10', 'policy.depth=1', 'policy.embedding=10']


class Counted:
    """Counts the calls of a function."""

    def __init__(self, function):
        self.calls = 0
        self._function = function

    def __call__(self, *args, **kwargs):
        self.calls += 1
        return self._function(*args, **kwargs)


def make_state_dataset(root):
    """Four episodes of states and actions without pictures."""
    numbers = {'dtype': 'float32', 'shape': (9,), 'names': list(NAMES)}
    dataset = LeRobotDataset.create('local/states', 30, {'observation.state': numbers, 'action': numbers}, root=root,
                                    robot_type='lekiwi', use_videos=False)
    rng = np.random.default_rng(0)
    for _ in range(4):
        for t in range(20):
            state = np.full(9, np.sin(t / 5), np.float32)
            dataset.add_frame({'observation.state': state, 'task': 'Put the cube on the disc.',
                               'action': (state + rng.normal(0, 0.1, 9)).astype(np.float32)})
        dataset.save_episode()
    dataset.finalize()


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('bakeoff')
    make_state_dataset(folder / 'demos')
    (folder / 'mini.toml').write_text(CONFIG.format(cache=folder / 'cache', small=SMALL))
    return folder


@pytest.fixture
def counted(monkeypatch):
    """Counters of rollouts and of trainings."""
    rollouts, trainings = Counted(shards.run_rollout), Counted(training_process.train)
    monkeypatch.setattr(shards, 'run_rollout', rollouts)
    monkeypatch.setattr(training_process, 'train', trainings)
    return rollouts, trainings


def bake(folder, *more):
    return command.main([str(folder / 'mini.toml'), '--output', str(folder / 'out'), '--jobs', '0', *more])


def test_a_bakeoff_from_start_to_end_interrupted_and_resumed(folder, counted, monkeypatch, capsys):
    rollouts, trainings = counted
    assert bake(folder, '--until', 'check') == 0 and not (folder / 'out' / 'trainings').exists()

    save, saved = Store.save, []

    def interrupted(store, task, result):
        save(store, task, result)
        saved.append(task.key)
        if len(list(store.folder.glob('main/*.json'))) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Store, 'save', interrupted)
        assert bake(folder) == 130
    assert trainings.calls == 5 and rollouts.calls == 5
    assert not list((folder / 'out').rglob('.*.json.*'))

    with monkeypatch.context() as patch:
        patch.setattr(Store, 'save', lambda store, task, result: (saved.append(task.key), save(store, task, result)))
        assert bake(folder) == 0
    assert trainings.calls == 5, 'a finished training is not repeated'
    # 3 rows x 3, one further seed, 3 x 2 from one start, 3 other modes, 3 intervals, 1 other noise, 1 control
    assert rollouts.calls == 9 + 1 + 6 + 3 + 3 + 1 + 1
    assert len(saved) == len(set(saved)), 'nothing is measured twice'

    done = rollouts.calls
    assert bake(folder) == 0
    assert (trainings.calls, rollouts.calls) == (5, done)
    check_summary(json.loads((folder / 'out' / 'summary.json').read_text()), folder / 'out')
    assert 'report:' in capsys.readouterr().out
    assert (folder / 'out' / 'report' / 'index.html').is_file()


def check_summary(summary, out):
    assert [row['head'] for row in summary['rows']] == ['bc', 'cvae sampled', 'flow 2']
    bc, cvae, flow = summary['rows']
    assert (bc['evals_per_chunk'], cvae['evals_per_chunk'], flow['evals_per_chunk']) == (1, 1, 2)
    assert [row['trials'] for row in summary['rows']] == [3, 3, 3]
    assert [(entry['seed'], entry['trials']) for entry in flow['per_seed']] == [(7, 3), (8, 1)]
    assert flow['per_seed'][0]['digest'] != flow['per_seed'][1]['digest']
    assert all(row['success_low'] <= row['success'] <= row['success_high'] for row in summary['rows'])
    assert all(row['latency_p95_ms'] >= row['latency_p50_ms'] > 0 for row in summary['rows'])
    assert bc['train_steps'] == 3 and bc['train_minutes'] > 0 and bc['train_cpu_minutes'] > 0
    assert (flow['horizon'], flow['n_action_steps'], flow['replan_rows'], flow['coverage_trials']) == (16, 16, 4, 2)
    assert {entry['executor'] for entry in summary['executors']} == {
        'sync', 'latest', 'ensemble newest', 'ensemble oldest'}
    assert [entry['interval_actions'] for entry in summary['requery']] == [1, 4, 16]
    assert [entry['noise'] for entry in summary['noise']] == ['chunk', 'episode']
    control, = summary['control']
    assert (control['head'], control['trials'], control['task']) == ('bc', 1, 'forced fork')
    assert {entry['task'] for entry in summary['latent']} == {'fork'}
    assert {(pair['a'], pair['b']) for pair in summary['pairs']} >= {('bc', 'flow 2')}
    assert [entry['head'] for entry in summary['decision']['candidates']] == ['bc', 'cvae sampled', 'flow 2']
    with np.load(out / 'traces' / f'{flow["path_key"]}.npz') as traces:
        assert traces['xy'].shape[0] == 3 and traces['side'].shape == traces['success'].shape == (3,)
    with np.load(out / 'traces' / f'{flow["overlay_key"]}.npz') as overlay:
        assert overlay['tips'].shape == (2, 16, 3) and overlay['cube'].shape == (3,)


def test_what_fails_is_named_and_the_others_go_on(folder, monkeypatch, capsys):
    run = shards.RolloutWork.run

    def broken(work):
        if work.executor == {'mode': 'sync'} and work.task == 'fork':
            raise RuntimeError('the renderer is gone')
        return run(work)

    monkeypatch.setattr(shards.RolloutWork, 'run', broken)
    for path in (folder / 'out' / 'results' / 'executors').glob('*sync*.json'):
        path.unlink()
    assert bake(folder, '--only', 'flow 2') == 1
    assert 'flow 2, sync (executors): RuntimeError: the renderer is gone' in capsys.readouterr().err
    summary = json.loads((folder / 'out' / 'summary.json').read_text())
    assert len(summary['rows']) == 3 and len(summary['executors']) == 3
    assert 'the renderer is gone' in summary['failures'][0]


def test_all_problems_are_told_before_any_training(folder, capsys):
    text = (folder / 'mini.toml').read_text()
    path = folder / 'wrong.toml'
    path.write_text(text.replace("num_inference_steps = 2", "latent = 'zero'").replace("'kiwi_bc'", "'kiwi_cb'")
                    .replace("rows = ['bc']", '').replace('policy.width=10', 'policy.widht=8', 1))
    assert command.main([str(path), '--output', str(folder / 'new'), '--jobs', '0']) == 2
    said = capsys.readouterr().err
    assert 'kiwi_cb' in said and 'kiwi_flow has no sampling option latent' in said
    assert not (folder / 'new' / 'trainings').exists()


def test_another_training_in_the_folder_is_refused(folder, capsys):
    path = folder / 'other.toml'
    path.write_text((folder / 'mini.toml').read_text().replace('steps = 3', 'steps = 4', 1))
    assert command.main([str(path), '--output', str(folder / 'out'), '--jobs', '0']) == 2
    assert 'steps is 3 there, 4 here' in capsys.readouterr().err


def test_a_checkpoint_that_runs_one_action_is_refused(folder):
    from kiwi_policy.heads.info import ActionStepsError
    from kiwi_training.bakeoff.inspection import inspect
    checkpoint = folder / 'out' / 'trainings' / 'bc-seed7' / 'checkpoints' / 'last' / 'pretrained_model'
    found = inspect(checkpoint)
    assert (found.policy, found.horizon, found.n_action_steps) == ('kiwi_bc', 16, 16)
    config = checkpoint / 'config.json'
    whole = config.read_text()
    try:
        for steps in (1, 7):
            config.write_text(json.dumps(json.loads(whole) | {'n_action_steps': steps}))
            with pytest.raises(ActionStepsError, match=f'n_action_steps {steps} '):
                inspect(checkpoint)
    finally:
        config.write_text(whole)
