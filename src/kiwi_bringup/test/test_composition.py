import json

import pytest
from kiwi_bringup import arguments
from kiwi_bringup.arguments import ArgumentError
from kiwi_bringup.composition import compose
from kiwi_bringup.process import OnExit, node_command


@pytest.fixture
def locate(tmp_path):
    """Install prefixes with what the composition looks for."""
    (tmp_path / 'kiwi_policy' / 'share' / 'kiwi_policy' / 'checkpoints' / 'flow').mkdir(parents=True)
    for package, file in (('kiwi_policy', 'policy.yaml'), ('kiwi_policy', 'executor.yaml'),
                          ('kiwi_policy', 'rollout.yaml'), ('kiwi_policy', 'recorder.yaml'), ('kiwi_policy', 'camera.yaml'),
                          ('kiwi_policy', 'view.yaml'), ('kiwi_sim', 'sim.yaml')):
        path = tmp_path / package / 'share' / package / 'config' / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('')
    calibration = tmp_path / 'kiwi_sim' / 'share' / 'kiwi_sim' / 'calibration' / 'lekiwi_sim.json'
    calibration.parent.mkdir(parents=True)
    calibration.write_text('{}')
    return lambda package: tmp_path / package


def composed(locate, tmp_path, **values):
    return {p.name: p for p in compose(arguments.complete(values), locate, tmp_path / 'bus')}


def parameters(process):
    """Parameters that the command line sets one by one, decoded."""
    words = process.command
    pairs = [words[i + 1].split(':=', 1) for i, word in enumerate(words) if word == '-p']
    return {name: json.loads(value) for name, value in pairs}


def test_simulation_starts_world_policy_executor_rollouts(locate, tmp_path):
    made = composed(locate, tmp_path)
    assert list(made) == ['sim_node', 'recorder_node', 'policy_node', 'chunk_executor_node', 'rollout_node']
    assert {name: p.on_exit for name, p in made.items()} == {
        'sim_node': OnExit.FAILS, 'recorder_node': OnExit.RESPAWN, 'policy_node': OnExit.RESPAWN,
        'chunk_executor_node': OnExit.FAILS, 'rollout_node': OnExit.ENDS}


def test_executor_stops_before_what_it_stands_on(locate, tmp_path):
    made = composed(locate, tmp_path)
    assert made['chunk_executor_node'].stop_stage < made['sim_node'].stop_stage
    assert made['rollout_node'].stop_stage == made['chunk_executor_node'].stop_stage


def test_recorder_stops_after_the_node_that_closes_its_bags(locate, tmp_path):
    made = composed(locate, tmp_path, output_dir=str(tmp_path / 'out'))
    assert made['recorder_node'].stop_stage > made['rollout_node'].stop_stage
    assert parameters(made['rollout_node'])['record'] is True
    assert parameters(made['recorder_node'])['output_dir'] == str(tmp_path / 'out' / 'recordings')


def test_without_recording_there_is_no_recorder(locate, tmp_path):
    made = composed(locate, tmp_path, record='false')
    assert 'recorder_node' not in made
    assert parameters(made['rollout_node'])['record'] is False


def test_executor_drives_the_bus_that_the_simulation_links(locate, tmp_path):
    made = composed(locate, tmp_path)
    assert parameters(made['chunk_executor_node'])['robot_port'] == str(tmp_path / 'bus')
    assert parameters(made['sim_node'])['port_link'] == str(tmp_path / 'bus')


def test_the_simulation_learns_of_the_operator_and_the_spread(locate, tmp_path):
    assert parameters(composed(locate, tmp_path)['sim_node'])['operator'] == 'none'
    made = parameters(composed(locate, tmp_path, operator='expert', spread='3')['sim_node'])
    assert made['operator'] == 'expert' and made['start_spread'] == 3.0


