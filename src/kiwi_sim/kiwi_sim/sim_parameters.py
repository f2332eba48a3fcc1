"""Every parameter of sim_node: default, unit, bounds, description. config/sim.yaml is written from it.

    python -m kiwi_sim.sim_parameters > config/sim.yaml
"""

import difflib
import textwrap
from dataclasses import dataclass


@dataclass(frozen=True)
class Parameter:
    """One ROS parameter; its type is that of its default. `low` and `high` are inclusive."""

    name: str
    default: object
    description: str
    unit: str = ''
    low: float | None = None
    high: float | None = None

    @property
    def bounds(self):
        """Unit and bounds in words, empty where there are none."""
        interval = [] if self.low is None else [f'{self.low:g} .. {self.high:g}']
        return ', '.join([self.unit] * bool(self.unit) + interval)


TABLE = (
    Parameter('seed', 0, 'Seed of the episode that the simulation starts with.', '', 0, 2**31 - 1),
    Parameter(
        'port_link', '',
        "Link kept pointing to the servo bus's pseudo-terminal; empty: kiwi/<ROS_DOMAIN_ID>/servo-bus below "
        'XDG_RUNTIME_DIR, or below a folder of the user in the temporary directory.'),
    Parameter('wire_time', True, 'Let the bus take the time that 1 Mbaud and a USB adapter take.'),
    Parameter(
        'usb_latency', 0.001,
        'What the USB adapter adds to a round trip; a CH343 shows about 0.001.', 's', 0.0, 0.1),
    Parameter(
        'camera_rate', 30.0,
        'Pictures per second of the cameras front and wrist; 0 switches them off.', 'Hz', 0.0, 120.0),
    Parameter('image_height', 96, 'Height of their pictures.', 'pixels', 16, 480),
    Parameter('image_width', 96, 'Width of their pictures.', 'pixels', 16, 640),
    Parameter('jpeg_quality', 95, 'JPEG quality of all pictures.', '', 1, 100),
    Parameter(
        'overview_rate', 10.0,
        'Pictures per second of the overview camera, for videos; 0 switches it off.', 'Hz', 0.0, 60.0),
    Parameter('overview_height', 240, 'Height of its pictures.', 'pixels', 16, 480),
    Parameter('overview_width', 320, 'Width of its pictures.', 'pixels', 16, 640),
    Parameter('task_state_rate', 10.0, 'Rate of sim/task_state.', 'Hz', 0.1, 100.0),
)


def refuse_unknown(names):
    """Raise ValueError for a name that is not in TABLE; rclpy's own `qos_overrides` are let pass."""
    known = [parameter.name for parameter in TABLE]
    for name in names:
        if name not in known and not name.startswith('qos_overrides.'):
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            raise ValueError(f'there is no parameter {name}; did you mean {near[0]}? --help lists them')


def help_text(title):
    """What --help shows: usage, `title`, and every parameter with its default, meaning, unit and bounds."""
    lines = ['usage: ros2 run kiwi_sim sim_node [--ros-args [-p NAME:=VALUE ...] [--params-file FILE]]', '',
             title.strip(), '', 'Parameters with their defaults:']
    for parameter in TABLE:
        text = f'{parameter.description} [{parameter.bounds}]' if parameter.bounds else parameter.description
        lines += [f'  {parameter.name}:={_yaml_value(parameter.default)}',
                  *textwrap.wrap(text, 100, initial_indent=' ' * 6, subsequent_indent=' ' * 6)]
    return '\n'.join(lines)


def to_yaml():
    """The parameter file with every default, commented."""
    lines = [
        '# Parameters of sim_node', '#',
        '# Above each parameter: what it does [unit, bounds]. The values are the defaults.',
        '/**:', '  ros__parameters:',
    ]
    for parameter in TABLE:
        text = f'{parameter.description} [{parameter.bounds}]' if parameter.bounds else parameter.description
        comment = textwrap.wrap(text, 98, initial_indent='    # ', subsequent_indent='    # ')
        lines += ['', *comment, f'    {parameter.name}: {_yaml_value(parameter.default)}']
    return '\n'.join(lines) + '\n'


def _yaml_value(value):
    return repr(value).lower() if isinstance(value, bool) else repr(value)


if __name__ == '__main__':
    print(to_yaml(), end='')
