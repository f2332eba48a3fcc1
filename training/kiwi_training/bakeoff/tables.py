"""Reads the tables of a TOML file into frozen dataclasses; what is misspelt or of another kind is refused."""

import dataclasses
import types
import typing
from dataclasses import fields

from kiwi_training.overrides import suggestion


class ConfigError(ValueError):
    """The configuration cannot be used; the text names every problem, one per line."""


def read_table(kind, table, where):
    """An instance of the dataclass `kind` from a TOML table.

    A field is text, a number, true or false, a list (a tuple of one kind) or another dataclass of
    this sort; every key must be a field and every field without default must be there.

    Args:
        kind: frozen dataclass whose annotations say what each key holds.
        table: dict as `tomllib` reads it.
        where: how messages name the table, e.g. `[training]`.

    Raises:
        ConfigError: naming the key, the value and what would do.
    """
    if not isinstance(table, dict):
        raise ConfigError(f'{where} must be a table, got {table!r}')
    known = {field.name: field for field in fields(kind)}
    for key in table:
        if key not in known:
            raise ConfigError(f'{where} has no setting {key!r}{suggestion(key, known)}')
    hints = typing.get_type_hints(kind)
    values = {key: _value(hints[key], value, f'{where} {key}') for key, value in table.items()}
    missing = [name for name, field in known.items() if name not in values and _required(field)]
    if missing:
        raise ConfigError(f'{where} lacks {", ".join(missing)}')
    try:
        return kind(**values)
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(f'{where}: {error}') from error


def _required(field):
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _value(hint, value, where):
    choices = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    problems = []
    for choice in choices:
        if choice is type(None):
            continue
        try:
            return _one(choice, value, where)
        except ConfigError as error:
            problems.append(str(error))
    raise ConfigError(problems[0])


def _one(hint, value, where):
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list):
            raise ConfigError(f'{where} must be a list, got {value!r}')
        inner = typing.get_args(hint)[0]
        return tuple(_value(inner, item, f'{where}[{index}]') for index, item in enumerate(value))
    if dataclasses.is_dataclass(hint):
        return read_table(hint, value, where)
    if hint is dict:
        if not isinstance(value, dict):
            raise ConfigError(f'{where} must be a table, got {value!r}')
        return dict(value)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f'{where} must be {_KINDS[hint]}, got {value!r}')
    return value


_KINDS = {str: 'text', int: 'a whole number', float: 'a number', bool: 'true or false'}
