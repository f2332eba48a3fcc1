"""Which flags the installed lerobot-train offers, and what is wrong with those that were given.

The flags are read from the dataclasses of the installed version, the same that its --help prints,
so that nothing has to be kept up to date here but the list of renamed flags.
"""

import dataclasses
import json
import types
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path

import draccus

from kiwi_training.overrides import suggestion

RENAMED = {
    'eval_freq': 'env_eval_freq',
    'use_rabc': 'sample_weighting.type',
    'rabc_progress_path': 'sample_weighting.progress_path',
    'rabc_kappa': 'sample_weighting.kappa',
    'rabc_epsilon': 'sample_weighting.epsilon',
    'rabc_head_mode': 'sample_weighting.head_mode',
}
"""Flags of lerobot 0.4.4 -> what they are called in 0.6.1."""

_HELP = ('help', 'h')
_DISCOVER = 'discover_packages_path'
_ANY = '*'


@dataclasses.dataclass(frozen=True)
class FlagProblem:
    """A flag that the installed version does not offer, and what to do about it."""

    flag: str
    advice: str

    def __str__(self) -> str:
        return f'--{self.flag}: {self.advice}'


def given_flags(argv: Sequence[str]) -> list[str]:
    """Names of the flags in a command line, without dashes and values."""
    return [word[2:].partition('=')[0] for word in argv if word.startswith('--') and len(word) > 2]


def flag_value(argv: Sequence[str], flag: str) -> str | None:
    """Value of `--flag=value` or `--flag value`, None where it is not given."""
    for place, word in enumerate(argv):
        if word == f'--{flag}' and place + 1 < len(argv):
            return argv[place + 1]
        if word.startswith(f'--{flag}='):
            return word.partition('=')[2]
    return None


def offered_flags(argv: Sequence[str]) -> set[str]:
    """All flags that lerobot-train takes, given the types chosen in `argv`.

    A name that ends in `.*` stands for any name below it (a free-form dictionary).
    """
    from lerobot.configs.train import TrainPipelineConfig
    offered = {'config_path', 'policy.path', 'reward_model.path'}
    _collect(TrainPipelineConfig, '', argv, offered)
    return offered | {f'{group}.{_DISCOVER}' for group in ('policy', 'env', 'reward_model')}


def check_flags(argv: Sequence[str]) -> list[FlagProblem]:
    """What the installed lerobot-train would not understand in `argv`; empty when all is well."""
    offered = offered_flags(argv)
    problems = []
    for flag in given_flags(argv):
        if flag in _HELP or flag in offered or any(_covers(name, flag) for name in offered):
            continue
        problems.append(FlagProblem(flag, _advice(flag, offered)))
    return problems


def _covers(name: str, flag: str) -> bool:
    return name.endswith('.' + _ANY) and flag.startswith(name[:-1])


def _advice(flag: str, offered: Iterable[str]) -> str:
    other = RENAMED.get(flag) or next((old for old, new in RENAMED.items() if new == flag), None)
    if other is not None and other in offered:
        return f'not offered by the installed lerobot-train, which calls it --{other}'
    return f'not offered by the installed lerobot-train{suggestion(flag, offered, prefix="--")}' \
        if not _far(flag, offered) else 'not offered by the installed lerobot-train, and nothing there resembles it'


def _far(flag: str, offered: Iterable[str]) -> bool:
    return 'Did you mean' not in suggestion(flag, offered)


def _collect(config: type, prefix: str, argv: Sequence[str], offered: set[str]) -> None:
    hints = typing.get_type_hints(config)
    for field in dataclasses.fields(config):
        if not field.init:
            continue
        name = f'{prefix}{field.name}'
        offered.add(name)
        for kind in _members(hints[field.name]):
            if typing.get_origin(kind) is dict or kind is dict:
                offered.add(f'{name}.{_ANY}')
            elif isinstance(kind, type) and issubclass(kind, draccus.ChoiceRegistry):
                offered.add(f'{name}.type')
                for choice in _chosen(kind, name, argv):
                    _collect(choice, f'{name}.', argv, offered)
            elif dataclasses.is_dataclass(kind):
                _collect(kind, f'{name}.', argv, offered)


def _members(hint) -> tuple:
    """The alternatives of a union type, or the type alone."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return typing.get_args(hint)
    return (hint,)


def _chosen(registry: type, name: str, argv: Sequence[str]) -> list[type]:
    """The class chosen by `--<name>.type` or by the config at `--<name>.path`, else all classes."""
    choice = flag_value(argv, f'{name}.type') or _type_of_checkpoint(flag_value(argv, f'{name}.path'))
    known = registry.get_known_choices()
    return [known[choice]] if choice in known else list(known.values())


def _type_of_checkpoint(folder: str | None) -> str | None:
    config = Path(folder) / 'config.json' if folder else None
    return json.loads(config.read_text()).get('type') if config is not None and config.is_file() else None
