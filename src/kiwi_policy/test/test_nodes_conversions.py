"""Messages to records and back."""

import numpy as np
import pytest
from nodes_support import FakeInfo

pytest.importorskip('kiwi_msgs')

from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402

from kiwi_policy.core.executor import ChunkExecutor, ExecutorConfig, Request, Source, State  # noqa: E402
from kiwi_policy.core.features import NAMES, from_ros  # noqa: E402
from kiwi_policy.core.prefix import Prefix  # noqa: E402
from kiwi_policy.core.records import Command, Status  # noqa: E402
from kiwi_policy.nodes import conversions  # noqa: E402
from kiwi_policy.nodes.control_loop import Tick  # noqa: E402
from kiwi_policy.nodes.history import Observation  # noqa: E402

STAMP = 1_790_000_000_987_654_321
VALUES = np.array([10.0, -20.0, 30.0, 40.0, -50.0, 60.0, 0.1, -0.2, 30.0])


def over_the_wire(message):
    return deserialize_message(serialize_message(message), type(message))


def test_stamps_keep_their_nanoseconds():
    assert conversions.to_nanoseconds(conversions.to_stamp(STAMP)) == STAMP


def test_a_state_survives_the_two_messages():
    joints, base = map(over_the_wire, conversions.state_messages(STAMP, VALUES))
    assert conversions.to_nanoseconds(joints.header.stamp) == conversions.to_nanoseconds(base.header.stamp) == STAMP
    assert base.header.frame_id == 'base_link'
    assert joints.position[0] == pytest.approx(np.deg2rad(10.0))
    assert base.twist.angular.z == pytest.approx(np.deg2rad(30.0))
    values = from_ros(conversions.positions_of(joints), conversions.velocity_of(base))
    assert values == pytest.approx(VALUES, abs=1e-9)


def test_joints_are_found_by_name_and_a_missing_one_is_named():
    joints, _ = conversions.state_messages(STAMP, VALUES)
    ordered = conversions.positions_of(joints)
    joints.name, joints.position = joints.name[::-1], joints.position[::-1]
    assert conversions.positions_of(joints) == pytest.approx(ordered)
    joints.name = [name.replace('wrist_roll', 'roll') for name in joints.name]
    with pytest.raises(ValueError, match='joint_states lacks wrist_roll'):
        conversions.positions_of(joints)


PERIOD = 1 / 30
ROWS = np.arange(45.0).reshape(5, 9)


def asked(rows=ROWS, committed=2):
    """A ChunkRequest as the policy gets it."""
    request = Request(5, 1.0, 'e', PERIOD, Prefix(np.asarray(rows), committed), 0.12)
    return over_the_wire(conversions.request_message(request, STAMP, 'pick', NAMES))


def test_a_request_carries_the_plan_and_what_of_it_is_certain():
    message = asked()
    assert (message.request_id, message.episode_id, message.task) == (5, 'e', 'pick')
    assert conversions.to_nanoseconds(message.header.stamp) == STAMP
    assert message.expected_delay == pytest.approx(0.12)
    prefix = conversions.prefix_of(message, STAMP, PERIOD)
    assert np.array_equal(prefix.rows, ROWS) and prefix.committed == 2


@pytest.mark.parametrize('late, committed', [(1, 1), (2, 0), (4, 0)])
def test_the_plan_begins_with_the_tick_the_policy_saw(late, committed):
    prefix = conversions.prefix_of(asked(), STAMP + round(late * PERIOD * 1e9) + 900_000, PERIOD)
    assert np.array_equal(prefix.rows, ROWS[late:]) and prefix.committed == committed


@pytest.mark.parametrize('change', [
    {'planned_rows': 4}, {'planned_rows': 0}, {'committed_rows': 6}, {'names': list(NAMES[::-1])}, {'names': []},
    {'period': 0.02}, {'planned': [float('nan')] * 45}, {'planned': []},
])
def test_a_plan_that_does_not_fit_is_none(change):
    message = asked()
    for name, value in change.items():
        setattr(message, name, value)
    assert conversions.prefix_of(message, STAMP, PERIOD) is None


def test_no_plan_and_a_plan_that_is_over_are_none():
    assert conversions.prefix_of(asked(np.zeros((0, 9)), 0), STAMP, PERIOD) is None
    assert conversions.prefix_of(asked(), STAMP + 200_000_000, PERIOD) is None


def answer(actions):
    request = asked()
    seen = Observation(STAMP + 1, (VALUES,), ({},), {'front': 0.02, 'wrist': 0.03}, {'front': STAMP - 5, 'wrist': STAMP - 6})
    return over_the_wire(conversions.chunk_message(request, seen, actions, FakeInfo(), 77, 3, 1 / 30, 10, 0.05))


