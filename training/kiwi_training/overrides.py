"""`--set policy.key=value`: checked against the config's dataclass before anything is loaded."""

import dataclasses
import difflib
from collections.abc import Iterable

import draccus


class SettingError(ValueError):
    """A setting names something that does not exist, or has a value of the wrong kind."""


def split_settings(settings: Iterable[str], groups: Iterable[str]) -> dict[str, list[tuple[str, str]]]:
    """`['policy.dim=8']` -> `{'policy': [('dim', '8')], ...}`, with an entry for each group.

    Raises:
        SettingError: not of the form group.key=value, or an unknown group.
    """
    split: dict[str, list[tuple[str, str]]] = {group: [] for group in groups}
    for setting in settings:
        name, equals, value = setting.partition('=')
        group, dot, key = name.strip().partition('.')
        if not equals or not dot or not key:
            raise SettingError(f'--set {setting!r}: write it as policy.name=value')
        if group not in split:
            raise SettingError(f'--set {setting!r}: no group {group!r}{suggestion(group, split)}')
        split[group].append((key, value))
    return split


def parse_config(config_class: type, settings: list[tuple[str, str]], group: str = 'policy'):
    """An instance of the dataclass `config_class` with `settings` parsed to its fields' types.

    Raises:
        SettingError: an unknown field (the nearest ones are named) or a value that does not parse.
    """
    known = {field.name for field in dataclasses.fields(config_class) if field.init}
    for key, _ in settings:
        if key.split('.')[0] not in known:
            raise SettingError(f'{config_class.__name__} has no setting {group}.{key}'
                               f'{suggestion(key, known, prefix=f"{group}.")}')
    arguments = [f'--{key}={value}' for key, value in settings]
    try:
        return draccus.parse(config_class, args=arguments)
    except (Exception, SystemExit) as error:
        said = ', '.join(f'{group}.{key}={value}' for key, value in settings)
        raise SettingError(f'{config_class.__name__} does not accept {said}: {error}') from error


def suggestion(word: str, choices: Iterable[str], prefix: str = '') -> str:
    """`'. Did you mean a, b?'` when something is near, else the list of choices."""
    choices = sorted(choices)
    near = difflib.get_close_matches(word, choices, n=3, cutoff=0.6)
    if near:
        return f'. Did you mean {", ".join(prefix + name for name in near)}?'
    return f'. Choose from {", ".join(prefix + name for name in choices)}'
