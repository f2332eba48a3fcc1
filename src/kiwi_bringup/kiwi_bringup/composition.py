"""The system: which processes there are, in start order, with what parameters, and what their end means."""

from collections.abc import Callable, Mapping
from pathlib import Path

from kiwi_bringup import client, viewing
from kiwi_bringup.arguments import ArgumentError
from kiwi_bringup.process import OnExit, Process, Value, node_command

Locate = Callable[[str], Path]  # package name -> its install prefix
READY_TIMEOUT = 180.0  # s that processes wait for each other at start; a busy machine imports torch slowly
CAMERAS = ('front', 'wrist')


def compose(arguments: Mapping[str, str], locate: Locate, bus_link: Path) -> tuple[Process, ...]:
    """The processes in start order. Each waits by itself for what it needs of the others.

    The executor and whoever asks it to move stop first, so that the safe stop still finds the bus, and the recorder
    after rollout_node, which closes its bag.

    Args:
        arguments: values of all `ARGUMENTS`.
        locate: finds a package's install prefix.
        bus_link: where the simulation puts the link to its servo bus.

    Raises:
        ArgumentError: an argument that is missing, no number, or names a file that is not there.
    """
    simulated, remote = arguments['sim'] == 'true', client.is_client(arguments)
    if not simulated and arguments['operator'] != 'none':
        raise ArgumentError(f'operator:={arguments["operator"]} needs the simulation, which alone knows the truth; on a real '
                            'robot a person takes over with takeover_node')
    share = locate('kiwi_policy') / 'share' / 'kiwi_policy'
    config = existing_folder('config', arguments['config']) if arguments['config'] else None

    def node(package: str, name: str, file: str, parameters: Mapping[str, Value], called: str = '',
             remaps: Mapping[str, str] | None = None, **traits) -> Process:
        prefix = locate(package)
        shipped = prefix / 'share' / package / 'config' / file
        own = config / file if config else shipped
        command = node_command(
            prefix / 'lib' / package / name,
            arguments['namespace'],
            own if own.is_file() else shipped,
            parameters,
            {**({'__node': called} if called else {}), **(remaps or {})},
        )
        return Process(called or name, command, **traits)

    def camera(name: str, device: str) -> Process:
        called = f'camera_{name}'
        own = f'{called}.yaml'
        return node('kiwi_policy', 'camera_node', own if config and (config / own).is_file() else 'camera.yaml',
                    {'camera': name, 'device': device}, called, on_exit=OnExit.RESPAWN, stop_stage=1)

    cameras = [camera(name, device) for name, device in camera_devices(arguments).items()]
    policy = node('kiwi_policy', 'policy_node', 'policy.yaml', {
        'checkpoint': str(checkpoint(arguments, share)),
        'device': arguments['device'],
        'task': arguments['task'],
    }, on_exit=OnExit.RESPAWN, stop_stage=1)
    executor = node('kiwi_policy', 'chunk_executor_node', 'executor.yaml', {
        **robot(arguments, locate, bus_link),
        'mode': arguments['mode'],
        'connect_timeout': READY_TIMEOUT,
        **viewing.description_parameters(locate),
    }, on_exit=OnExit.FAILS)
    rollout = node('kiwi_policy', 'rollout_node', 'rollout.yaml', {
        'sim': simulated,
        'rollouts': number('rollouts', arguments, int),
        'seed': number('seed', arguments, int),
        'time_limit': number('time_limit', arguments, float),
        'task': arguments['task'],
        'output_dir': str(Path(arguments['output_dir']).absolute()),
        'ready_timeout': READY_TIMEOUT,
        'record': arguments['record'] == 'true',
    }, on_exit=OnExit.ENDS, prefixed=False)
    recorder = [node('kiwi_policy', 'recorder_node', 'recorder.yaml', {
        'output_dir': str(Path(arguments['output_dir']).absolute() / 'recordings'),
    }, on_exit=OnExit.RESPAWN, stop_stage=1)] if arguments['record'] == 'true' else []
    bridge = [node('kiwi_policy', 'lekiwi_bridge_node', 'bridge.yaml', client.bridge_parameters(arguments, bus_link),
                   on_exit=OnExit.RESPAWN, stop_stage=1)] if remote else []
    viewers = viewing.state_publisher(arguments, locate)
    if arguments['view'] == 'true':
        viewers.append(node('kiwi_policy', 'view_node', 'view.yaml', viewing.view_parameters(simulated),
                            on_exit=OnExit.LEFT, stop_stage=1))
    if not simulated:
        return *cameras, *bridge, *recorder, policy, executor, rollout, *viewers
    world = node('kiwi_sim', 'sim_node', 'sim.yaml', {
        'port_link': str(bus_link), 'operator': arguments['operator'], 'start_spread': number('spread', arguments, float),
    }, remaps=client.HIDDEN_CAMERAS if remote else None, on_exit=OnExit.FAILS, stop_stage=3 if remote else 1)
    if not remote:
        return world, *recorder, policy, executor, rollout, *viewers
    host = Process('sim_host', client.host_command(locate('kiwi_sim') / 'lib' / 'kiwi_sim' / 'sim_host',
                                                   arguments['namespace'], bus_link), OnExit.RESPAWN, stop_stage=2)
    return world, host, *bridge, *recorder, policy, executor, rollout, *viewers


