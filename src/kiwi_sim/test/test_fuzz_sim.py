"""Any parameter file of sim_node and any seed of sim/reset: values within bounds or one line, a world at rest."""

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

rclpy = pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')

from kiwi_msgs.srv import ResetWorld  # noqa: E402

from kiwi_policy.core.parameters import ParameterError  # noqa: E402
from kiwi_sim.sim_node import SimNode, _declare  # noqa: E402
from kiwi_sim.sim_parameters import TABLE  # noqa: E402
from kiwi_sim.simulation import Simulation  # noqa: E402

WORDS = st.text('abcXYZ_09 .-é\'"#:', max_size=12)
SCALARS = st.booleans() | st.floats() | st.integers(-2**63, 2**63 - 1) | WORDS
VALUES = SCALARS | st.lists(SCALARS, max_size=3) | st.lists(st.floats(), max_size=3)


def fitting(parameter):
    """Values of the parameter's own type, within its bounds or not."""
    default = parameter.default
    if isinstance(default, bool):
        return st.booleans()
    if isinstance(default, int):
        return st.integers(parameter.low, parameter.high) | st.integers(-2**63, 2**63 - 1)
    return st.floats(parameter.low, parameter.high) | st.floats() if isinstance(default, float) else WORDS


@st.composite
def files(draw):
    """Name -> value of a few parameters, now and then of another type or of a name that there is not."""
    chosen = draw(st.lists(st.sampled_from(TABLE), min_size=1, max_size=4, unique_by=lambda parameter: parameter.name))
    found = {parameter.name: draw(fitting(parameter) | fitting(parameter) | VALUES) for parameter in chosen}
    if draw(st.integers(0, 4)) == 0:
        found[draw(WORDS)] = draw(VALUES)
    return found


def yaml(values):
    """A parameter file; what JSON writes is YAML, but for the three numbers it has no words for."""
    text = json.dumps({'/**': {'ros__parameters': values}}, ensure_ascii=False)
    return text.replace('-Infinity', '-.inf').replace('Infinity', '.inf').replace('NaN', '.nan')


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(values=files())
def test_parameters_lie_within_bounds_or_are_refused_in_one_line(tmp_path_factory, values):
    path = tmp_path_factory.mktemp('sim') / 'sim.yaml'
    path.write_text(yaml(values))
    context = rclpy.Context()
    try:
        rclpy.init(args=['--ros-args', '--params-file', str(path)], context=context)
        node = rclpy.create_node('sim_node', context=context, enable_rosout=False)
    except RuntimeError as error:       # no parameter file: sim_node says so in one line too
        assert 'params file' in str(error)
        return
    try:
        declared = _declare(node)
    except ParameterError as error:
        assert '\n' not in str(error)
    else:
        for parameter in TABLE:
            value = getattr(declared, parameter.name)
            assert type(value) is type(parameter.default) and parameter.check(value) == value
    finally:
        node.destroy_node()
        context.try_shutdown()


@pytest.fixture(scope='module')
def sim():
    node = SimNode.__new__(SimNode)     # its callback alone, without a graph
    node._simulation = Simulation((), lambda camera, frame: None, pytest.fail)
    return node


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**64 - 1))
def test_any_seed_is_a_world_at_rest(sim, seed):
    answer = sim._reset(ResetWorld.Request(seed=seed), ResetWorld.Response())
    world = sim._simulation.world
    assert answer.success and not answer.message and world.seed == seed
    assert np.all(np.isfinite(world.data.qpos)) and not np.any(world.body_velocity())
    state = world.task.state()
    assert not (state.success or state.post_hit or state.lifted)
