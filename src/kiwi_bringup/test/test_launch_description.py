"""The launch file offers the composition's arguments; its behaviour is tested in test_front_ends.py."""
import importlib.util
from pathlib import Path

import pytest
from kiwi_bringup.arguments import ARGUMENTS

pytest.importorskip('launch.actions', reason='launch is not installed: ROS 2 from apt has it, the wheels do not')


@pytest.fixture
def module():
    path = Path(__file__).parents[1] / 'launch' / 'pickplace.launch.py'
    spec = importlib.util.spec_from_file_location('pickplace_launch', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_launch_arguments_are_those_of_the_composition(module):
    declared = module.generate_launch_description().get_launch_arguments()
    assert [argument.name for argument in declared] == [argument.name for argument in ARGUMENTS]
    for made, argument in zip(declared, ARGUMENTS, strict=True):
        assert made.description.startswith(argument.description)
        assert ''.join(part.text for part in made.default_value) == argument.default