def checkpoint(arguments: Mapping[str, str], share: Path) -> Path:
    """The checkpoint folder that `checkpoint` or `head` names."""
    if arguments['checkpoint']:
        return existing_folder('checkpoint', arguments['checkpoint'])
    folder = share / 'checkpoints' / arguments['head']
    if not arguments['head'] or not folder.is_dir():
        known = sorted(path.name for path in (share / 'checkpoints').glob('*') if path.is_dir())
        raise ArgumentError(f'head is {arguments["head"]!r}; the checkpoints that ship are {", ".join(known) or "none"}')
    return folder


def robot(arguments: Mapping[str, str], locate: Locate, bus_link: Path) -> dict[str, Value]:
    """The executor's parameters that say which robot it drives."""
    if arguments['robot'] == 'lekiwi_client':
        return {'robot': 'lekiwi_client', 'bridge_socket': client.bridge_socket(bus_link)}
    port, calibration = arguments['robot_port'], arguments['calibration']
    if arguments['sim'] == 'true':
        port = port or str(bus_link)
        calibration = calibration or str(locate('kiwi_sim') / 'share' / 'kiwi_sim' / 'calibration' / 'lekiwi_sim.json')
    for name, value in (('robot_port', port), ('calibration', calibration)):
        if not value:
            raise ArgumentError(f'sim:=false needs {name}:=...')
    if not Path(calibration).is_file():
        raise ArgumentError(f'calibration {calibration!r} is no file')
    return {'robot': 'lekiwi', 'robot_port': port, 'calibration': str(Path(calibration).absolute())}


def camera_devices(arguments: Mapping[str, str]) -> dict[str, str]:
    """Camera -> device of the cameras that this composition opens."""
    devices = {camera: arguments[f'{camera}_camera'] for camera in CAMERAS if arguments[f'{camera}_camera']}
    if devices and arguments['sim'] == 'true':
        camera, device = next(iter(devices.items()))
        raise ArgumentError(f'{camera}_camera is {device!r}, but the simulation renders the cameras: leave it empty, '
                            'or choose sim:=false')
    paths = [f'/dev/video{device}' if device.isdecimal() else device for device in devices.values()]
    if len(set(paths)) < len(paths):
        raise ArgumentError(f'front_camera and wrist_camera are both {paths[0]!r}; each needs a device of its own')
    return devices


def existing_folder(name: str, value: str) -> Path:
    """The absolute path of a folder that is there. Raises ArgumentError."""
    path = Path(value).expanduser().absolute()
    if not path.is_dir():
        raise ArgumentError(f'{name} is {value!r}, which is no folder')
    return path


def number(name: str, arguments: Mapping[str, str], kind: type) -> int | float:
    """The argument as a number of that kind, at least 0. Raises ArgumentError."""
    try:
        value = kind(arguments[name])
    except ValueError:
        value = -1
    if not 0 <= value < float('inf'):
        raise ArgumentError(f'{name} is {arguments[name]!r}; it is a number of at least 0')
    return value
