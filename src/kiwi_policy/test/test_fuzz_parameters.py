"""Any parameter file: the node starts with values within their bounds, or says in one line what is wrong.

Whatever configuration of the executor is accepted never moves it beyond its limits.
"""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

rclpy = pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')

from kiwi_msgs.msg import PolicyInfo  # noqa: E402
from kiwi_msgs.srv import BeginEpisode, EndEpisode  # noqa: E402
from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState  # noqa: E402
from nodes_support import HOME, FakePolicy, FakeRobot  # noqa: E402
from rcl_interfaces.msg import Parameter as ParameterMessage  # noqa: E402
from rcl_interfaces.msg import ParameterValue  # noqa: E402
from rcl_interfaces.srv import SetParameters, SetParametersAtomically  # noqa: E402
from rclpy.node import Node  # noqa: E402

from kiwi_policy.core.chunk import Chunk  # noqa: E402
from kiwi_policy.core.executor import ChunkExecutor  # noqa: E402
from kiwi_policy.core.features import BASE, DIM, NAMES, POSITIONS  # noqa: E402
from kiwi_policy.core.parameters import ParameterError  # noqa: E402
from kiwi_policy.nodes import (  # noqa: E402
    bridge_parameters,
    camera_parameters,
    executor_parameters,
    policy_parameters,
    process,
    recorder_parameters,
    rollout_parameters,
    takeover_parameters,
    view_parameters,
)
from kiwi_policy.nodes.camera_node import CameraNode  # noqa: E402
from kiwi_policy.nodes.chunk_executor_node import ChunkExecutorNode  # noqa: E402
from kiwi_policy.nodes.lekiwi_bridge_node import LeKiwiBridgeNode  # noqa: E402
from kiwi_policy.nodes.parameters import declare  # noqa: E402
from kiwi_policy.nodes.policy_node import PolicyNode  # noqa: E402
from kiwi_policy.nodes.rollout_node import RolloutNode  # noqa: E402

PROFILE = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
CORE = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
TABLES = {
    'executor': executor_parameters.TABLE, 'policy': policy_parameters.TABLE, 'rollout': rollout_parameters.TABLE,
    'camera': camera_parameters.TABLE, 'bridge': bridge_parameters.TABLE, 'recorder': recorder_parameters.TABLE,
    'takeover': takeover_parameters.TABLE, 'view': view_parameters.TABLE}


class Declared(Node):
    """A table's parameters without what the node does with them."""

    def __init__(self, name):
        super().__init__(name)
        self.parameters = declare(self, TABLES[name])


NODES = {
    'executor': lambda: ChunkExecutorNode(lambda parameters: FakeRobot()),
    'policy': lambda: PolicyNode(lambda parameters: FakePolicy()), 'rollout': lambda: RolloutNode(process.Interrupt()),
    'camera': lambda: CameraNode(), 'bridge': lambda: LeKiwiBridgeNode(), 'recorder': lambda: Declared('recorder'),
    'takeover': lambda: Declared('takeover'), 'view': lambda: Declared('view')}
WORDS = st.text('abcXYZ_09 .-é\'"#:', max_size=12)
NUMBERS = st.floats() | st.integers(-2**63, 2**63 - 1)
SCALARS = st.booleans() | NUMBERS | WORDS
LISTS = st.lists(st.floats(), max_size=7) | st.lists(st.integers(0, 99), max_size=7) | st.lists(WORDS, max_size=3)
VALUES = SCALARS | LISTS | st.lists(SCALARS, max_size=4) | st.none() | st.dictionaries(WORDS, SCALARS, max_size=2)


