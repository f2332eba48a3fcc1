"""What happened when: everything of a recording that a reader may want to jump to."""

from dataclasses import dataclass

import numpy as np

from kiwi_policy.core.states import Source
from kiwi_training.report.text import plural

GOOD, NOTE, WARN, BAD = 'good', 'note', 'warn', 'bad'
MISSED = 1.5
"""Periods between two ticks beyond which one was missed."""
LATCHED = {'STOPPED': WARN, 'FAULT': BAD}


@dataclass(frozen=True)
class Event:
    """Something that happened.

    Attributes:
        seconds: when it began.
        lane: task, chunks, executor, timing, operator or health.
        level: good, note, warn or bad.
        text: in words.
        until: when it ended; equal to `seconds` for a moment.
    """

    seconds: float
    lane: str
    level: str
    text: str
    until: float = None

    def __post_init__(self):
        if self.until is None:
            object.__setattr__(self, 'until', self.seconds)


def events(material):
    """All `Event`s of a `Material` in the order of time."""
    found = [*task_events(material.task), *state_events(material), *rejection_events(material.statuses),
             *restart_events(material), *missed_events(material.seconds, material.period),
             *operator_events(material), *health_events(material.diagnoses), *verdict_events(material)]
    return sorted(found, key=lambda event: event.seconds)


def task_events(task):
    """Lifted, side taken, post hit, success: the moments they were first seen."""
    if task is None:
        return []
    found = []
    for flags, level, text in ((task.lifted, NOTE, 'cube lifted'), (task.post_hit, BAD, 'post hit'),
                               (task.success, GOOD, 'success: cube at rest on the disc')):
        if flags.any() and not flags[0]:
            found.append(Event(float(task.seconds[np.argmax(flags)]), 'task', level, text))
    taken = next((index for index, side in enumerate(task.side) if side in ('left', 'right')), None)
    if taken:
        found.append(Event(float(task.seconds[taken]), 'task', NOTE, f'cube passes the post on the {task.side[taken]}'))
    return found


def state_events(material):
    """Changes of the executor's state, starvation with its length."""
    found, before = [], None
    for state, start, end, reason in material.state_spans():
        if state == 'STARVED':
            sync = reason.startswith('sync')
            found.append(Event(start, 'executor', NOTE if sync else BAD,
                               f'{"sync pause" if sync else "starved"} for {end - start:.2f} s: {reason}', end))
        elif state in LATCHED:
            found.append(Event(start, 'executor', LATCHED[state], f'{state}: {reason}', end))
        elif state != before and before != 'STARVED' and state != 'TAKEOVER':
            found.append(Event(start, 'executor', NOTE, f'{state}: {reason}' if reason else state))
        before = state
    return found


def rejection_events(statuses):
    """Chunks rejected, by reason, when the executor's counter rose."""
    found, known, episode = [], {}, None
    for status in statuses:
        if status.episode_id != episode:
            known, episode = {}, status.episode_id
        for reason, count in status.rejections.items():
            more = count - known.get(reason, 0)
            if more > 0:
                found.append(Event(status.seconds, 'chunks', WARN, f'{plural(more, "chunk")} rejected: {reason}'))
        known = dict(status.rejections)
    return found


def restart_events(material):
    """A policy that started again: chunks of another run."""
    found, run = [], None
    for recorded in material.rollout.chunks:
        if run is not None and recorded.chunk.run_id != run:
            found.append(Event(material.logged(recorded.log_time), 'chunks', WARN, 'the policy started again'))
        run = recorded.chunk.run_id
    return found


def missed_events(seconds, period):
    """Control ticks that did not happen."""
    found = []
    for index in np.flatnonzero(np.diff(seconds) > MISSED * period):
        start, end = float(seconds[index]), float(seconds[index + 1])
        count = plural(round((end - start) / period) - 1, 'control tick')
        found.append(Event(start, 'timing', WARN, f'{count} missed ({1e3 * (end - start):.0f} ms without one)', end))
    return found


def operator_events(material):
    """When an operator drove."""
    driven = np.asarray(material.ticks.sources) == Source.OPERATOR
    return [Event(start, 'operator', NOTE, f'{_driver(material, start)} drives for {end - start:.1f} s', end)
            for start, end in spans(driven, material.seconds, material.period)]


def health_events(diagnoses):
    """Warnings of nodes other than those that a state of the executor says already; errors of the bus."""
    found, known, errors = [], {}, None          # errors are counted since the executor started
    for diagnosis in diagnoses:
        if diagnosis.name.endswith(': control'):
            count = _whole(diagnosis.values.get('bus errors'))
            if errors is not None and count > errors:
                text = f'{plural(count - errors, "bus error")}, the last: {diagnosis.values.get("last bus error", "")}'
                found.append(Event(diagnosis.seconds, 'health', WARN, text))
            errors = max(count, errors or 0)
            continue
        level = {1: WARN, 2: BAD}.get(diagnosis.level)
        if level and known.get(diagnosis.name) != diagnosis.message:
            found.append(Event(diagnosis.seconds, 'health', level, f'{diagnosis.name}: {diagnosis.message}'))
        known[diagnosis.name] = diagnosis.message if level else None
    return found


def verdict_events(material):
    """The judgement of the rollout, where one is on record apart from the simulation's own."""
    result = material.rollout.result
    if result is None or material.task is not None:
        return []
    text = f'judged {"a success" if result.success else "a failure"}: {result.outcome}'
    return [Event(material.end, 'task', GOOD if result.success else BAD, text)]


def spans(flags, seconds, period):
    """List of (from, to) in s over which consecutive ticks have a flag; a single tick lasts one period."""
    flags = np.asarray(flags, dtype=bool)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.view(np.int8), [0]))))
    return [(float(seconds[start]), float(seconds[stop - 1]) + period)
            for start, stop in zip(edges[::2], edges[1::2], strict=True)]


def _driver(material, seconds):
    engaged = [name for at, on, name in material.engagements if on and at <= seconds + material.period]
    return f'operator ({engaged[-1]})' if engaged and engaged[-1] else 'operator'


def _whole(text):
    try:
        return int(text)
    except (TypeError, ValueError):
        return 0
