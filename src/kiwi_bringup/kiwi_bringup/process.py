"""What a process of the composition is, and the command line that starts it."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

Value = bool | int | float | str | list[str]


class OnExit(Enum):
    """What the end of a process means for the whole."""

    ENDS = 'ends'  # the run is over, with this process's status
    FAILS = 'fails'  # the run has failed: nothing can go on without it
    RESPAWN = 'respawn'  # it is started again
    LEFT = 'left'  # the run goes on without it


@dataclass(frozen=True)
class Process:
    """One process.

    Args:
        name: its name in messages; with `package` also its node's name.
        command: program and first arguments; use `node` for one of a ROS package.
        on_exit: what its end means.
        stop_stage: processes of stage 0 are stopped first, those of stage 1 when they have ended, and so on.
        prefixed: whether its output lines carry its name.
        environment: variables added to the front end's own.
    """

    name: str
    command: tuple[str, ...]
    on_exit: OnExit
    stop_stage: int = 0
    prefixed: bool = True
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def argv(self) -> list[str]:
        """Its command line as started: tied to the life of the front end, see `tether`."""
        return [sys.executable, '-m', 'kiwi_bringup.tether', *self.command]


def node_command(
    executable: Path,
    namespace: str = '',
    parameter_file: Path | None = None,
    parameters: Mapping[str, Value] | None = None,
    remaps: Mapping[str, str] | None = None,
) -> tuple[str, ...]:
    """The command line of a ROS node; single parameters win over the file."""
    words = [str(executable), '--ros-args']
    if namespace:
        words += ['-r', f'__ns:=/{namespace.strip("/")}']
    for old, new in (remaps or {}).items():
        words += ['-r', f'{old}:={new}']
    if parameter_file is not None:
        words += ['--params-file', str(parameter_file)]
    for name, value in (parameters or {}).items():
        words += ['-p', f'{name}:={json.dumps(value)}']
    return tuple(words)
