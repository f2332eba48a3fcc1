"""ROS messages to and from the records of the core. No other file builds or reads these messages."""

import math

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TwistStamped
from kiwi_msgs.msg import ActionChunk, ChunkRequest, ExecutedAction, ExecutorEvent, ExecutorStatus, PolicyInfo
from sensor_msgs.msg import JointState

from kiwi_policy.core import features
from kiwi_policy.core.chunk import Chunk
from kiwi_policy.core.executor import PolicyTraits
from kiwi_policy.core.journal import Kind
from kiwi_policy.core.prefix import Prefix

NANO = 1_000_000_000


def to_stamp(nanoseconds):
    """ROS stamp of ns since the epoch."""
    return Time(sec=int(nanoseconds // NANO), nanosec=int(nanoseconds % NANO))


def to_nanoseconds(stamp):
    """ns since the epoch of a ROS stamp."""
    return stamp.sec * NANO + stamp.nanosec


def state_messages(stamp, values):
    """JointState (rad) and TwistStamped (m/s, rad/s) of a state (9,) at `stamp` ns."""
    positions, velocity = features.to_ros(values)
    joints = JointState(name=list(features.JOINTS), position=positions.tolist())
    base = TwistStamped()
    joints.header.stamp = base.header.stamp = to_stamp(stamp)
    base.header.frame_id = 'base_link'
    base.twist.linear.x, base.twist.linear.y, base.twist.angular.z = velocity.tolist()
    return joints, base


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


def request_message(request, stamp, task, names):
    """ChunkRequest of a core `Request` made at the tick with `stamp` ns."""
    rows = np.asarray(request.prefix.rows, dtype=np.float32)
    message = ChunkRequest(
        request_id=request.request_id, episode_id=request.episode_id, task=task, names=list(names),
        period=float(request.period), planned_rows=len(rows), committed_rows=int(request.prefix.committed),
        planned=rows.ravel().tolist(), expected_delay=float(request.expected_delay))
    message.header.stamp = to_stamp(stamp)
    return message


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


def chunk_message(request, observation, actions, info, run_id, chunk_id, period, evaluations, seconds):
    """ActionChunk that answers a ChunkRequest.

    Args:
        request: the ChunkRequest.
        observation: the `history.Observation` the policy saw.
        actions: (H, 9) in LeRobot's units.
        info: the policy's info (names, head, digest).
        run_id, chunk_id: of this chunk.
        period: s between rows.
        evaluations: counted network evaluations.
        seconds: s from taking the observation to the chunk.
    """
    actions = np.asarray(actions, dtype=np.float32)
    message = ActionChunk(
        run_id=run_id, episode_id=request.episode_id, chunk_id=chunk_id, request_id=request.request_id,
        names=list(info.names), period=float(period), horizon=len(actions), actions=actions.ravel().tolist(),
        image_names=list(observation.ages), image_ages=[float(age) for age in observation.ages.values()],
        image_stamps=[to_stamp(observation.image_stamps.get(camera, 0)) for camera in observation.ages],
        head=info.head, checkpoint_digest=info.digest, evaluations=int(evaluations),
        inference_seconds=float(seconds))
    message.header.stamp = to_stamp(observation.stamp)
    return message


def info_message(info, checkpoint, run_id, period, latency, evaluations, stamp):
    """PolicyInfo of a loaded policy; `latency` is (p50, p95) in s, `stamp` a ROS Time message."""
    spread = np.full(len(info.names), np.nan) if info.action_spread is None else info.action_spread
    message = PolicyInfo(
        run_id=run_id, head=info.head, checkpoint=str(checkpoint), checkpoint_digest=info.digest,
        names=list(info.names), units=list(info.units), period=float(period), horizon=int(info.horizon),
        n_action_steps=int(info.n_action_steps), action_spread=np.asarray(spread, dtype=np.float32).tolist(),
        cameras=list(info.cameras), observation_steps=int(info.n_obs_steps), latency_p50=float(latency[0]),
        latency_p95=float(latency[1]), evaluations=int(evaluations))
    message.header.stamp = stamp
    return message


def traits_of(message):
    """Core `PolicyTraits` of a PolicyInfo; a latency that cannot be counts as unknown."""
    latency = message.latency_p95 if 0.0 <= message.latency_p95 < math.inf else 0.0
    spread = np.asarray(message.action_spread, dtype=float)
    known = spread.shape == (features.DIM,) and np.all(np.isfinite(spread)) and np.all(spread >= 0)
    return PolicyTraits(horizon=message.horizon, n_action_steps=message.n_action_steps or None,
                        action_spread=spread if known else None, latency_p95=float(latency))


def action_message(tick, episode_id, names, told=()):
    """ExecutedAction of a `control_loop.Tick`; `told` are the `Event`s since the tick before."""
    command = tick.command
    measured = np.full(features.DIM, np.nan) if tick.measured is None else tick.measured
    message = ExecutedAction(
        episode_id=episode_id, names=list(names), command=np.asarray(command.values, np.float32).tolist(),
        measured=np.asarray(measured, np.float32).tolist(), source=int(command.source), run_id=command.run_id,
        chunk_id=command.chunk_id, index=int(command.index), blended=int(command.blended),
        takeover=bool(command.takeover), clamped=bool(command.clamped), monotonic=float(tick.now),
        missed=int(tick.missed), events=[event_message(event) for event in told])
    received = [event.ids for event in told if event.kind is Kind.CHUNK]
    message.received_runs, message.received_chunks = [run for run, _ in received], [chunk for _, chunk in received]
    message.header.stamp = to_stamp(tick.stamp)
    return message


def event_message(event):
    """ExecutorEvent of a core `Event`; the ids of a chunk are those received."""
    ids = () if event.kind is Kind.CHUNK else event.ids
    return ExecutorEvent(kind=int(event.kind), ids=list(ids), values=list(event.values), text=event.text)


def status_message(status, stamp, jitter_p99, cycle_p95):
    """ExecutorStatus of a core `Status` at `stamp` ns, with the loop's timing in s."""
    message = ExecutorStatus(
        state=int(status.state), reason=status.reason, mode=status.mode, episode_id=status.episode_id,
        run_id=status.run_id, chunk_id=status.chunk_id, accepted=status.accepted, rejected=status.rejected,
        reject_reasons=list(status.reject_counts), reject_counts=list(status.reject_counts.values()),
        skipped=status.skipped, underruns=status.underruns, clamped=status.clamped, takeovers=status.takeovers,
        ticks=status.ticks, overlap=float(status.overlap), queue_seconds=float(status.queue_seconds),
        latency_p50=float(status.latency_p50), latency_p95=float(status.latency_p95),
        request_interval=float(status.request_interval), jitter_p99=float(jitter_p99), cycle_p95=float(cycle_p95))
    message.header.stamp = to_stamp(stamp)
    return message
