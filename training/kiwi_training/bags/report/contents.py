"""What the page's script draws, as JSON-ready values."""

import math

import numpy as np

from kiwi_policy.core.features import NAMES, UNITS
from kiwi_policy.core.states import Source
from kiwi_training.bags.report.events import spans

DIGITS = {'deg': 2, 'percent': 1, 'm/s': 4, 'deg/s': 2}
LABELS = {'x.vel': 'base forward', 'y.vel': 'base left', 'theta.vel': 'base turn'}


def contents(material, events, film, scene, first):
    """The dict that the page's script reads; unknown values are None, times in s.

    Args:
        material, events, film, scene: of the rollout; film and scene may be None.
        first: s of the moment that the page opens at.
    """
    ticks, seconds, period = material.ticks, material.seconds, material.period
    digits = [DIGITS[unit] for unit in UNITS]
    plans, chunk_of_tick = _plans(material, digits)
    return {
        'name': material.name, 't': _numbers(seconds, 4), 'end': round(material.end, 4), 'period': period,
        'first': round(first, 4),
        'names': list(NAMES), 'labels': [label(name) for name in NAMES], 'units': list(UNITS),
        'command': _columns(ticks.commands, digits), 'measured': _columns(ticks.measured, digits),
        'chunk': chunk_of_tick, 'row': [int(index) for index in ticks.indices],
        'blended': [int(count) for count in ticks.blended],
        'takeovers': np.flatnonzero(ticks.takeover).tolist(),
        'clamped': [_span(span) for span in spans(ticks.clamped, seconds, period)],
        'sources': _runs([_source(number) for number in ticks.sources], seconds, period),
        'reigns': [[f'{plans[chunk]["id"]}', start, end]
                   for chunk, start, end in _runs(chunk_of_tick, seconds, period) if chunk >= 0],
        'states': [[state, *_span((start, end))] for state, start, end, _ in material.state_spans()],
        'plans': plans,
        'events': [{'t': round(event.seconds, 4), 'until': round(event.until, 4), 'lane': event.lane,
                    'level': event.level, 'text': event.text} for event in events],
        'film': None if film is None else _film(film),
        'scene': scene,
    }


def label(name):
    """A name of the nine values as a reader knows it."""
    return LABELS.get(name, name.removeprefix('arm_').removesuffix('.pos').replace('_', ' '))


def _plans(material, digits):
    """The chunks with their rows by dimension, and the chunk that ran at each tick, -1 for none."""
    places, plans = {}, []
    for recorded in material.rollout.chunks:
        chunk = recorded.chunk
        rows = np.asarray(chunk.actions, dtype=float)
        if rows.ndim != 2 or rows.shape[1] != len(digits) or (chunk.run_id, chunk.chunk_id) in places:
            continue
        places[chunk.run_id, chunk.chunk_id] = len(plans)
        plans.append({'id': int(chunk.chunk_id), 't': round(float(chunk.stamp), 4), 'period': float(chunk.period),
                      'rows': _columns(rows, digits), 'used': False})
    ticks, ran = material.ticks, []
    for run, chunk, index in zip(ticks.run_ids, ticks.chunk_ids, ticks.indices, strict=True):
        place = places.get((int(run), int(chunk)), -1) if index >= 0 else -1
        ran.append(place)
        if place >= 0:
            plans[place]['used'] = True
    return plans, ran


def _film(film):
    stride = int(film.ticks[1] - film.ticks[0]) if len(film.ticks) > 1 else 1
    return {'rate': film.rate, 'frames': len(film.ticks), 'stride': stride,
            'views': [{'camera': view.camera, 'x': view.x, 'width': view.width, 'height': view.height}
                      for view in film.views],
            'ages': {camera: _numbers(ages, 3) for camera, ages in film.ages.items()}}


def _runs(values, seconds, period):
    """List of [value, from, to] of equal neighbours; a missed tick belongs to the one before."""
    runs = []
    for index, (value, at) in enumerate(zip(values, seconds, strict=True)):
        until = float(seconds[index + 1]) if index + 1 < len(seconds) else float(at) + period
        if runs and runs[-1][0] == value:
            runs[-1][2] = round(until, 4)
        else:
            runs.append([value, round(float(at), 4), round(until, 4)])
    return runs


def _source(number):
    try:
        return Source(int(number)).name
    except ValueError:
        return f'source {number}'


def _span(span):
    return [round(span[0], 4), round(span[1], 4)]


def _columns(rows, digits):
    return [_numbers(column, places) for column, places in zip(np.asarray(rows).T, digits, strict=True)]


def _numbers(values, digits):
    return [round(float(value), digits) if math.isfinite(value) else None for value in values]
