"""`kiwi-train --via-lerobot`: flags are checked against the lerobot that is installed."""

import re
import sys

import pytest
from kiwi_training import via_lerobot
from kiwi_training.lerobot_flags import check_flags, flag_value, given_flags, offered_flags
from kiwi_training.policy_setup import register_policies
from kiwi_training.via_lerobot import lerobot_command, run_lerobot
from lerobot.configs.parser import print_scoped_help
from lerobot.configs.train import TrainPipelineConfig

GOOD = ['--policy.type=act', '--dataset.repo_id=local/demos', '--dataset.root', 'demos', '--steps=10',
        '--policy.chunk_size=8', '--optimizer.type=adam', '--optimizer.lr=0.1',
        '--dataset.image_transforms.tfs.blur.weight=1']


@pytest.fixture(autouse=True, scope='module')
def policies():
    register_policies()


def test_flags_and_values_are_found():
    assert given_flags(GOOD)[:3] == ['policy.type', 'dataset.repo_id', 'dataset.root']
    assert flag_value(GOOD, 'dataset.root') == 'demos' and flag_value(GOOD, 'steps') == '10'
    assert flag_value(GOOD, 'seed') is None


def test_flags_that_are_offered_pass():
    assert check_flags(GOOD) == []
    assert check_flags(['--policy.type=kiwi_flow', '--policy.num_inference_steps=4',
                        '--policy.discover_packages_path=kiwi_policy.heads']) == []


def test_renamed_flags_are_named():
    [problem] = check_flags(['--policy.type=act', '--eval_freq=100'])
    assert problem.flag == 'eval_freq' and '--env_eval_freq' in problem.advice


def test_mistyped_flags_are_answered_with_near_ones():
    [problem] = check_flags(['--policy.type=act', '--policy.chunk_sise=8'])
    assert '--policy.chunk_size' in problem.advice


def test_flags_of_another_policy_are_refused():
    assert [problem.flag for problem in check_flags(['--policy.type=act', '--policy.horizon=8'])] == ['policy.horizon']
    assert check_flags(['--policy.type=diffusion', '--policy.horizon=8']) == []


@pytest.mark.parametrize('policy', ['act', 'kiwi_flow'])
def test_every_flag_of_the_help_is_known(policy, capsys):
    """The dataclasses and the help that lerobot-train prints must agree."""
    chosen = [f'--policy.type={policy}']
    print_scoped_help(TrainPipelineConfig, chosen)
    printed = set(re.findall(r'^\s+--([\w.]+)', capsys.readouterr().out, re.MULTILINE))
    assert len(printed) > 80 and 'policy.n_action_steps' in printed
    # A nested group's own flag takes the path of a config file.
    assert printed - offered_flags(chosen) <= {'image_transforms'}


def test_nothing_is_pushed_or_logged_unless_asked():
    command = lerobot_command(GOOD)
    assert command[:3] == [sys.executable, '-m', 'lerobot.scripts.lerobot_train']
    assert '--policy.push_to_hub=false' in command and '--wandb.enable=false' in command
    asked = lerobot_command([*GOOD, '--policy.push_to_hub=true', '--wandb.enable=true'])
    assert '--policy.push_to_hub=false' not in asked and '--wandb.enable=false' not in asked


def test_our_types_are_made_known():
    assert '--policy.discover_packages_path=kiwi_policy.heads' in lerobot_command(['--policy.type=kiwi_bc'])
    assert not any('discover' in word for word in lerobot_command(GOOD))


def test_a_refused_command_is_not_run(monkeypatch, capsys):
    monkeypatch.setattr(via_lerobot.subprocess, 'call', lambda command: pytest.fail('was run'))
    assert run_lerobot(['--policy.type=act', '--eval_freq=1']) == 1
    assert '--env_eval_freq' in capsys.readouterr().err


def test_an_accepted_command_returns_its_status(monkeypatch):
    monkeypatch.setattr(via_lerobot.subprocess, 'call', lambda command: 3 if '--steps=10' in command else 0)
    assert run_lerobot(GOOD) == 3
