"""A recorded rollout as arrays and records: what the executor did, what it was given, and what was judged."""

from dataclasses import dataclass, field

import numpy as np

from kiwi_policy.core.chunk import Chunk
from kiwi_policy.core.features import DIM
from kiwi_policy.core.messages import NANO, chunk_of, events_of, to_nanoseconds
from kiwi_training.bags.reader import PARAMETER_EVENTS, BagError

_VALUE_FIELDS = ('', 'bool_value', 'integer_value', 'double_value', 'string_value', 'byte_array_value',
                 'bool_array_value', 'integer_array_value', 'double_array_value', 'string_array_value')
"""Fields of rcl_interfaces/ParameterValue by its type number."""


@dataclass(frozen=True)
class Ticks:
    """The T control ticks on record, one ExecutedAction each, in the order of their stamps.

    Attributes:
        stamps: (T,) int64, ns, the executor's own.
        log_times: (T,) int64, ns, when the recorder received them.
        commands: (T, 9) float32 sent, in LeRobot's units.
        measured: (T, 9) float32 read, NaN where the robot did not answer.
        sources: (T,) numbers of `core.states.Source`.
        run_ids, chunk_ids: (T,) uint64, newest chunk used.
        indices: (T,) row of that chunk, -1 where none.
        blended: (T,) chunks that contributed.
        takeover: (T,) bool, first tick of a new chunk.
        clamped: (T,) bool, a limit changed the command.
        received: per tick a tuple of (run, chunk), the chunks handed to the executor since the last one.
        episode_ids: per tick, '' outside episodes.
        monotonic: (T,) s, the ticks on the executor's own clock; NaN in bags without events.
        missed: (T,) ticks that the control loop was too late for, just before each.
        events: per tick a tuple of core `Event`s, what the executor was told since the last one.
    """

    stamps: np.ndarray
    log_times: np.ndarray
    commands: np.ndarray
    measured: np.ndarray
    sources: np.ndarray
    run_ids: np.ndarray
    chunk_ids: np.ndarray
    indices: np.ndarray
    blended: np.ndarray
    takeover: np.ndarray
    clamped: np.ndarray
    received: tuple
    episode_ids: tuple
    monotonic: np.ndarray
    missed: np.ndarray
    events: tuple

    def __len__(self):
        return len(self.stamps)

    @property
    def seconds(self):
        """(T,) s since the first tick."""
        return (self.stamps - self.stamps[:1]) / NANO

    @property
    def period(self):
        """s between ticks: the median of what is on record, NaN with fewer than two."""
        return float(np.median(np.diff(self.stamps))) / NANO if len(self) > 1 else float('nan')


@dataclass(frozen=True)
class RecordedChunk:
    """An action chunk on record.

    Attributes:
        chunk: core `Chunk`; its stamp is in s since the first tick's stamp.
        stamp: ns, that stamp as published.
        log_time: ns.
        request_id: the request it answers.
        head, digest: policy type and checkpoint.
        evaluations: counted network evaluations.
        inference_seconds: s.
        image_names: C cameras.
        image_ages: C ages in s.
        image_stamps: C header stamps in ns, to find the images; empty where they are not on record.
    """

    chunk: Chunk
    stamp: int
    log_time: int
    request_id: int
    head: str
    digest: str
    evaluations: int
    inference_seconds: float
    image_names: tuple
    image_ages: tuple
    image_stamps: tuple


