"""The composition with robot:=lekiwi_client."""

import json

import pytest
from kiwi_bringup import arguments, client
from kiwi_bringup.arguments import ArgumentError
from kiwi_bringup.composition import compose
from kiwi_bringup.process import OnExit


@pytest.fixture
def locate(tmp_path):
    """Install prefixes with what the composition looks for."""
    calibration = tmp_path / 'kiwi_sim' / 'share' / 'kiwi_sim' / 'calibration' / 'lekiwi_sim.json'
    calibration.parent.mkdir(parents=True)
    calibration.write_text('{}')
    (tmp_path / 'kiwi_policy' / 'share' / 'kiwi_policy' / 'checkpoints' / 'flow').mkdir(parents=True)
    return lambda package: tmp_path / package


def composed(locate, tmp_path, **values):
    values = arguments.complete({'robot': 'lekiwi_client', **values})
    return {p.name: p for p in compose(values, locate, tmp_path / 'run' / 'bus')}


def parameters(process):
    """Parameters that the command line sets one by one, decoded."""
    words = process.command
    pairs = [words[i + 1].split(':=', 1) for i, word in enumerate(words) if word == '-p']
    return {name: json.loads(value) for name, value in pairs}


def remaps(process):
    words = process.command
    return dict(words[i + 1].split(':=', 1) for i, word in enumerate(words) if word == '-r')


def test_simulation_has_a_host_and_a_bridge_to_it(locate, tmp_path):
    made = composed(locate, tmp_path)
    assert list(made) == ['sim_node', 'sim_host', 'lekiwi_bridge_node', 'recorder_node', 'policy_node',
                          'chunk_executor_node', 'rollout_node']
    host, bridge, executor = (made[name] for name in ('sim_host', 'lekiwi_bridge_node', 'chunk_executor_node'))
    options = dict(zip(host.command[1::2], host.command[2::2]))
    assert options['--port'] == parameters(made['sim_node'])['port_link'] == str(tmp_path / 'run' / 'bus')
    assert parameters(bridge)['remote_ip'] == '127.0.0.1'
    assert parameters(bridge)['command_port'] == int(options['--command-port'])
    assert parameters(bridge)['observation_port'] == int(options['--observation-port'])
    assert parameters(executor)['robot'] == 'lekiwi_client'
    assert parameters(executor)['bridge_socket'] == parameters(bridge)['bridge_socket']
    assert 'robot_port' not in parameters(executor)
    assert {host.on_exit, bridge.on_exit} == {OnExit.RESPAWN}


def test_every_camera_topic_has_one_publisher(locate, tmp_path):
    hidden = remaps(composed(locate, tmp_path)['sim_node'])
    assert hidden == {f'camera/{camera}/image_raw/compressed': f'sim/camera/{camera}/image_raw/compressed'
                      for camera in ('front', 'wrist')}
    assert remaps(composed(locate, tmp_path, robot='lekiwi')['sim_node']) == {}


def test_each_stops_before_what_it_stands_on(locate, tmp_path):
    made = composed(locate, tmp_path)
    stages = [made[name].stop_stage for name in ('chunk_executor_node', 'lekiwi_bridge_node', 'sim_host', 'sim_node')]
    assert stages == sorted(set(stages))


def test_real_robot_has_a_bridge_and_no_host(locate, tmp_path):
    made = composed(locate, tmp_path, sim='false', remote_ip='10.0.0.7')
    assert list(made) == ['lekiwi_bridge_node', 'recorder_node', 'policy_node', 'chunk_executor_node', 'rollout_node']
    assert parameters(made['lekiwi_bridge_node']) == {
        'remote_ip': '10.0.0.7', 'bridge_socket': str(tmp_path / 'run' / 'lekiwi-bridge')}


def test_the_namespace_reaches_host_and_bridge(locate, tmp_path):
    made = composed(locate, tmp_path, namespace='left/')
    for name in ('sim_host', 'lekiwi_bridge_node'):
        assert '__ns:=/left' in made[name].command


def test_ports_differ_from_run_to_run_and_lie_below_the_ephemeral_ones(tmp_path):
    found = {client.ports(tmp_path / str(domain) / 'servo-bus') for domain in range(1, 101)}
    assert len(found) > 90
    assert all(20000 <= commands < observations == commands + 1 < 30000 for commands, observations in found)


@pytest.mark.parametrize(('values', 'names'), [
    ({'sim': 'false'}, ['remote_ip:=', 'lekiwi_host']),
    ({'remote_ip': '10.0.0.7'}, ['remote_ip', '10.0.0.7', 'sim:=false']),
    ({'robot': 'lekiwi', 'remote_ip': '10.0.0.7'}, ['remote_ip', '10.0.0.7', 'robot:=lekiwi_client']),
    ({'robot_port': '/dev/ttyACM0'}, ['robot_port', '/dev/ttyACM0', 'leave it empty']),
    ({'calibration': 'mine.json'}, ['calibration', 'mine.json', 'leave it empty']),
    ({'sim': 'false', 'remote_ip': 'pi', 'front_camera': '0'}, ['front_camera', "'0'", 'leave it empty']),
    ({'robot': 'lekiwi_clent'}, ['robot', 'lekiwi_clent', 'lekiwi_client']),
])
def test_error_names_argument_and_value(locate, tmp_path, values, names):
    with pytest.raises(ArgumentError) as error:
        composed(locate, tmp_path, **values)
    assert all(name in str(error.value) for name in names)
