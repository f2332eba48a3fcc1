"""Executor configurations to replay: as recorded, from a ROS parameter file, or either with changes."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import yaml

from kiwi_policy.core.journal import JournalledExecutor
from kiwi_policy.core.parameters import ParameterError, refuse_unknown, settle
from kiwi_policy.nodes.executor_parameters import TABLE, executor_config

LIVE = 'live'
NODE = 'chunk_executor_node'
_PARAMETERS = {parameter.name: parameter for parameter in TABLE}


@dataclass(frozen=True)
class Choice:
    """An executor configuration somebody asked for.

    Attributes:
        name: for the table.
        given: name -> value of a parameter file; None starts from the recorded parameters.
        changes: name -> value on top of that.
    """

    name: str
    given: dict | None = None
    changes: dict = field(default_factory=dict)

    @property
    def fixes_speed(self):
        """True where speed_scale is told, so that what the operator set during the rollout does not count."""
        return 'speed_scale' in {**(self.given or {}), **self.changes}

    def maker(self, recorded):
        """A function that makes such a `JournalledExecutor`.

        Args:
            recorded: name -> value of the executor's parameters on record.

        Raises:
            ParameterError: a value that the executor refuses, or another rate than recorded.
        """
        live = known(recorded)
        values = settle(TABLE, {**(live if self.given is None else self.given), **self.changes})
        rate = settle(TABLE, live).rate
        if values.rate != rate:
            raise ParameterError(f'{self.name}: parameter rate is {values.rate:g} Hz, the recording has a tick every '
                                 f'1/{rate:g} s; a replay keeps its ticks, set rate to {rate:g}')
        return partial(JournalledExecutor, executor_config(values), values.takeover_timeout,
                       values.blind_timeout)


def known(recorded):
    """The recorded parameters (name -> value) that the executor's table has; a node has others, too."""
    return {name: value for name, value in recorded.items() if name in _PARAMETERS}


def choices(executors, settings):
    """`Choice`s of a command line: one per executor, and one per group of settings on top of the first executor.

    Args:
        executors: 'live' or paths of parameter files.
        settings: lists of 'NAME=VALUE'.

    Raises:
        ParameterError: naming the file or the setting that cannot be used.
    """
    bases = [Choice(LIVE) if executor == LIVE else Choice(executor, read_file(executor)) for executor in executors]
    changed = [Choice(_label(bases[0].name, group), bases[0].given, read_settings(group)) for group in settings]
    return bases + changed


def read_file(path):
    """Name -> value of chunk_executor_node in a ROS parameter file, checked as the node checks them.

    Raises:
        ParameterError: it cannot be read, has nothing for the node, or a value the node refuses.
    """
    try:
        content = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ParameterError(f'{path}: cannot be read: {error}; --executor takes {LIVE} or a parameter file') from None
    sections = content if isinstance(content, dict) else {}
    given, found = {}, False
    for node in sorted(sections, key=lambda node: '*' not in str(node)):        # the node's own section wins
        if str(node).rpartition('/')[2] not in ('**', '*', NODE) or not isinstance(sections[node], dict):
            continue
        parameters = sections[node].get('ros__parameters')
        if isinstance(parameters, dict):
            given, found = given | parameters, True
    if not found:
        raise ParameterError(f'{path}: has no ros__parameters of /** or {NODE}; it has '
                             f'{", ".join(map(str, sections)) or "no sections"}')
    try:
        executor_config(settle(TABLE, given))
    except ParameterError as error:
        raise ParameterError(f'{path}: {error}') from None
    return given


def read_settings(group):
    """Name -> value of texts NAME=VALUE; the value is YAML, a whole number will do for any number.

    Raises:
        ParameterError: not of this form, no parameter that a replay uses, or a value out of bounds.
    """
    changes = {}
    for text in group:
        name, equals, value = text.partition('=')
        if not equals:
            raise ParameterError(f'--set {text!r}: write it as NAME=VALUE, e.g. seam_ticks=0 (bags stand before --set)')
        refuse_unknown([name], TABLE)
        if name in ASKING:
            raise ParameterError(f'--set {text!r}: {name} changes only when chunks are asked for, and a replay has '
                                 'none but those on record')
        if name not in USED:
            raise ParameterError(f'--set {text!r}: {name} changes nothing in a replay; these do: {", ".join(USED)}')
        try:
            value = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ParameterError(f'--set {text!r}: {value!r} is no value') from None
        changes[name] = _as(value, _PARAMETERS[name].default)
    settle(TABLE, changes)
    return changes


def _as(value, like):
    if isinstance(like, list) and isinstance(value, list):
        return [_as(entry, like[0]) for entry in value]
    return float(value) if isinstance(like, float) and type(value) is int else value


def _label(base, group):
    return ' '.join(group if base == LIVE else (base, *group))


class _Read:
    """Default values of the table that remember which of them were asked for."""

    def __init__(self):
        self.names = []

    def __getattr__(self, name):
        self.names.append(name)
        return _PARAMETERS[name].default


def _used():
    asked = _Read()
    executor_config(asked)
    wanted = {*asked.names, 'takeover_timeout', 'blind_timeout'} - {'rate', *ASKING}
    return tuple(name for name in _PARAMETERS if name in wanted)


ASKING = ('replan_interval', 'ensemble_interval', 'request_timeout', 'initial_latency')
"""Parameters that decide when a chunk is asked for, and nothing else."""

USED = _used()
"""Parameters that a replay depends on."""
