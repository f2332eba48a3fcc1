"""ROS messages from the records of the core, and back (`core.messages`). No other file builds these messages."""

import numpy as np
from builtin_interfaces.msg import Time
from geometry_msgs.msg import TwistStamped
from kiwi_msgs.msg import ActionChunk, ChunkRequest, ExecutedAction, ExecutorEvent, ExecutorStatus, PolicyInfo
from sensor_msgs.msg import JointState

from kiwi_policy.core import features
from kiwi_policy.core.journal import Kind
from kiwi_policy.core.messages import (
    NANO,
    chunk_of,
    positions_of,
    prefix_of,
    to_nanoseconds,
    traits_of,
    velocity_of,
)

__all__ = [
    'action_message', 'chunk_message', 'chunk_of', 'event_message', 'info_message', 'positions_of', 'prefix_of',
    'request_message', 'state_messages', 'status_message', 'to_nanoseconds', 'to_stamp', 'traits_of', 'velocity_of',
]


def to_stamp(nanoseconds):
    """ROS stamp of ns since the epoch."""
    return Time(sec=int(nanoseconds // NANO), nanosec=int(nanoseconds % NANO))


def state_messages(stamp, values):
    """JointState (rad) and TwistStamped (m/s, rad/s) of a state (9,) at `stamp` ns."""
    positions, velocity = features.to_ros(values)
    joints = JointState(name=list(features.JOINTS), position=positions.tolist())
    base = TwistStamped()
    joints.header.stamp = base.header.stamp = to_stamp(stamp)
    base.header.frame_id = 'base_link'
    base.twist.linear.x, base.twist.linear.y, base.twist.angular.z = velocity.tolist()
    return joints, base


def request_message(request, stamp, task, names):
    """ChunkRequest of a core `Request` made at the tick with `stamp` ns."""
    rows = np.asarray(request.prefix.rows, dtype=np.float32)
    message = ChunkRequest(
        request_id=request.request_id, episode_id=request.episode_id, task=task, names=list(names),
        period=float(request.period), planned_rows=len(rows), committed_rows=int(request.prefix.committed),
        planned=rows.ravel().tolist(), expected_delay=float(request.expected_delay))
    message.header.stamp = to_stamp(stamp)
    return message


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