@dataclass(frozen=True)
class RecordedRollout:
    """A bag without its images, which are read when asked for.

    Attributes:
        bag: the `reader.Bag`.
        ticks: `Ticks`.
        chunks: `RecordedChunk`s in the order of their log times.
        requests, statuses, diagnostics, tasks, infos, takeovers: `reader.Record`s of chunk_request,
            executor/status, diagnostics, sim/task_state, policy_info and takeover/command.
        parameters: node -> {name: value}, as they were at the start.
        parameter_changes: (log_time, node, name, value) of those that changed later; None where one was deleted.
        result: the EpisodeResult message, or None where nobody judged.
    """

    bag: object
    ticks: Ticks
    chunks: list
    requests: list = field(default_factory=list)
    statuses: list = field(default_factory=list)
    diagnostics: list = field(default_factory=list)
    tasks: list = field(default_factory=list)
    infos: list = field(default_factory=list)
    takeovers: list = field(default_factory=list)
    parameters: dict = field(default_factory=dict)
    parameter_changes: list = field(default_factory=list)
    result: object = None

    @classmethod
    def load(cls, bag):
        """Read a `reader.Bag`.

        Raises:
            BagError: it cannot be read, or has no executor/action.
        """
        bag.require('executor/action')
        plain = {'chunk_request': 'requests', 'executor/status': 'statuses', 'diagnostics': 'diagnostics',
                 'sim/task_state': 'tasks', 'policy_info': 'infos', 'takeover/command': 'takeovers'}
        lists = {name: [] for name in plain.values()}
        actions, chunks, parameters, result = [], [], _Parameters(), None
        for record in bag.records('executor/action', 'action_chunk', 'rollout/result', PARAMETER_EVENTS, *plain):
            if record.topic in plain:
                lists[plain[record.topic]].append(record)
            elif record.topic == 'executor/action':
                actions.append(record)
            elif record.topic == 'action_chunk':
                chunks.append(record)
            elif record.topic == 'rollout/result':
                result = record.message
            else:
                parameters.add(record)
        ticks = _ticks(bag, actions)
        origin = int(ticks.stamps[0])
        return cls(bag, ticks, [_chunk(record, origin) for record in chunks], **lists,
                   parameters=parameters.first, parameter_changes=parameters.changes, result=result)

    @property
    def task(self):
        """Task text of the rollout, '' where none is on record."""
        asked = next((record.message.task for record in self.requests if record.message.task), '')
        return asked or str(self.bag.details.get('task') or '')

    def images(self, camera):
        """Yield (stamp, log_time, compressed bytes) of a camera's images; times in ns.

        Raises:
            BagError: no such camera is on record.
        """
        topic = f'camera/{camera}/image_raw/compressed'
        if not self.bag.topics.get(topic):
            raise BagError(f'{self.bag.folder}: no image of camera {camera} is on record; there is '
                           f'{", ".join(self.bag.cameras) or "no camera"}')
        for record in self.bag.records(topic):
            yield to_nanoseconds(record.message.header.stamp), record.log_time, bytes(record.message.data)


def _ticks(bag, actions):
    wrong = {len(record.message.command) for record in actions} | {len(record.message.measured) for record in actions}
    if wrong != {DIM}:
        raise BagError(f'{bag.folder}: executor/action has commands of {sorted(wrong)} values, LeKiwi has {DIM}')
    actions = sorted(actions, key=lambda record: to_nanoseconds(record.message.header.stamp))
    messages = [record.message for record in actions]

    def column(name, dtype):
        return np.array([getattr(message, name) for message in messages], dtype=dtype)

    return Ticks(
        stamps=np.array([to_nanoseconds(message.header.stamp) for message in messages], np.int64),
        log_times=np.array([record.log_time for record in actions], np.int64),
        commands=np.stack([message.command for message in messages]).astype(np.float32),
        measured=np.stack([message.measured for message in messages]).astype(np.float32),
        sources=column('source', np.uint8), run_ids=column('run_id', np.uint64),
        chunk_ids=column('chunk_id', np.uint64), indices=column('index', np.int64),
        blended=column('blended', np.int64), takeover=column('takeover', bool), clamped=column('clamped', bool),
        received=tuple(tuple(zip(map(int, message.received_runs), map(int, message.received_chunks)))
                       for message in messages),
        episode_ids=tuple(message.episode_id for message in messages),
        monotonic=np.array([getattr(message, 'monotonic', np.nan) for message in messages], float),
        missed=np.array([getattr(message, 'missed', 0) for message in messages], np.int64),
        events=tuple(_events(bag, message) for message in messages))


def _events(bag, message):
    try:
        return events_of(message)
    except ValueError as error:
        raise BagError(f'{bag.folder}: executor/action: {error}') from None


def _chunk(record, origin):
    message = record.message
    stamp = to_nanoseconds(message.header.stamp)
    return RecordedChunk(
        chunk=chunk_of(message, (stamp - origin) / NANO), stamp=stamp, log_time=record.log_time,
        request_id=message.request_id, head=message.head, digest=message.checkpoint_digest,
        evaluations=message.evaluations, inference_seconds=message.inference_seconds,
        image_names=tuple(message.image_names), image_ages=tuple(map(float, message.image_ages)),
        image_stamps=tuple(to_nanoseconds(stamp) for stamp in message.image_stamps))


class _Parameters:
    def __init__(self):
        self.first, self.changes = {}, []

    def add(self, record):
        event = record.message
        node = event.node.strip('/').rpartition('/')[2]
        known = self.first.setdefault(node, {})
        for parameter in (*event.new_parameters, *event.changed_parameters):
            value = parameter_value(parameter.value)
            if parameter.name in known:
                self.changes.append((record.log_time, node, parameter.name, value))
            else:
                known[parameter.name] = value
        self.changes += [(record.log_time, node, parameter.name, None) for parameter in event.deleted_parameters]


def parameter_value(message):
    """Python value of an rcl_interfaces/ParameterValue; None where it is not set."""
    name = _VALUE_FIELDS[message.type] if message.type < len(_VALUE_FIELDS) else ''
    value = getattr(message, name) if name else None
    return value.tolist() if isinstance(value, np.ndarray) else value