def test_a_chunk_survives():
    actions = np.random.default_rng(0).normal(size=(16, 9)).astype(np.float32)
    message = answer(actions)
    chunk = conversions.chunk_of(message, 12.5)
    assert np.array_equal(chunk.actions, actions)
    assert (chunk.stamp, chunk.period, chunk.names) == (12.5, 1 / 30, NAMES)
    assert (chunk.run_id, chunk.chunk_id, chunk.episode_id, message.request_id) == (77, 3, 'e', 5)
    assert conversions.to_nanoseconds(message.header.stamp) == STAMP + 1
    assert dict(zip(message.image_names, message.image_ages)) == pytest.approx({'front': 0.02, 'wrist': 0.03})
    assert [conversions.to_nanoseconds(stamp) for stamp in message.image_stamps] == [STAMP - 5, STAMP - 6]
    assert (message.head, message.checkpoint_digest, message.evaluations) == ('fake', '0123456789abcdef', 10)


def test_a_wrong_row_count_is_refused_by_the_executor():
    message = answer(np.zeros((16, 9)))
    message.horizon = 15
    executor = ChunkExecutor(ExecutorConfig())
    executor.begin('e', VALUES, 0.0)
    assert executor.add(conversions.chunk_of(message, 0.0), 0.0).reason == 'wrong_shape'


@pytest.mark.parametrize('spread, known', [(np.ones(9), True), (None, False), (np.zeros(9), True), (np.ones(3), False)])
def test_info_gives_traits(spread, known):
    info = FakeInfo(action_spread=spread)
    message = over_the_wire(conversions.info_message(info, '/c', 9, 0.05, (0.1, 0.2), 10, conversions.to_stamp(STAMP)))
    assert (message.head, message.period, message.observation_steps) == ('fake', 0.05, 2)
    traits = conversions.traits_of(message)
    assert (traits.horizon, traits.n_action_steps) == (16, 16)
    assert traits.latency_p95 == pytest.approx(0.2)
    assert (traits.action_spread is not None) is known


def test_an_executed_action_and_one_without_an_answer():
    command = Command(VALUES, Source.CHUNK, 7, 8, 3, 2, True, False)
    message = over_the_wire(conversions.action_message(Tick(STAMP, 0.0, VALUES + 1, command, None, State.RUNNING), 'e', NAMES))
    assert message.command == pytest.approx(VALUES) and message.measured == pytest.approx(VALUES + 1)
    assert (message.source, message.run_id, message.chunk_id, message.index, message.blended) == (3, 7, 8, 3, 2)
    assert message.takeover and not message.clamped
    silent = conversions.action_message(Tick(STAMP, 0.0, None, command, None, State.RUNNING), 'e', NAMES)
    assert np.all(np.isnan(silent.measured))


def test_an_executed_action_tells_what_led_to_it():
    from kiwi_policy.core.journal import Event, Kind
    from kiwi_policy.core.messages import events_of

    told = (Event(Kind.CHUNK, (2**63, 1), (12.5,)), Event(Kind.RUNS, (7, 8, 2**63)), Event(Kind.CHUNK, (2**63, 2), (1 / 3,)),
            Event(Kind.SPEED, values=(0.1,)), Event(Kind.END, text='enough'))
    tick = Tick(STAMP, 1e5 / 3, VALUES, Command(VALUES, Source.HOLD), None, State.WAITING, 2)
    message = over_the_wire(conversions.action_message(tick, 'e', NAMES, told))
    assert (message.monotonic, message.missed) == (1e5 / 3, 2)
    assert (list(message.received_runs), list(message.received_chunks)) == ([2**63, 2**63], [1, 2])
    assert events_of(message) == told
    message.received_chunks, message.received_runs = [1], [2**63]
    with pytest.raises(ValueError, match='more chunks than were received'):
        events_of(message)


def test_a_status_carries_every_counter():
    status = Status(State.RUNNING, 'r', 'latest', 'e', 1, 2, 3, 4, {'older': 3, 'future': 1}, 5, 6, 7, 8, 9, 1.5, 0.4,
                    0.1, 0.2, 0.5)
    message = over_the_wire(conversions.status_message(status, STAMP, 0.001, 0.002))
    assert (message.state, message.reason, message.mode, message.episode_id) == (3, 'r', 'latest', 'e')
    assert dict(zip(message.reject_reasons, message.reject_counts)) == {'older': 3, 'future': 1}
    got = [getattr(message, name) for name in (
        'accepted', 'rejected', 'skipped', 'underruns', 'clamped', 'takeovers', 'ticks')]
    assert got == [3, 4, 5, 6, 7, 8, 9]
    assert [message.overlap, message.queue_seconds, message.latency_p50, message.latency_p95, message.request_interval,
            message.jitter_p99, message.cycle_p95] == pytest.approx([1.5, 0.4, 0.1, 0.2, 0.5, 0.001, 0.002])


def test_states_and_sources_are_numbered_as_in_the_messages():
    from kiwi_msgs.msg import ExecutedAction, ExecutorStatus

    assert all(getattr(ExecutorStatus, state.name) == state for state in State)
    assert all(getattr(ExecutedAction, f'SOURCE_{source.name}') == source for source in Source)


def test_events_are_numbered_as_in_the_message():
    from kiwi_msgs.msg import ExecutorEvent

    from kiwi_policy.core.journal import Kind

    assert all(getattr(ExecutorEvent, kind.name) == kind for kind in Kind)
