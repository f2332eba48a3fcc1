"""Messages into the values that the view shows."""

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray
from kiwi_msgs.msg import (
    ActionChunk,
    EpisodeResult,
    ExecutedAction,
    ExecutorStatus,
    PolicyInfo,
    TakeoverCommand,
    TaskState,
)

from kiwi_policy.core.features import DIM, NAMES
from kiwi_policy.core.states import State
from kiwi_policy.nodes import conversions, qos
from kiwi_policy.view.status_text import counts, milliseconds


class ViewFeed:
    """Callbacks of the topics.

    Args:
        view: `LiveView`.
        clock: returns s of the robot's clock, for messages without a stamp.
    """

    def __init__(self, view, clock):
        self._view, self._clock = view, clock
        self._info = None

    def topics(self):
        """(message type, topic, callback, quality of service) of everything but pictures."""
        return (
            (ExecutedAction, 'executor/action', self.on_action, qos.ACTION),
            (ActionChunk, 'action_chunk', self.on_chunk, qos.CHUNK),
            (ExecutorStatus, 'executor/status', self.on_status, qos.STATUS),
            (PolicyInfo, 'policy_info', self.on_policy, qos.LATCHED),
            (TakeoverCommand, 'takeover/command', self.on_takeover, qos.CAMERA),
            (EpisodeResult, 'rollout/result', self.on_result, qos.STATUS),
            (DiagnosticArray, 'diagnostics', self.on_diagnostics, qos.STATUS),
            (TaskState, 'sim/task_state', self.on_world, qos.STATE),
        )

    def on_action(self, message):
        """What was measured and commanded at a tick."""
        if len(message.measured) == DIM and len(message.command) == DIM:
            self._view.on_tick(seconds(message.header.stamp), np.array(message.measured, float),
                               np.array(message.command, float))

    def on_chunk(self, message):
        """A chunk of our nine values; others cannot be drawn, and the executor's status says that it refuses them."""
        chunk = conversions.chunk_of(message, seconds(message.header.stamp))
        if chunk.names == NAMES and chunk.actions.ndim == 2 and chunk.period > 0:
            self._view.on_chunk(chunk.stamp, chunk.period, chunk.actions, message.inference_seconds)

    def on_status(self, message):
        """The executor's state and counters."""
        rejects = dict(zip(message.reject_reasons, message.reject_counts))
        self._view.on_status(
            seconds(message.header.stamp), state_name(message.state), message.reason, message.episode_id, rejects,
            message.underruns, message.queue_seconds, status_rows(message, self._info, rejects))

    def on_policy(self, message):
        """What the policy says of itself."""
        self._info = message
        self._view.tell(self._clock(), self._view.journal.on_policy(
            message.run_id, message.head, message.checkpoint_digest))

    def on_takeover(self, message):
        """An operator's command."""
        self._view.tell(self._clock(), self._view.journal.on_takeover(message.engaged, message.operator_name))

    def on_result(self, message):
        """A judged rollout."""
        self._view.tell(self._clock(), [(
            'INFO' if message.success else 'WARN',
            f'rollout {message.index}: {"success" if message.success else message.outcome or "failure"} '
            f'after {message.seconds:.1f} s')])

    def on_diagnostics(self, message):
        """Warnings and errors of any node, once."""
        for status in message.status:
            level = int.from_bytes(status.level) if isinstance(status.level, bytes) else int(status.level)
            self._view.tell(self._clock(), self._view.journal.on_health(status.name, level, status.message))

    def on_world(self, message):
        """Ground truth of the simulation."""
        base, cube, target = message.base, message.cube, message.target
        self._view.on_world(seconds(message.header.stamp), (base.x, base.y, base.theta), (cube.x, cube.y, cube.z),
                            (target.x, target.y, target.z))


def seconds(stamp):
    """s since the epoch of a ROS stamp."""
    return conversions.to_nanoseconds(stamp) / conversions.NANO


def state_name(number):
    """Name of an executor's state."""
    return State(number).name if number in set(State) else f'STATE {number}'


def status_rows(message, info, rejects):
    """(name, text) rows of an ExecutorStatus and a PolicyInfo (None before one came)."""
    policy = '-'
    if info is not None:
        policy = f'{info.head} {info.checkpoint_digest[:8]}, {info.horizon} rows of {1e3 * info.period:.0f} ms'
    return (
        ('policy', policy),
        ('mode', message.mode),
        ('episode', message.episode_id or '-'),
        ('chunks accepted', f'{message.accepted}, of which {message.takeovers} took over'),
        ('chunks refused', counts(rejects)),
        ('rows skipped, underruns', f'{message.skipped}, {message.underruns}'),
        ('ticks, of these clamped', f'{message.ticks}, {message.clamped}'),
        ('request to chunk, p50 / p95', f'{milliseconds(message.latency_p50)} / {milliseconds(message.latency_p95)}'),
        ('between requests', milliseconds(message.request_interval)),
        ('control cycle p95, jitter p99', f'{milliseconds(message.cycle_p95)} / {milliseconds(message.jitter_p99)}'),
    )