def fitting(parameter):
    """Values of the parameter's own type, within its bounds or not."""
    default = parameter.default
    if isinstance(default, bool):
        return st.booleans()
    if isinstance(default, int | float):
        number = st.integers if isinstance(default, int) else st.floats
        ends = {} if parameter.low is None else {
            'min_value': type(default)(parameter.low), 'max_value': type(default)(parameter.high)}
        anything = st.floats() if isinstance(default, float) else st.integers(-2**63, 2**63 - 1)
        return number(**ends) | number(**ends) | anything
    if isinstance(default, str):
        return (st.sampled_from(parameter.choices) if parameter.choices else WORDS) | WORDS
    entry = fitting(type(parameter)(parameter.name, default[0], '', '', parameter.low, parameter.high))
    return st.lists(entry, min_size=len(default), max_size=len(default)) | st.lists(entry, max_size=8)


@st.composite
def files(draw, table, wild=True):
    """Name -> value of a few parameters; with `wild` also of other types and of names that there are not."""
    chosen = draw(st.lists(st.sampled_from(table), min_size=1, max_size=4, unique_by=lambda parameter: parameter.name))
    found = {parameter.name: draw(fitting(parameter) | VALUES if wild else fitting(parameter)) for parameter in chosen}
    if wild and draw(st.integers(0, 3)) == 0:
        found[draw(WORDS)] = draw(VALUES)
    return found


def yaml(values):
    """A parameter file; what JSON writes is YAML, but for the three numbers it has no words for."""
    text = json.dumps({'/**': {'ros__parameters': values}}, ensure_ascii=False)
    return text.replace('-Infinity', '-.inf').replace('Infinity', '.inf').replace('NaN', '.nan')


def started(make, values, folder):
    """(the node made from a parameter file, '') or (None, what was said)."""
    path = folder / 'parameters.yaml'
    path.write_text(yaml(values))
    try:
        process.start(['--ros-args', '--params-file', str(path)])
        return make(), ''
    except SystemExit as ending:
        assert ending.code == process.MISCONFIGURED
        rclpy.utilities.get_default_context(shutting_down=True)     # init has used it up
        return None, 'told by rclpy'
    except (ParameterError, ValueError, OSError) as error:
        assert str(error)
        return None, str(error)


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """A folder to work in and signals as they were."""
    import signal

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'OFF')
    yield tmp_path
    for number, handler in handlers.items():
        signal.signal(number, handler)


def assert_within_bounds(table, values):
    for parameter in table:
        value = getattr(values, parameter.name)
        assert parameter.check(value) == value
        kind = list if isinstance(parameter.default, list | tuple) else type(parameter.default)
        assert type(value) is kind


@pytest.mark.parametrize('name', NODES)
def test_a_node_starts_within_bounds_or_says_what_is_wrong(alone, name):
    @PROFILE
    @given(files(TABLES[name]))
    def check(values):
        node, said = started(NODES[name], values, alone)
        try:
            assert said.count('\n') == 0
            if node is not None:
                assert_within_bounds(TABLES[name], node.parameters)
        finally:
            if hasattr(node, 'close'):
                node.close()
            process.finish(node)

    check()


@CORE
@given(values=files(executor_parameters.TABLE, wild=False), numbers=st.integers(0, 2**32 - 1), size=st.floats(0.0, 1e6))
def test_no_accepted_configuration_moves_beyond_its_limits(values, numbers, size):
    parameters = {parameter.name: parameter.default for parameter in executor_parameters.TABLE} | values
    try:
        for parameter in executor_parameters.TABLE:
            parameter.check(parameters[parameter.name])
        config = executor_parameters.executor_config(SimpleNamespace(**parameters))
        executor_parameters.poses(SimpleNamespace(**parameters))
    except ParameterError as error:
        assert str(error)
        return
    rng = np.random.default_rng(numbers)
    executor, limits, period = ChunkExecutor(config), config.limits, config.period
    state = HOME.copy()
    state[POSITIONS] = np.clip(HOME[POSITIONS], limits.low, limits.high)
    executor.begin('fuzz', state, 0.0)
    before = state.copy()
    before[BASE] = 0.0
    for tick in range(30):
        now = tick * period
        if tick % 7 == 0:
            actions = HOME + size * rng.standard_normal((12, DIM))
            executor.add(Chunk(now, period, actions, NAMES, 1, tick + 1, 'fuzz'), now)
        executor.request(now)
        command = executor.step(now, before).values
        step = np.array(limits.joint_speed) * limits.speed_scale * period
        speed = np.array(limits.base_speed) * limits.speed_scale
        assert np.all(np.isfinite(command))
        assert np.all(np.abs(command - before)[POSITIONS] <= step * (1 + 1e-9) + 1e-9)
        assert np.all(command[POSITIONS] >= np.array(limits.low) - 1e-9)
        assert np.all(command[POSITIONS] <= np.array(limits.high) + 1e-9)
        assert np.all(np.abs(command[BASE]) <= speed + 1e-9)
        before = command


