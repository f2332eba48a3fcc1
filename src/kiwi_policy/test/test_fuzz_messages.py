"""Any message in any field: the executor neither crashes nor moves beyond its limits, the policy's inputs refuse in words."""

import math
import time
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')

from builtin_interfaces.msg import Time  # noqa: E402
from geometry_msgs.msg import TwistStamped  # noqa: E402
from kiwi_msgs.msg import ActionChunk, ChunkRequest, PolicyInfo, TakeoverCommand  # noqa: E402
from nodes_support import HOME, FakeRobot  # noqa: E402
from sensor_msgs.msg import JointState  # noqa: E402

from kiwi_policy.core.features import BASE, DIM, JOINTS, NAMES, POSITIONS  # noqa: E402
from kiwi_policy.core.limits import Limits  # noqa: E402
from kiwi_policy.nodes import conversions, executor_parameters  # noqa: E402
from kiwi_policy.nodes.executor_parameters import executor_config  # noqa: E402
from kiwi_policy.nodes.executor_session import ExecutorSession  # noqa: E402

RATE = 100.0
LIMITS = Limits()
FLOATS = st.floats(width=32)
WORDS = st.sampled_from([*NAMES, *JOINTS, '', 'x', 'é' * 40])
TEXT = st.text(max_size=20)
UINT32, UINT64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
STAMPS = st.builds(Time, sec=st.integers(-2**31, 2**31 - 1), nanosec=UINT32)
NAME_LISTS = st.just(list(NAMES)) | st.lists(WORDS, max_size=12)
PERIODS = st.floats() | st.just(1.0 / RATE)
PROFILE = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))


class Watched(FakeRobot):
    """Checks every command as it comes."""

    def __init__(self):
        super().__init__()
        self.wrong, self.last = [], HOME.copy()

    def write(self, action):
        action = np.asarray(action)
        step = np.array(LIMITS.joint_speed) / RATE
        legal = (action.shape == (DIM,) and np.all(np.isfinite(action))
                 and np.all(np.abs(action[POSITIONS] - self.last[POSITIONS]) <= step + 1e-6)
                 and np.all(np.abs(action[BASE]) <= np.array(LIMITS.base_speed) + 1e-9))
        if not legal:
            self.wrong.append((self.last.tolist(), action.tolist()))
        self.last = action.copy()
        super().write(action)


@pytest.fixture(scope='module')
def session():
    values = SimpleNamespace(**{parameter.name: parameter.default for parameter in executor_parameters.TABLE})
    values.rate, values.health_rate = RATE, 0.0
    robot = Watched()
    session = ExecutorSession(executor_config(values), robot, values, time.time_ns(), lambda session, tick: session.note(tick))
    session.robot = robot
    session.loop.start()
    yield session
    session.loop.stop()


def ticks(session, count):
    """Let the loop run `count` ticks."""
    for _ in range(count):
        session.loop.submit(lambda _now, _measured: None).result(10.0)


@st.composite
def chunks(draw):
    """Chunks of which each field is right or anything."""
    rows, names = draw(st.integers(0, 6)), draw(NAME_LISTS)
    size = draw(st.just(rows * len(names)) | st.integers(0, 60))
    return ActionChunk(
        run_id=draw(st.just(1) | UINT64), episode_id=draw(st.just('fuzz') | TEXT), chunk_id=draw(UINT64),
        request_id=draw(UINT64), names=names, period=draw(PERIODS), horizon=draw(st.just(rows) | UINT32),
        actions=draw(st.lists(FLOATS, min_size=size, max_size=size)), image_names=draw(st.lists(TEXT, max_size=3)),
        image_ages=draw(st.lists(FLOATS, max_size=3)), head=draw(TEXT), checkpoint_digest=draw(TEXT),
        evaluations=draw(UINT32), inference_seconds=draw(FLOATS))


@st.composite
def infos(draw):
    """PolicyInfo likewise."""
    return PolicyInfo(
        run_id=draw(UINT64), head=draw(TEXT), names=draw(NAME_LISTS), units=draw(st.lists(TEXT, max_size=9)),
        period=draw(PERIODS), horizon=draw(st.just(16) | UINT32), n_action_steps=draw(UINT32),
        action_spread=draw(st.lists(FLOATS, min_size=9, max_size=9) | st.lists(FLOATS, max_size=12)),
        cameras=draw(st.lists(TEXT, max_size=2)), observation_steps=draw(UINT32), latency_p50=draw(FLOATS),
        latency_p95=draw(FLOATS), evaluations=draw(UINT32))


