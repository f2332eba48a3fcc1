"""The arrows between the rooms, read from the sources of every package."""

import ast
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]
POLICY = SOURCE / 'kiwi_policy' / 'kiwi_policy'
SIM = SOURCE / 'kiwi_sim' / 'kiwi_sim'
BRINGUP = SOURCE / 'kiwi_bringup'
OURS = ('kiwi_policy', 'kiwi_sim', 'kiwi_bringup', 'kiwi_bench', 'kiwi_msgs', 'kiwi_training')
ROS = {'rclpy', 'std_msgs', 'sensor_msgs', 'geometry_msgs', 'diagnostic_msgs', 'std_srvs', 'rcl_interfaces',
       'builtin_interfaces', 'lifecycle_msgs', 'kiwi_msgs'}
ROS_NODES = {'sim_node.py', 'sim_host.py', 'operator_port.py'}


def imports(path):
    """Dotted names a file imports, at its top or inside its functions."""
    for node in ast.walk(ast.parse(path.read_text(), str(path))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ''
            if node.level:
                package = path.relative_to(SOURCE).parts[1:-1]
                module = '.'.join((*package[:len(package) - node.level + 1], *filter(None, [node.module])))
            yield from (f'{module}.{alias.name}' for alias in node.names)


def files(folder):
    found = sorted(path for path in folder.rglob('*.py') if 'test' not in path.relative_to(folder).parts)
    assert found, f'nothing to check in {folder}'
    return found


def offenders(folder, is_wrong, skip=()):
    return [f'{path.relative_to(SOURCE)}: {name}' for path in files(folder) if path.name not in skip
            for name in imports(path) if is_wrong(name)]


def top(name):
    return name.split('.')[0]


def room(name):
    return '.'.join(name.split('.')[:2])


def test_the_core_imports_numpy_and_the_standard_library_only():
    allowed = {'numpy', *sys.stdlib_module_names}
    assert offenders(POLICY / 'core', lambda name: top(name) not in allowed
                     and room(name) != 'kiwi_policy.core') == []


@pytest.mark.parametrize('folder', ['heads', 'hardware', 'view'])
def test_heads_hardware_and_view_know_the_core_but_neither_ros_nor_each_other(folder):
    mine = {'kiwi_policy.core', f'kiwi_policy.{folder}'}
    assert offenders(POLICY / folder, lambda name: top(name) in ROS | {'cv_bridge'}
                     or (top(name) in OURS and room(name) not in mine)) == []


def test_bags_know_the_core_but_neither_rclpy_nor_messages_nor_torch():
    assert offenders(POLICY / 'bags', lambda name: top(name) in ROS | {'cv_bridge', 'torch', 'lerobot'}
                     or (top(name) in OURS and room(name) not in {'kiwi_policy.core', 'kiwi_policy.bags'})) == []


def test_rclpy_appears_in_nodes_only():
    wrong = [path for path in files(SOURCE) if any(top(name) == 'rclpy' for name in imports(path))
             and path.parent != POLICY / 'nodes' and path.parent.name != 'nodes'
             and path.name not in ROS_NODES]
    assert wrong == []


def test_nothing_at_run_time_imports_the_training_package():
    assert offenders(SOURCE, lambda name: top(name) == 'kiwi_training') == []


def test_nothing_imports_the_benchmarks():
    assert [wrong for folder in (POLICY, SIM, BRINGUP)
            for wrong in offenders(folder, lambda name: top(name) == 'kiwi_bench')] == []


def test_the_simulation_knows_only_the_core():
    assert offenders(SIM, lambda name: top(name) in OURS and room(name) != 'kiwi_policy.core'
                     and top(name) != 'kiwi_sim', skip=ROS_NODES) == []


def test_the_simulation_apart_from_its_nodes_knows_no_ros_messages():
    assert offenders(SIM, lambda name: top(name) in ROS, skip=ROS_NODES) == []


def test_the_policy_package_knows_neither_the_simulation_nor_bringup():
    assert offenders(POLICY, lambda name: top(name) in {'kiwi_sim', 'kiwi_bringup', 'kiwi_bench'}) == []


def test_bringup_knows_the_others_by_name_only():
    assert offenders(BRINGUP, lambda name: top(name) in (ROS | set(OURS)) - {'kiwi_bringup'}) == []


def test_time_is_never_read_inside_the_core():
    assert offenders(POLICY / 'core', lambda name: top(name) in {'time', 'datetime', 'threading', 'random'}) == []


def test_the_scan_sees_imports_inside_functions(tmp_path):
    path = tmp_path / 'hidden.py'
    path.write_text('def f():\n    import rclpy.node\n    from kiwi_training import train\n')
    assert list(imports(path)) == ['rclpy.node', 'kiwi_training.train']
