"""A node's parameters: one table holds every name, default, unit and bound.

Help text and the commented parameter file are written from the table.
"""

import difflib
import math
import textwrap
from dataclasses import dataclass
from types import SimpleNamespace


class ParameterError(ValueError):
    """A parameter has a value that is not allowed. The text names it, the value and the choices."""


@dataclass(frozen=True)
class Parameter:
    """One ROS parameter.

    Attributes:
        name: ROS name.
        default: its type is the parameter's type; lists hold one type only.
        description: one or two sentences.
        unit: e.g. 's'; empty where there is none.
        low, high: inclusive bounds of a number, or of every number in a list; None for no bound.
        choices: allowed texts; empty where every text is allowed.
        live: True where it may be set while the node runs.
    """

    name: str
    default: object
    description: str
    unit: str = ''
    low: float | None = None
    high: float | None = None
    choices: tuple = ()
    live: bool = False

    def bounds(self):
        """The unit and the allowed values in words."""
        parts = [self.unit] if self.unit else []
        if self.choices:
            parts.append('one of ' + ', '.join(self.choices))
        elif self.low is not None or self.high is not None:
            low = '-inf' if self.low is None else f'{self.low:g}'
            high = 'inf' if self.high is None else f'{self.high:g}'
            parts.append(f'{low} .. {high}')
        return ', '.join(parts)

    def check(self, value):
        """Return `value`, or raise ParameterError."""
        if self.choices and value not in self.choices:
            raise ParameterError(f'parameter {self.name} is {value!r}, must be one of {", ".join(self.choices)}')
        for number in value if isinstance(value, list) else [value]:
            if isinstance(number, bool) or not isinstance(number, int | float):
                continue
            too_low = self.low is not None and number < self.low
            too_high = self.high is not None and number > self.high
            if math.isnan(number) or too_low or too_high:
                raise ParameterError(f'parameter {self.name} is {value!r}, must lie in {self.bounds()}')
        return value


def refuse_unknown(names, table):
    """Raise ParameterError for a name that is not in the table; rclpy's own `qos_overrides` are let pass."""
    known = [parameter.name for parameter in table]
    for name in names:
        if name not in known and not name.startswith('qos_overrides.'):
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            raise ParameterError(f'there is no parameter {name}; did you mean {near[0]}? --help lists them')


def settle(table, given):
    """A namespace with every parameter of a table: as given, else its default.

    Args:
        table: `Parameter`s.
        given: name -> value.

    Raises:
        ParameterError: a name that is not in the table, a value of another type or out of bounds.
    """
    refuse_unknown(given, table)
    values = SimpleNamespace()
    for parameter in table:
        value = given.get(parameter.name, parameter.default)
        if _kind(value) != _kind(parameter.default):
            hint = ' (write 20.0, not 20)' if isinstance(parameter.default, float) else ''
            raise ParameterError(f'parameter {parameter.name} is {value!r}, must be like {parameter.default!r}{hint}')
        setattr(values, parameter.name, parameter.check(list(value) if isinstance(value, list | tuple) else value))
    return values


def help_text(package, name, title, table):
    """What --help shows of a node: usage and every parameter with its default, meaning, unit and bounds.

    Args:
        package, name: as for `ros2 run`.
        title: what the node does.
        table: `Parameter`s.
    """
    lines = [f'usage: ros2 run {package} {name} [--ros-args [-p NAME:=VALUE ...] [--params-file FILE]]', '',
             title.strip(), '', 'Parameters with their defaults:']
    for parameter in table:
        bounds = parameter.bounds()
        text = f'{parameter.description}{f" [{bounds}]" if bounds else ""}'
        lines += [f'  {parameter.name}:={_yaml_value(parameter.default)}',
                  *textwrap.wrap(text, 100, initial_indent=' ' * 6, subsequent_indent=' ' * 6)]
    return '\n'.join(lines)


def to_yaml(title, table):
    """The ROS parameter file of a table as text, every parameter commented."""
    lines = [f'# {title}', '#', '# Above each parameter: what it does [unit, bounds]. The values are the defaults.',
             '/**:', '  ros__parameters:']
    for parameter in table:
        bounds = parameter.bounds()
        lines += ['', *_comment(f'{parameter.description}{f" [{bounds}]" if bounds else ""}'),
                  f'    {parameter.name}: {_yaml_value(parameter.default)}']
    return '\n'.join(lines) + '\n'


def _kind(value):
    return (list, *{type(entry) for entry in value}) if isinstance(value, list | tuple) else type(value)


def _comment(text, width=104):
    lines, line = [], '    #'
    for word in text.split():
        if len(line) + 1 + len(word) > width:
            lines.append(line)
            line = '    #'
        line += f' {word}'
    return [*lines, line]


def _yaml_value(value):
    if isinstance(value, bool):
        return 'true' if value else 'false'
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, list | tuple):
        return '[' + ', '.join(_yaml_value(entry) for entry in value) + ']'
    return repr(value)
