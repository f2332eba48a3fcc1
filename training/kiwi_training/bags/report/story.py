"""What happened, in words: the sentences at the head of a page, computed from the recording."""

from dataclasses import dataclass

import numpy as np

from kiwi_training.bags.report.events import BAD, GOOD, NOTE, WARN
from kiwi_training.report.text import listing, plural

SLOW = 2.0
"""A chunk that takes this many times the median response is worth naming."""
MUCH_CLAMPED = 0.05
"""Share of clamped ticks above which it is a warning."""
FAR = 15.0
"""deg between command and measurement above which it is a warning."""
BIG_SEAM = 1.5
"""Seam ratio above which takeovers are a warning."""
OLD_IMAGE = 0.25
"""s of age of an image above which it is a warning."""
LONG_WAIT = 1.0
"""s from the begin of an episode to its first action above which it is a warning."""
ON_DISC = 0.03
"""m from the disc's centre within which the cube lies on it."""


@dataclass(frozen=True)
class Point:
    """One sentence; `seconds` is the moment it speaks of, or None."""

    level: str
    text: str
    seconds: float | None = None


def headline(material):
    """A `Point`: what became of the rollout and when."""
    bag, task = material.bag, material.task
    verdict = {True: 'Success', False: 'Failure', None: 'Not judged'}[bag.success]
    level = {True: GOOD, False: BAD, None: NOTE}[bag.success]
    outcome = bag.outcome
    if task is not None and task.post_hit.any():
        when = float(task.seconds[np.argmax(task.post_hit)])
        return Point(BAD, f'{verdict}: post hit at {when:.1f} s{in_charge(material, when)}.', when)
    if task is not None and task.success.any():
        when = float(task.seconds[np.argmax(task.success)])
        return Point(level, f'{verdict}: cube at rest on the disc at {when:.1f} s.', when)
    for state, start, _, reason in material.state_spans():
        if state in ('FAULT', 'STOPPED'):
            text = f'{verdict}: {state.lower()} at {start:.1f} s{in_charge(material, start)}: {reason}.'
            return Point(BAD, text, start)
    if outcome == 'timeout':
        when = material.acted_until
        return Point(level, f'{verdict}: time ran out at {when:.1f} s{progress(task)}.', when)
    return Point(level, f'{verdict}: {outcome}.' if outcome and outcome != 'success' else f'{verdict}.', None)


def progress(task):
    """How far the cube had come, as the end of a sentence."""
    if task is None:
        return ''
    away = 100 * float(np.hypot(*(task.cube[-1, :2] - task.target[-1, :2])))
    if not task.lifted.any():
        return f', the cube was never lifted and lies {away:.0f} cm from the disc'
    if away <= 100 * ON_DISC:
        return f', the cube is {away:.1f} cm from the disc\'s centre but not released or not at rest'
    return f', the cube was lifted and ended {away:.0f} cm from the disc'


def in_charge(material, seconds):
    """Which chunk ran at a moment, as the middle of a sentence."""
    ticks = material.ticks
    at = int(np.searchsorted(material.seconds, seconds, side='right')) - 1
    if at < 0 or ticks.indices[at] < 0:
        return ''
    chunk = ticks.chunk_ids[at]
    same = (np.asarray(ticks.chunk_ids[:at + 1]) == chunk) & (np.asarray(ticks.run_ids[:at + 1]) == ticks.run_ids[at])
    since = seconds - material.seconds[np.argmax(same)]
    return f', {max(since, 0.0):.1f} s after chunk {chunk} took over'


def story(material, figures, events):
    """List of `Point`s: the task first, then what might explain it, the worst before the rest."""
    task = [Point(event.level, f'{_capital(event.text)} at {event.seconds:.1f} s.', event.seconds)
            for event in events if event.lane == 'task' and event.level == NOTE]
    points = [*_waiting(material), _starvation(figures, events), _rejections(figures, events),
              _latency(material, figures)]
    points += [point for point in (_clamps(figures), _seams(figures), _tracking(figures), _images(figures),
                                   _timing(figures, events)) if point]
    points += [Point(event.level, f'{_capital(event.text)} (from {event.seconds:.1f} s).', event.seconds)
               for event in events if event.lane in ('operator', 'health') or event.text.startswith('the policy')]
    return task + sorted(points, key=lambda point: (BAD, WARN, NOTE, GOOD).index(point.level))