@PROFILE
@given(info=infos(), messages=st.lists(st.tuples(chunks(), st.booleans(), STAMPS), max_size=4))
def test_no_message_crashes_the_executor_or_breaks_a_limit(session, info, messages):
    session.robot.last = session.robot.state.copy()
    session.set_policy(info)
    begun, why = session.begin('fuzz', 'task', info)
    assert begun or why
    if not begun:
        good = PolicyInfo(names=list(NAMES), period=1.0 / RATE, horizon=16, n_action_steps=16)
        session.set_policy(good)
        begun, why = session.begin('fuzz', 'task', good)
        assert begun, why
    for message, fresh, stamp in messages:
        message.header.stamp = conversions.to_stamp(session.board.stamp) if fresh and session.board.stamp else stamp
        session.add(message)
        ticks(session, 2)
    ticks(session, 3)
    assert session.loop.running, session.loop.crash
    assert session.robot.wrong == []
    assert session.end('done')[0]
    session.reset()


@st.composite
def orders(draw):
    """TakeoverCommand likewise."""
    size = draw(st.just(9) | st.integers(0, 12))
    return TakeoverCommand(
        engaged=draw(st.booleans()), operator_name=draw(st.just('anna') | TEXT), names=draw(NAME_LISTS),
        values=draw(st.lists(FLOATS, min_size=size, max_size=size)))


@PROFILE
@given(messages=st.lists(st.tuples(orders(), STAMPS, st.integers(0, 2)), max_size=6), begun=st.booleans())
def test_no_takeover_command_crashes_the_executor_or_breaks_a_limit(session, messages, begun):
    session.robot.last = session.robot.state.copy()
    good = PolicyInfo(names=list(NAMES), period=1.0 / RATE, horizon=16, n_action_steps=16)
    session.set_policy(good)
    if begun:
        assert session.begin('fuzz', 'task', good)[0]
    before = session.robot.last.copy()
    for message, stamp, wait in messages:
        message.header.stamp = stamp
        session.takeover.put(message)
        ticks(session, wait)
    ticks(session, 2)
    assert session.loop.running, session.loop.crash
    assert session.robot.wrong == []
    if not begun:
        assert np.array_equal(session.robot.last[POSITIONS], before[POSITIONS]), 'nobody takes over without an episode'
    session.end('done')
    session.reset()


@PROFILE
@given(message=st.builds(JointState, name=st.just(list(JOINTS)) | st.lists(WORDS, max_size=8),
                         position=st.lists(st.floats(), min_size=6, max_size=6) | st.lists(st.floats(), max_size=8)))
def test_joint_states_are_six_finite_positions_or_refused_in_words(message):
    try:
        positions = conversions.positions_of(message)
    except ValueError as error:
        assert 'joint_states' in str(error)
    else:
        assert positions.shape == (6,) and np.all(np.isfinite(positions))


@PROFILE
@given(st.floats(), st.floats(), st.floats())
def test_a_base_velocity_is_finite_or_refused_in_words(x, y, turn):
    message = TwistStamped()
    message.twist.linear.x, message.twist.linear.y, message.twist.angular.z = x, y, turn
    if all(map(math.isfinite, (x, y, turn))):
        assert conversions.velocity_of(message).tolist() == [x, y, turn]
    else:
        with pytest.raises(ValueError, match='base_velocity holds values that are not finite'):
            conversions.velocity_of(message)


@PROFILE
@given(names=NAME_LISTS, period=PERIODS, rows=st.integers(0, 6) | UINT32, committed=st.integers(0, 6) | UINT32,
       planned=st.lists(FLOATS, max_size=60), stamp=STAMPS, later=st.integers(-2**60, 2**60))
def test_a_request_gives_a_prefix_that_fits_or_none(names, period, rows, committed, planned, stamp, later):
    message = ChunkRequest(names=names, period=period, planned_rows=rows, committed_rows=committed, planned=planned)
    message.header.stamp = stamp
    prefix = conversions.prefix_of(message, conversions.to_nanoseconds(stamp) + later, 1.0 / RATE)
    if prefix is not None:
        assert prefix.rows.shape[1] == DIM and np.all(np.isfinite(prefix.rows)) and len(prefix.rows) <= rows
