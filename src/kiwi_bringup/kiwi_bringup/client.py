"""What a run with robot:=lekiwi_client has beside the others: the bridge, and in simulation the host behind it."""

import zlib
from collections.abc import Mapping
from pathlib import Path

from kiwi_bringup.arguments import ArgumentError
from kiwi_bringup.process import Value

PORTS = range(20000, 30000)  # below the kernel's ephemeral ones
HIDDEN_CAMERAS = {f'camera/{camera}/image_raw/compressed': f'sim/camera/{camera}/image_raw/compressed'
                  for camera in ('front', 'wrist')}
"""Where sim_node publishes the cameras that the host shows, since the bridge publishes them under the usual names."""


def is_client(arguments: Mapping[str, str]) -> bool:
    """Whether the robot is behind lekiwi_host. Raises ArgumentError for arguments that contradict it."""
    client, simulated = arguments['robot'] == 'lekiwi_client', arguments['sim'] == 'true'
    for name in ('robot_port', 'calibration', 'front_camera', 'wrist_camera'):
        if client and arguments[name]:
            raise ArgumentError(f'{name} is {arguments[name]!r}, but with robot:=lekiwi_client the servo bus and the '
                                'cameras are lekiwi_host\'s: leave it empty')
    if client and not simulated and not arguments['remote_ip']:
        raise ArgumentError('robot:=lekiwi_client with sim:=false needs remote_ip:=..., the address of the computer '
                            'that runs lekiwi_host')
    if arguments['remote_ip'] and (simulated or not client):
        raise ArgumentError(f'remote_ip is {arguments["remote_ip"]!r}, which needs robot:=lekiwi_client sim:=false')
    return client


def bridge_socket(bus_link: Path) -> str:
    """Path of the socket between bridge and executor, in the run-time folder of the bus's link."""
    return str(bus_link.with_name('lekiwi-bridge'))


def ports(bus_link: Path) -> tuple[int, int]:
    """The simulated host's ports for commands and observations: of their own for each run-time folder."""
    first = PORTS.start + zlib.crc32(str(bus_link).encode()) % (len(PORTS) // 2) * 2
    return first, first + 1


def bridge_parameters(arguments: Mapping[str, str], bus_link: Path) -> dict[str, Value]:
    """Parameters of the bridge. A real host's ports are those of bridge.yaml."""
    found: dict[str, Value] = {'bridge_socket': bridge_socket(bus_link),
                               'remote_ip': arguments['remote_ip'] or '127.0.0.1'}
    if arguments['sim'] == 'true':
        found['command_port'], found['observation_port'] = ports(bus_link)
    return found


def host_command(executable: Path, namespace: str, bus_link: Path) -> tuple[str, ...]:
    """Command line of the host in simulation."""
    commands, observations = ports(bus_link)
    ros = ('--ros-args', '-r', f'__ns:=/{namespace.strip("/")}') if namespace else ()
    return (str(executable), '--port', str(bus_link), '--command-port', str(commands),
            '--observation-port', str(observations), *ros)
