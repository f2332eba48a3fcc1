"""The arguments of the composition, the same for both front ends: name:=value."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


class ArgumentError(ValueError):
    """A name or value that the composition does not take; the message names the valid ones."""


@dataclass(frozen=True)
class Argument:
    """One name:=value argument.

    Args:
        name: its name.
        default: its default, as text.
        description: what it does, unit and bounds included.
        choices: valid values, empty where it is free.
    """

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()

    def check(self, value: str) -> str:
        """Return the value. Raises ArgumentError where it is not among the choices."""
        if self.choices and value not in self.choices:
            raise ArgumentError(f'{self.name} is {value!r}; it may be {", ".join(self.choices)}')
        return value


ARGUMENTS = (
    Argument('sim', 'true', 'Run the simulated LeKiwi; false drives a real one on robot_port.', ('true', 'false')),
    Argument('head', 'flow', 'Name of a checkpoint that ships with kiwi_policy (share/kiwi_policy/checkpoints/<head>).'),
    Argument('checkpoint', '', 'Folder of any LeRobot checkpoint; empty takes the one that head names.'),
    Argument('rollouts', '5', 'Episodes to run, after which everything ends; 0 waits for run_rollouts goals.'),
    Argument('seed', '1000', 'Seed of the first simulated episode; episode i uses seed + i.'),
    Argument('time_limit', '20.0', 'Time per episode in s.'),
    Argument('task', 'Put the cube on the disc.', 'Task text passed on to the policy.'),
    Argument('mode', 'latest', 'How the executor runs chunks.', ('sync', 'latest', 'ensemble')),
    Argument('operator', 'none', 'Who takes over in simulation where the policy goes wrong; a person uses takeover_node instead.',
             ('none', 'expert')),
    Argument('spread', '1.0', 'Scatter of the simulated starts as a multiple of the demonstrations\'.'),
    Argument('output_dir', 'rollouts', 'Folder for results: <output_dir>/<UTC time>, linked as <output_dir>/latest.'),
    Argument('record', 'true', 'Record every rollout as a rosbag2 bag, <output_dir>/<UTC time>/bags/rollout_001 and so '
                               'on.', ('true', 'false')),
    Argument('device', 'cpu', 'torch device of the policy, e.g. cpu, cuda, mps.'),
    Argument('robot', 'lekiwi', 'Whether the servo bus is plugged in here, or into a computer that runs lekiwi_host.',
             ('lekiwi', 'lekiwi_client')),
    Argument('remote_ip', '', 'Address of that computer; needed with robot:=lekiwi_client sim:=false.'),
    Argument('robot_port', '', 'Serial device of the servo bus; needed with sim:=false, else the emulated bus.'),
    Argument('calibration', '', 'LeRobot calibration file of the robot; needed with sim:=false.'),
    Argument('front_camera', '', 'Device of the front camera, by path or number; empty where something else '
                                 'publishes it. Only with sim:=false.'),
    Argument('wrist_camera', '', 'The same of the wrist camera.'),
    Argument('view', 'false', 'Show cameras, arm, plan and events in Rerun: a page at http://127.0.0.1:9090, see view.yaml.',
             ('true', 'false')),
    Argument('namespace', '', 'ROS namespace of all nodes.'),
    Argument('config', '', 'Folder with your policy.yaml, executor.yaml, rollout.yaml, recorder.yaml, sim.yaml, bridge.yaml, view.yaml or '
                           'camera.yaml (camera_front.yaml, camera_wrist.yaml for one camera), in place of those that ship; the '
                           'arguments above win over them.'),
)


def defaults() -> dict[str, str]:
    """Name -> default of every argument."""
    return {argument.name: argument.default for argument in ARGUMENTS}


def parse(words: Iterable[str]) -> dict[str, str]:
    """Values of all arguments from name:=value words, defaults included.

    Raises:
        ArgumentError: not of that form, unknown name, or a value that is not among the choices.
    """
    values = {}
    for word in words:
        name, sign, value = word.partition(':=')
        if not sign:
            raise ArgumentError(f'{word!r} is not of the form name:=value')
        values[name] = value
    return complete(values)


def complete(values: Mapping[str, str]) -> dict[str, str]:
    """Check the values and add the defaults of the others. Raises ArgumentError."""
    known = {argument.name: argument for argument in ARGUMENTS}
    for name, value in values.items():
        if name not in known:
            raise ArgumentError(f'no argument is called {name!r}; there are {", ".join(known)}')
        known[name].check(value)
    return {**defaults(), **values}


def describe() -> str:
    """All arguments with defaults and choices, for people."""
    lines = ['Arguments (name:=value):']
    for argument in ARGUMENTS:
        choices = f' [{", ".join(argument.choices)}]' if argument.choices else ''
        lines += [f'  {argument.name}:={argument.default!r}{choices}', f'      {argument.description}']
    return '\n'.join(lines)