def test_real_robot_has_no_simulation(locate, tmp_path):
    calibration = tmp_path / 'mine.json'
    calibration.write_text('{}')
    made = composed(locate, tmp_path, sim='false', robot_port='/dev/ttyACM0', calibration=str(calibration))
    assert 'sim_node' not in made
    assert parameters(made['chunk_executor_node'])['robot_port'] == '/dev/ttyACM0'
    assert parameters(made['chunk_executor_node'])['calibration'] == str(calibration)
    assert parameters(made['rollout_node'])['sim'] is False


def real(tmp_path, **values):
    """Arguments of a real robot."""
    (tmp_path / 'mine.json').write_text('{}')
    return {'sim': 'false', 'robot_port': '/dev/ttyACM0', 'calibration': str(tmp_path / 'mine.json'), **values}


def test_each_camera_of_a_real_robot_is_a_process_of_its_own(locate, tmp_path):
    made = composed(locate, tmp_path, **real(tmp_path, front_camera='/dev/video0', wrist_camera='2'))
    for name, device in (('front', '/dev/video0'), ('wrist', '2')):
        process = made[f'camera_{name}']
        assert parameters(process) == {'camera': name, 'device': device}
        assert f'__node:=camera_{name}' in process.command
        assert process.command[0].endswith('lib/kiwi_policy/camera_node')
        assert str(tmp_path / 'kiwi_policy' / 'share' / 'kiwi_policy' / 'config' / 'camera.yaml') in process.command
        assert process.on_exit is OnExit.RESPAWN
        assert process.stop_stage > made['chunk_executor_node'].stop_stage


@pytest.mark.parametrize(('given', 'started'), [({}, []), ({'wrist_camera': '/dev/video2'}, ['camera_wrist'])])
def test_a_camera_without_a_device_is_left_to_others(locate, tmp_path, given, started):
    made = composed(locate, tmp_path, **real(tmp_path, **given))
    assert [name for name in made if name.startswith('camera')] == started


def test_one_cameras_own_parameter_file_goes_before_that_of_both(locate, tmp_path):
    own = tmp_path / 'own'
    own.mkdir()
    for file in ('camera.yaml', 'camera_wrist.yaml'):
        (own / file).write_text('')
    made = composed(locate, tmp_path, **real(tmp_path, front_camera='0', wrist_camera='2', config=str(own)))
    assert str(own / 'camera.yaml') in made['camera_front'].command
    assert str(own / 'camera_wrist.yaml') in made['camera_wrist'].command


def test_two_cameras_do_not_share_a_device(locate, tmp_path):
    with pytest.raises(ArgumentError, match="front_camera and wrist_camera are both '/dev/video0'"):
        composed(locate, tmp_path, **real(tmp_path, front_camera='/dev/video0', wrist_camera='0'))


@pytest.mark.parametrize(('values', 'cameras'), [
    ({}, ['front', 'wrist', 'overview']), ({'robot': 'lekiwi_client'}, ['front', 'wrist', 'overview'])])
def test_the_view_is_a_process_that_the_run_does_not_depend_on(locate, tmp_path, values, cameras):
    assert 'view_node' not in composed(locate, tmp_path, **values)
    process = composed(locate, tmp_path, view='true', **values)['view_node']
    assert process.command[0].endswith('lib/kiwi_policy/view_node')
    assert str(tmp_path / 'kiwi_policy' / 'share' / 'kiwi_policy' / 'config' / 'view.yaml') in process.command
    assert parameters(process) == {'cameras': cameras}
    assert process.on_exit is OnExit.LEFT


def test_the_view_of_a_real_robot_has_its_own_cameras(locate, tmp_path):
    assert parameters(composed(locate, tmp_path, **real(tmp_path, view='true'))['view_node']) == {}


