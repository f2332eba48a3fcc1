"""What serves those who look on: Rerun's view, and robot_state_publisher where ROS has it."""

from collections.abc import Callable, Mapping
from pathlib import Path

from kiwi_bringup.process import OnExit, Process, Value, node_command

STATE_PUBLISHER = 'robot_state_publisher'
_SIMULATED_CAMERAS = ['front', 'wrist', 'overview']


def view_parameters(simulated: bool) -> dict[str, Value]:
    """Parameters of view_node beyond its file."""
    return {'cameras': _SIMULATED_CAMERAS} if simulated else {}


def description_parameters(locate: Callable[[str], Path]) -> dict[str, Value]:
    """The executor's parameters: robot_description is published by one node alone."""
    return {'publish_description': False} if _state_publisher_program(locate) else {}


def state_publisher(arguments: Mapping[str, str], locate: Callable[[str], Path]) -> list[Process]:
    """robot_state_publisher with the robot's URDF where it is installed: RViz needs the transforms it publishes."""
    program = _state_publisher_program(locate)
    if program is None:
        return []
    urdf = locate('kiwi_policy') / 'share' / 'kiwi_policy' / 'urdf' / 'lekiwi.urdf'
    parameters = {'robot_description': urdf.read_text()}
    command = node_command(program, arguments['namespace'], None, parameters)
    return [Process(STATE_PUBLISHER, command, OnExit.LEFT, stop_stage=1)]


def _state_publisher_program(locate: Callable[[str], Path]) -> Path | None:
    try:
        program = locate(STATE_PUBLISHER) / 'lib' / STATE_PUBLISHER / STATE_PUBLISHER
    except LookupError:     # ament's PackageNotFoundError is one
        return None
    return program if program.is_file() else None