@pytest.fixture(scope='module')
def executor():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ROS_AUTOMATIC_DISCOVERY_RANGE', 'OFF')
        rclpy.init(args=['--ros-args', '-p', 'rate:=100.0'])
    node = ChunkExecutorNode(lambda parameters: FakeRobot())
    node.trigger_configure()
    node.trigger_activate()
    yield node
    node.rest()
    process.finish(node)


PARAMETERS = st.builds(
    ParameterMessage, name=st.sampled_from(['speed_scale', 'speed_scale', 'rate', 'mode']) | WORDS,
    value=st.builds(
        ParameterValue, type=st.just(3) | st.just(3) | st.integers(0, 255), bool_value=st.booleans(),
        integer_value=st.integers(-2**63, 2**63 - 1), double_value=st.floats(0.01, 1.0) | st.floats(), string_value=WORDS,
        double_array_value=st.lists(st.floats(), max_size=3), string_array_value=st.lists(WORDS, max_size=2)))


def service(node, kind):
    return next(service for service in node.services if service.srv_type is kind)


@settings(CORE, max_examples=150)
@given(asked=st.lists(PARAMETERS, max_size=3), together=st.booleans())
def test_whatever_is_set_the_speed_scale_stays_within_its_bounds(executor, asked, together):
    kind = SetParametersAtomically if together else SetParameters
    answer = service(executor, kind).callback(kind.Request(parameters=asked), kind.Response())
    results = [answer.result] if together else answer.results
    assert len(results) == (1 if together else len(asked)) and all(result.successful or result.reason for result in results)
    scale = executor.get_parameter('speed_scale').value
    assert 0.01 <= scale <= 1.0
    assert executor._session._core.operator._speed_scale == scale
    executor.check_alive()


@settings(CORE, max_examples=100)
@given(number=st.integers(0, 255), label=st.just('') | st.just('configure') | WORDS)
def test_a_transition_that_there_is_not_is_refused(executor, number, label):
    ends = (Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_ACTIVE_SHUTDOWN)
    if not label and number in ends:
        return
    request = ChangeState.Request(transition=Transition(id=number, label=label))
    answer = service(executor, ChangeState).callback(request, ChangeState.Response())
    assert not answer.success
    executor.check_alive()


@settings(CORE, max_examples=60)
@given(episode=st.text(max_size=30), task=st.text(max_size=30), reason=st.text(max_size=30), known=st.booleans())
def test_any_episode_is_begun_and_ended_or_refused_in_words(executor, episode, task, reason, known):
    info = PolicyInfo(run_id=1, names=list(NAMES), period=0.01, horizon=16, n_action_steps=16) if known else None
    executor._info, executor.count_publishers = info, lambda topic: 1
    begin, end = service(executor, BeginEpisode), service(executor, EndEpisode)
    begun = begin.callback(BeginEpisode.Request(episode_id=episode, task=task), BeginEpisode.Response())
    assert begun.message and begun.success is bool(known and episode)
    ended = end.callback(EndEpisode.Request(reason=reason), EndEpisode.Response())
    assert ended.success and ended.message
    if begun.success:
        assert ended.status.episode_id == episode
    executor.check_alive()
