"""What the core takes from ROS messages: rclpy's own, or any objects with their fields, as from a recording."""

import math

import numpy as np

from kiwi_policy.core import features
from kiwi_policy.core.chunk import Chunk
from kiwi_policy.core.journal import Event, Kind
from kiwi_policy.core.prefix import Prefix
from kiwi_policy.core.records import PolicyTraits
from kiwi_policy.core.takeover import OperatorCommand

NANO = 1_000_000_000


def to_nanoseconds(stamp):
    """ns since the epoch of a ROS stamp."""
    return stamp.sec * NANO + stamp.nanosec


def positions_of(joints):
    """Joint positions (6,) in rad, in our order, of a JointState in any order.

    Raises:
        ValueError: a joint is missing, or a position is not finite.
    """
    by_name = dict(zip(joints.name, joints.position))
    missing = [name for name in features.JOINTS if name not in by_name]
    if missing:
        raise ValueError(f'joint_states lacks {", ".join(missing)}; it has {", ".join(joints.name) or "no names"}')
    return _finite('joint_states', features.JOINTS, [by_name[name] for name in features.JOINTS])


def velocity_of(base):
    """Base velocity (3,) in m/s, m/s, rad/s of a TwistStamped; ValueError where it is not finite."""
    twist = base.twist
    return _finite('base_velocity', ('x', 'y', 'theta'), [twist.linear.x, twist.linear.y, twist.angular.z])


def _finite(topic, names, values):
    bad = [f'{name} {value}' for name, value in zip(names, values) if not math.isfinite(value)]
    if bad:
        raise ValueError(f'{topic} holds values that are not finite: {", ".join(bad)}')
    return np.array(values)


def prefix_of(message, stamp, period):
    """Core `Prefix` of a ChunkRequest, for a chunk with stamp `stamp` ns and `period` s between rows.

    The chunk may be made from a later state than the request's; the rows due before it are left out. None
    where no row is left, or where the rows do not fit: of other names, another period or shape, not finite.
    """
    rows = np.asarray(message.planned, dtype=np.float32)
    shape = (message.planned_rows, features.DIM)
    fits = (tuple(message.names) == features.NAMES and rows.size == math.prod(shape) and np.all(np.isfinite(rows))
            and message.committed_rows <= message.planned_rows and abs(message.period - period) < 1e-3 * period)
    if not fits:
        return None
    late = round((stamp - to_nanoseconds(message.header.stamp)) / (period * NANO))
    prefix = Prefix(rows.reshape(shape), message.committed_rows).after(max(late, 0))
    return prefix if len(prefix.rows) else None


def chunk_of(message, stamp):
    """Core `Chunk` of an ActionChunk whose stamp is `stamp` s on the executor's monotonic clock.

    A row count that does not fit gives actions of the wrong shape, which the executor refuses.
    """
    actions = np.asarray(message.actions, dtype=np.float64)
    rows, dim = message.horizon, len(message.names)
    if rows and dim and rows * dim == len(actions):
        actions = actions.reshape(rows, dim)
    return Chunk(stamp=stamp, period=message.period, actions=actions, names=tuple(message.names),
                 run_id=message.run_id, chunk_id=message.chunk_id, episode_id=message.episode_id)


def operator_command_of(message):
    """Core `OperatorCommand` of a TakeoverCommand; what does not fit is refused by the core."""
    return OperatorCommand(to_nanoseconds(message.header.stamp) / NANO, message.engaged, message.operator_name,
                           tuple(message.names), np.asarray(message.values, dtype=float))


def traits_of(message):
    """Core `PolicyTraits` of a PolicyInfo; a latency that cannot be counts as unknown."""
    latency = message.latency_p95 if 0.0 <= message.latency_p95 < math.inf else 0.0
    spread = np.asarray(message.action_spread, dtype=float)
    known = spread.shape == (features.DIM,) and np.all(np.isfinite(spread)) and np.all(spread >= 0)
    return PolicyTraits(horizon=message.horizon, n_action_steps=message.n_action_steps or None,
                        action_spread=spread if known else None, latency_p95=float(latency))


def events_of(message):
    """Core `Event`s of an ExecutedAction, in order, each chunk with its (run_id, chunk_id); () where it tells none.

    Raises:
        ValueError: a kind of event that is not known, or another number of chunks than received.
    """
    received = iter(zip(map(int, message.received_runs), map(int, message.received_chunks), strict=True))
    events = []
    for event in getattr(message, 'events', ()):
        kind = Kind(event.kind)
        ids = next(received, None) if kind is Kind.CHUNK else map(int, event.ids)
        if ids is None:
            raise ValueError('executor/action tells of more chunks than were received')
        events.append(Event(kind, tuple(ids), tuple(map(float, event.values)), event.text))
    return tuple(events)