def recording(material, film):
    """`Point`s on the recording itself: incomplete, clocks that differ, pictures that cannot be read."""
    points = []
    if material.bag.complete != 'true':
        points.append(Point(WARN, f'The recording is not known to be complete: {material.bag.complete}.'))
    if material.foreign_clocks:
        points.append(Point(NOTE, f'The stamps of {listing(sorted(material.foreign_clocks))} are of another clock than '
                                  'the executor\'s; pictures are placed by when the recorder received them.'))
    if film is not None and film.unreadable:
        points.append(Point(WARN, f'{plural(film.unreadable, "picture")} could not be decoded.'))
    if not material.rollout.chunks:
        points.append(Point(WARN, 'No action chunk is on record.'))
    return points


def _waiting(material):
    began = next((start for state, start, *_ in material.state_spans() if state == 'WAITING'), None)
    first = material.planned_from()
    if began is None:
        return []
    if first is None:
        return [Point(BAD, 'No chunk was ever executed: the arm was held all the time.', began)]
    waited = first - began
    text = f'The first action came {waited:.1f} s after the episode began.'
    return [Point(WARN, text, first)] if waited > LONG_WAIT else []


def _starvation(figures, events):
    starved = [event for event in events if event.text.startswith('starved')]
    if not starved and not figures.underruns:
        return Point(GOOD, 'No starvation: there was always an action to execute.')
    if not starved:
        return Point(NOTE, f'{plural(figures.underruns, "pause")} to wait for a chunk, {figures.starved:.1f} s in all.')
    return Point(BAD, f'Starved {plural(len(starved), "time")}, {sum(e.until - e.seconds for e in starved):.2f} s in '
                      f'all, first at {starved[0].seconds:.1f} s.', starved[0].seconds)


def _rejections(figures, events):
    if not figures.rejected:
        return Point(GOOD, 'No chunk was rejected.')
    first = next((event.seconds for event in events if event.lane == 'chunks' and 'rejected' in event.text), None)
    reasons = listing([f'{count} as {reason}' for reason, count in figures.rejections.items() if count])
    return Point(WARN, f'{plural(figures.rejected, "chunk")} rejected: {reasons}.', first)


def _latency(material, figures):
    if not figures.chunks:
        return Point(NOTE, 'No chunk, so no latency.')
    median, high = figures.response
    inference = figures.latency
    text = f'Inference took {1e3 * inference[0]:.0f} ms (p50) to {1e3 * inference[1]:.0f} ms (p95) per chunk'
    if not np.isfinite(median):
        return Point(NOTE, f'{text}.')
    text += f', a chunk came {1e3 * median:.0f} to {1e3 * high:.0f} ms after its request'
    worst = int(np.nanargmax(figures.responses))
    slowest, chunk = figures.responses[worst], material.rollout.chunks[worst].chunk
    if slowest > SLOW * median and slowest > 4 * material.period:
        return Point(WARN, f'{text}; the slowest, chunk {chunk.chunk_id}, {1e3 * slowest:.0f} ms.',
                     material.logged(material.rollout.chunks[worst].log_time))
    return Point(NOTE, f'{text}.')


def _clamps(figures):
    if not figures.clamped:
        return None
    share = figures.clamped / max(figures.ticks, 1)
    return Point(WARN if share > MUCH_CLAMPED else NOTE,
                 f'A limit changed the command in {plural(figures.clamped, "tick")} of {figures.ticks} '
                 f'({100 * share:.0f} %).')


def _seams(figures):
    if figures.step is None:
        return None
    step, joint, when = figures.step
    if not (figures.seam_ratio > BIG_SEAM):
        return None
    return Point(WARN, f'Takeovers step further than ordinary motion (seam ratio {figures.seam_ratio:.2f}); '
                       f'the largest step is {step:.1f} deg of {joint} at {when:.1f} s.', when)


def _tracking(figures):
    if figures.tracking is None or figures.tracking[0] <= FAR:
        return None
    away, joint, when = figures.tracking
    return Point(WARN, f'The arm did not follow: {joint} was {away:.0f} deg from its command at {when:.1f} s.', when)


def _images(figures):
    oldest = float(np.max(figures.image_ages)) if len(figures.image_ages) else 0.0
    return Point(WARN, f'Chunks were made from images up to {oldest:.2f} s old.') if oldest > OLD_IMAGE else None


def _timing(figures, events):
    if not figures.missed:
        return None
    first = next((event.seconds for event in events if event.lane == 'timing'), None)
    return Point(WARN, f'{plural(figures.missed, "control tick")} did not happen.', first)


def _capital(text):
    return text if '_' in text.split(' ')[0] else text[:1].upper() + text[1:]