@pytest.mark.parametrize('simulated', [True, False])
def test_one_node_publishes_the_robots_description(locate, tmp_path, simulated):
    values = {} if simulated else real(tmp_path)
    made = composed(locate, tmp_path, **values)
    assert 'robot_state_publisher' not in made
    assert 'publish_description' not in parameters(made['chunk_executor_node'])
    program = tmp_path / 'robot_state_publisher' / 'lib' / 'robot_state_publisher' / 'robot_state_publisher'
    urdf = tmp_path / 'kiwi_policy' / 'share' / 'kiwi_policy' / 'urdf' / 'lekiwi.urdf'
    for path, text in ((program, ''), (urdf, '<robot name="lekiwi">\n  <link name=\'a\'/>\n</robot>\n')):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    made = composed(locate, tmp_path, namespace='left', **values)
    process = made['robot_state_publisher']
    assert parameters(process) == {'robot_description': urdf.read_text()}
    assert process.command[0] == str(program) and '__ns:=/left' in process.command
    assert process.on_exit is OnExit.LEFT
    assert parameters(made['chunk_executor_node'])['publish_description'] is False


def test_a_machine_without_robot_state_publisher_is_no_error(locate, tmp_path):
    def without(package):
        if package == 'robot_state_publisher':
            raise KeyError(package)
        return locate(package)

    assert 'robot_state_publisher' not in composed(without, tmp_path)


def test_numbers_and_texts_keep_their_types(locate, tmp_path):
    made = composed(locate, tmp_path, rollouts='3', time_limit='7', task='12', mode='ensemble')
    rollout = parameters(made['rollout_node'])
    assert rollout['rollouts'] == 3
    assert isinstance(rollout['time_limit'], float)
    assert rollout['task'] == '12'
    assert parameters(made['chunk_executor_node'])['mode'] == 'ensemble'


def test_namespace_reaches_every_node(locate, tmp_path):
    for process in composed(locate, tmp_path, namespace='left/').values():
        assert '__ns:=/left' in process.command


def test_own_parameter_file_replaces_the_shipped_one(locate, tmp_path):
    own = tmp_path / 'own'
    own.mkdir()
    (own / 'executor.yaml').write_text('')
    made = composed(locate, tmp_path, config=str(own))
    assert str(own / 'executor.yaml') in made['chunk_executor_node'].command
    assert str(tmp_path / 'kiwi_policy' / 'share' / 'kiwi_policy' / 'config' / 'policy.yaml') in made['policy_node'].command


@pytest.mark.parametrize(('values', 'names'), [
    ({'head': 'flw'}, ['flw', 'flow']),
    ({'checkpoint': '/no/such/folder'}, ['checkpoint', '/no/such/folder']),
    ({'config': '/no/such/folder'}, ['config', '/no/such/folder']),
    ({'rollouts': 'many'}, ['rollouts', 'many']),
    ({'rollouts': '-1'}, ['rollouts', '-1']),
    ({'time_limit': 'nan'}, ['time_limit', 'nan']),
    ({'sim': 'false'}, ['robot_port']),
    ({'sim': 'false', 'robot_port': '/dev/ttyACM0'}, ['calibration']),
    ({'sim': 'false', 'operator': 'expert'}, ['operator', 'expert', 'takeover_node']),
    ({'spread': 'wide'}, ['spread', 'wide']),
    ({'calibration': '/no/such/file'}, ['calibration', '/no/such/file']),
    ({'front_camera': '/dev/video0'}, ['front_camera', '/dev/video0', 'sim:=false']),
    ({'wrist_camera': '2'}, ['wrist_camera', "'2'", 'simulation renders']),
])
def test_error_names_argument_and_value(locate, tmp_path, values, names):
    with pytest.raises(ArgumentError) as error:
        composed(locate, tmp_path, **values)
    assert all(name in str(error.value) for name in names)


def test_node_command_is_what_ros_takes(tmp_path):
    command = node_command(tmp_path / 'node', 'a', tmp_path / 'p.yaml', {'text': 'a "b"', 'flag': True}, {'x': 'y'})
    assert command == (
        str(tmp_path / 'node'), '--ros-args', '-r', '__ns:=/a', '-r', 'x:=y', '--params-file', str(tmp_path / 'p.yaml'),
        '-p', 'text:="a \\"b\\""', '-p', 'flag:=true')
