"""kiwi-train: learning, budgets, resuming, checkpoints and refusals, on a dataset of 36 frames."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from kiwi_training import train, trainer
from kiwi_training.budget import CosineSchedule, LrSchedule, StepBudget, TimeBudget
from kiwi_training.checkpoint import find_checkpoint
from kiwi_training.dataset_source import open_dataset
from kiwi_training.ema import Ema
from kiwi_training.options import TrainOptions
from kiwi_training.overrides import SettingError, parse_config, split_settings
from kiwi_training.policy_setup import make_recipe
from kiwi_training.run_log import RunLog
from kiwi_training.validation import split_episodes, validation_frames
from lerobot.configs.policies import PreTrainedConfig
from lerobot.optim import DiffuserSchedulerConfig
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
from tiny_dataset import FPS, make_tiny_dataset

SMALL = {
    'kiwi_flow': ['width=16', 'depth=1', 'image_size=[32,32]', 'camera_channels=[8,8,8]', 'camera_features=16',
                  'embedding=16'],
    'kiwi_bc': ['width=16', 'depth=1', 'image_size=[32,32]', 'camera_channels=[8,8,8]', 'camera_features=16',
                'embedding=16'],
    'act': ['dim_model=32', 'n_heads=2', 'dim_feedforward=32', 'n_encoder_layers=1', 'n_vae_encoder_layers=1',
            'latent_dim=4', 'pretrained_backbone_weights=null', 'optimizer_lr=1e-4'],
    'diffusion': ['down_dims=[16,32]', 'n_groups=4', 'diffusion_step_embed_dim=16', 'spatial_softmax_num_keypoints=4',
                  'pretrained_backbone_weights=null', 'use_group_norm=true', 'noise_scheduler_type=DDIM'],
}


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    return make_tiny_dataset(tmp_path_factory.mktemp('data') / 'ds')


@pytest.fixture(scope='module')
def cache_dir(tmp_path_factory):
    return tmp_path_factory.mktemp('cache')


@pytest.fixture
def arguments(dataset, cache_dir, tmp_path):
    def build(policy='kiwi_flow', output='run', *more):
        words = ['--dataset', str(dataset), '--cache-dir', str(cache_dir), '--policy', policy, '--batch-size', '8',
                 '--output', str(tmp_path / output), '--horizon', '8', '--log-every', '1', '--precision', 'fp32',
                 '--threads', '1']
        for setting in SMALL[policy]:
            words += ['--set', f'policy.{setting}']
        return [*words, *more]
    return build


def log_of(folder, key='loss'):
    return {line['step']: line[key] for line in map(json.loads, (folder / 'log.jsonl').read_text().splitlines())
            if key in line}


@pytest.mark.parametrize('policy', ['kiwi_flow', 'kiwi_bc', 'act', 'diffusion'])
def test_a_trained_policy_loads_in_lerobot(policy, arguments, tmp_path):
    assert train.main(arguments(policy, 'run', '--steps', '2')) == 0
    folder = tmp_path / 'run' / 'checkpoints' / 'last' / 'pretrained_model'
    config = PreTrainedConfig.from_pretrained(folder)
    assert config.type == policy and config.push_to_hub is False and config.pretrained_path is None
    loaded = get_policy_class(policy).from_pretrained(folder, config=config)
    pre, post = make_pre_post_processors(config, pretrained_path=folder)
    history = (config.n_obs_steps,) if policy == 'diffusion' else ()
    observation = {'observation.state': torch.zeros(1, *history, 9), 'task': ['']}
    for camera in ('front', 'wrist'):
        observation[f'observation.images.{camera}'] = torch.zeros(1, *history, 3, 24, 32)
    chunk = post(loaded.predict_action_chunk(pre(observation)))
    assert chunk.shape == (1, config.n_action_steps, 9) and torch.isfinite(chunk).all()
    assert config.n_action_steps == (7 if policy == 'diffusion' else 8)
    assert len(log_of(tmp_path / 'run')) == 2


def test_our_heads_know_the_datasets_rate(arguments, tmp_path):
    train.main(arguments('kiwi_flow', 'run', '--steps', '1'))
    config = PreTrainedConfig.from_pretrained(tmp_path / 'run/checkpoints/last/pretrained_model')
    assert config.fps == FPS


def test_training_lowers_the_loss_on_held_out_episodes(arguments, tmp_path):
    train.main(arguments('kiwi_bc', 'run', '--steps', '120', '--val-split', '0.3', '--val-every', '20', '--lr', '3e-3',
                         '--set', 'policy.state_noise=0', '--set', 'policy.random_shift=0',
                         '--set', 'policy.scheduler_warmup_steps=5'))
    losses = log_of(tmp_path / 'run', 'val_loss')
    assert list(losses) == [20, 40, 60, 80, 100, 120]
    assert losses[120] < 0.7 * losses[20]


def test_the_same_seed_gives_the_same_run(arguments, tmp_path):
    for output, seed in (('a', '5'), ('b', '5'), ('c', '6')):
        train.main(arguments('kiwi_flow', output, '--steps', '3', '--seed', seed))
    a, b, c = (log_of(tmp_path / name) for name in 'abc')
    assert a == b and a != c


def test_interrupted_and_resumed_equals_uninterrupted(arguments, tmp_path, monkeypatch):
    assert train.main(arguments('kiwi_flow', 'whole', '--steps', '6')) == 0
    step = trainer.Trainer._step

    def interrupting(self, batches):
        numbers = step(self, batches)
        if next(count) == 3:
            os.kill(os.getpid(), signal.SIGINT)
        return numbers

    count = iter(range(1, 100))
    monkeypatch.setattr(trainer.Trainer, '_step', interrupting)
    assert train.main(arguments('kiwi_flow', 'parts', '--steps', '6')) == 130
    monkeypatch.undo()
    assert find_checkpoint(tmp_path / 'parts').name == '000003'
    monkeypatch.chdir(tmp_path / 'parts')
    assert train.main(['--resume', '.']) == 0
    assert log_of(tmp_path / 'parts') == log_of(tmp_path / 'whole')
    for name in ('pretrained_model/model', 'training_state/raw_model', 'training_state/optimizer_state'):
        whole, parts = ((tmp_path / run / 'checkpoints/last' / f'{name}.safetensors').read_bytes()
                        for run in ('whole', 'parts'))
        assert whole == parts, name


def test_a_finished_run_can_be_trained_further_but_not_redone(arguments, tmp_path, capsys):
    run = str(tmp_path / 'run')
    train.main(arguments('kiwi_bc', 'run', '--steps', '2'))
    assert train.main(['--resume', run]) == 1
    assert 'used up its budget (2 steps)' in capsys.readouterr().err
    assert train.main(['--resume', run, '--steps', '4']) == 0
    assert list(log_of(tmp_path / 'run')) == [1, 2, 3, 4]
    with pytest.raises(SystemExit):
        train.main(arguments('kiwi_bc', 'run', '--steps', '2'))
    assert 'already holds checkpoints' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        train.main(['--resume', run, '--seed', '3'])
    assert '--seed cannot be given' in capsys.readouterr().err


def test_saved_weights_are_the_averaged_ones(arguments, tmp_path):
    from safetensors.torch import load_file
    train.main(arguments('kiwi_bc', 'ema', '--steps', '2'))
    train.main(arguments('kiwi_bc', 'raw', '--steps', '2', '--ema', '0'))
    last = 'checkpoints/last'
    raw = load_file(tmp_path / 'raw' / last / 'pretrained_model/model.safetensors')
    kept = load_file(tmp_path / 'ema' / last / 'training_state/raw_model.safetensors')
    averaged = load_file(tmp_path / 'ema' / last / 'pretrained_model/model.safetensors')
    assert all(torch.equal(raw[key], kept[key]) for key in raw)
    assert any(not torch.equal(averaged[key], kept[key]) for key in kept)
    assert not (tmp_path / 'raw' / last / 'training_state/raw_model.safetensors').exists()


def test_ema_follows_its_equation():
    model = torch.nn.Linear(1, 1, bias=False)
    ema = Ema(model, 0.5)
    start = model.weight.item()
    with torch.no_grad():
        model.weight.fill_(start + 1)
    ema.update(10 ** 9)
    with ema.applied():
        assert model.weight.item() == pytest.approx(start + 0.5)
    assert model.weight.item() == pytest.approx(start + 1)
    ema.update(100)
    with ema.applied():
        assert model.weight.item() == pytest.approx(start + 0.75)


def schedule(budget, config, lr=1.0):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=lr)
    optimizer.param_groups[0]['initial_lr'] = lr
    return optimizer, LrSchedule(optimizer, config, budget)


def test_a_budget_of_steps_gives_lerobots_own_rates():
    config = DiffuserSchedulerConfig(name='cosine', num_warmup_steps=3)
    optimizer, ours = schedule(StepBudget(20), config)
    reference = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = config.build(reference, 20)
    for step in range(20):
        ours.apply(step)
        assert optimizer.param_groups[0]['lr'] == reference.param_groups[0]['lr']
        reference.step()
        theirs.step()


def test_a_budget_of_time_ends_its_cosine_with_the_clock_though_the_machine_slows_down():
    now = 0.0
    budget = TimeBudget(100.0, clock=lambda: now)
    optimizer, ours = schedule(budget, CosineSchedule(warmup=0.05))
    budget.begin(0, 0.0)
    rates, step = [], 0
    while not budget.spent(step):
        ours.apply(step)
        rates.append(optimizer.param_groups[0]['lr'])
        step += 1
        now += 0.1 if now < 50 else 0.4
    assert budget.total == pytest.approx(1000, rel=0.01)
    assert step == pytest.approx(500 + 125, abs=2)
    assert max(rates) == 1.0 and rates[-1] == pytest.approx(0.01, abs=1e-3)
    assert rates[500] == pytest.approx(0.52, abs=0.05)


def test_a_budget_of_time_counts_earlier_sessions():
    budget = TimeBudget(60.0, total=600, clock=lambda: 1000.0)
    budget.begin(300, 30.0)
    assert budget.elapsed() == 30.0 and budget.position(300) == 300 and not budget.spent(300)


def test_minutes_end_a_run(arguments, tmp_path):
    assert train.main(arguments('kiwi_bc', 'run', '--minutes', '0.02')) == 0
    assert len(log_of(tmp_path / 'run')) >= 1


def test_settings_are_checked_before_anything_is_loaded(arguments, capsys):
    assert train.main(arguments('act', 'run', '--steps', '1', '--set', 'policy.chunk_sise=4')) == 1
    assert 'Did you mean policy.chunk_size' in capsys.readouterr().err
    assert train.main(arguments('act', 'run', '--steps', '1', '--set', 'polcy.chunk_size=4')) == 1
    assert 'Did you mean policy' in capsys.readouterr().err
    assert train.main(arguments('act', 'run', '--steps', '1', '--set', 'policy.dim_model=wide')) == 1
    assert 'policy.dim_model=wide' in capsys.readouterr().err


def test_unknown_policy_types_are_answered_with_near_ones(dataset, tmp_path, capsys):
    words = ['--dataset', str(dataset), '--output', str(tmp_path / 'run'), '--steps', '1', '--policy', 'kiwi_flw']
    assert train.main(words) == 1
    assert 'Did you mean kiwi_flow' in capsys.readouterr().err


def test_settings_reach_config_optimizer_and_schedule():
    options = TrainOptions('d', 'o', 'diffusion', steps=1, horizon=16, lr=0.5,
                           settings=('policy.n_obs_steps=3', 'optimizer.weight_decay=0.25',
                                     'scheduler.num_warmup_steps=7'))
    recipe = make_recipe(options, 30)
    assert (recipe.policy.horizon, recipe.policy.n_action_steps, recipe.policy.n_obs_steps) == (16, 14, 3)
    assert (recipe.optimizer.lr, recipe.optimizer.weight_decay) == (0.5, 0.25)
    assert recipe.scheduler.num_warmup_steps == 7


def test_offline_a_backbone_is_not_downloaded(monkeypatch):
    options = TrainOptions('d', 'o', 'act', steps=1)
    monkeypatch.setenv('HF_HUB_OFFLINE', '1')
    assert make_recipe(options, 30).policy.pretrained_backbone_weights is None
    monkeypatch.delenv('HF_HUB_OFFLINE')
    assert make_recipe(options, 30).policy.pretrained_backbone_weights == 'ResNet18_Weights.IMAGENET1K_V1'


@pytest.mark.parametrize('setting', ['policy', 'policy.x', '.x=3', 'x=3'])
def test_malformed_settings(setting):
    with pytest.raises(SettingError):
        split_settings([setting], ('policy',))


def test_values_get_their_fields_types():
    config = parse_config(PreTrainedConfig.get_choice_class('act'), [('device', 'cpu'), ('use_vae', 'false'),
                                                                     ('optimizer_lr', '1e-3')])
    assert config.use_vae is False and config.optimizer_lr == 1e-3


@pytest.mark.parametrize('values', [{}, {'steps': 1, 'minutes': 1.0}, {'steps': 0}, {'steps': 1, 'ema': 1.0},
                                    {'steps': 1, 'val_split': 1.0}, {'steps': 1, 'batch_size': 0}])
def test_impossible_options(values):
    with pytest.raises(ValueError):
        TrainOptions('d', 'o', **values)


def test_options_survive_being_saved(tmp_path):
    options = TrainOptions('d', 'o', steps=3, settings=('policy.a=1',), resize=(48, 64))
    options.save(tmp_path / 'o.json')
    assert TrainOptions.load(tmp_path / 'o.json') == options


def test_the_last_episodes_are_held_out(dataset):
    meta = open_dataset(dataset)
    assert split_episodes(meta, 0.0) == ([0, 1, 2], [])
    assert split_episodes(meta, 0.3) == ([0, 1], [2])
    assert np.array_equal(validation_frames(meta, [2]), np.arange(21, 36))
    with pytest.raises(ValueError, match='none to train on'):
        split_episodes(meta, 0.99)


def test_a_resumed_log_drops_what_a_killed_session_left(tmp_path):
    log = RunLog(tmp_path, 0)
    for step in (1, 2, 3):
        log.add(loss=float(step))
        log.write_means(step)
    RunLog(tmp_path, 2)
    assert log_of(tmp_path) == {1: 1.0, 2: 2.0}


def test_a_loss_that_is_no_number_stops_the_run(arguments, tmp_path, capsys):
    assert train.main(arguments('kiwi_bc', 'run', '--steps', '50', '--lr', '1e30', '--schedule', 'constant',
                                '--set', 'policy.optimizer_grad_clip_norm=1e30')) == 1
    assert 'the loss became' in capsys.readouterr().err


def test_list_settings_prints_the_config(capsys):
    assert train.main(['--policy', 'kiwi_flow', '--list-settings']) == 0
    assert '--set policy.num_inference_steps=10' in capsys.readouterr().out
