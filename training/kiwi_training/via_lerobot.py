"""`kiwi-train --via-lerobot`: runs the installed lerobot-train, its flags checked first.

Unless asked otherwise nothing is pushed to the Hub and nothing is logged to Weights & Biases.
"""

import subprocess
import sys
from collections.abc import Sequence
from importlib.metadata import version

from kiwi_training.lerobot_flags import check_flags, flag_value, given_flags
from kiwi_training.policy_setup import OWN_HEADS, register_policies

MODULE = 'lerobot.scripts.lerobot_train'


def lerobot_command(argv: Sequence[str]) -> list[str]:
    """The command line that runs lerobot-train with `argv` and the flags we always add."""
    given = set(given_flags(argv))
    added = []
    for flag, value in (('policy.push_to_hub', 'false'), ('wandb.enable', 'false')):
        if flag not in given and not given & {'help', 'reward_model.type', 'reward_model.path'}:
            added.append(f'--{flag}={value}')
    own = (flag_value(argv, 'policy.type') or '').startswith('kiwi_')
    if (own or 'policy.path' in given) and 'policy.discover_packages_path' not in given:
        added.append(f'--policy.discover_packages_path={OWN_HEADS}')
    return [sys.executable, '-m', MODULE, *argv, *added]


def run_lerobot(argv: Sequence[str]) -> int:
    """Checks `argv`, then runs lerobot-train; returns its exit status, 1 when refused."""
    register_policies()
    problems = check_flags(argv)
    if problems:
        print(f'kiwi-train: lerobot {version("lerobot")} is installed, and', file=sys.stderr)
        for problem in problems:
            print(f'  {problem}', file=sys.stderr)
        print('All flags: kiwi-train --via-lerobot --help', file=sys.stderr)
        return 1
    command = lerobot_command(argv)
    print(' '.join(['lerobot-train', *command[3:]]), flush=True)
    try:
        return subprocess.call(command)
    except KeyboardInterrupt:
        return 130
