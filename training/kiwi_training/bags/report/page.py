"""The page of one rollout."""

from dataclasses import dataclass
from pathlib import Path

from kiwi_training.bags.report.charts import histograms
from kiwi_training.bags.report.contents import contents
from kiwi_training.bags.report.events import WARN
from kiwi_training.bags.report.events import events as events_of
from kiwi_training.bags.report.figures import figures as figures_of
from kiwi_training.bags.report.film import FilmError, make_film
from kiwi_training.bags.report.material import Material
from kiwi_training.bags.report.scene import scene as scene_of
from kiwi_training.bags.report.story import Point, headline, recording, story
from kiwi_training.report.html import page_templates
from kiwi_training.report.text import NONE, count, degrees, milliseconds, number, plural

TEMPLATES = Path(__file__).parent / 'templates'


@dataclass(frozen=True)
class Reported:
    """A rollout whose page is made; what the index page says of it.

    Attributes:
        title, outcome, headline, level: in words; level is good, note, warn or bad.
        success: bool or None.
        details: as recorded.
        figures: `Figures`.
        head, digest, mode: of the policy and the executor.
        complete: 'true' or why not.
        still: JPEG, b'' where no camera is on record.
        page: HTML text.
    """

    title: str
    outcome: str
    headline: str
    level: str
    success: bool | None
    details: dict
    figures: object
    head: str
    digest: str
    mode: str
    complete: str
    still: bytes
    page: str


def report_rollout(rollout, title=None, index='', before='', after=''):
    """`Reported` of a `RecordedRollout`.

    Args:
        rollout: as `RecordedRollout.load` returns it.
        title: default: the bag's name.
        index, before, after: links to other pages, '' for none.
    """
    material = Material(rollout)
    figures, events = figures_of(material), events_of(material)
    film, trouble = film_of(material)
    scene, scene_note = scene_of(material)
    title = title or material.name
    outcome = outcome_text(material.bag)
    first = headline(material)
    opening = material.acted_until if first.seconds is None else first.seconds
    head, digest, checkpoint = policy_of(material)
    mode = next((status.mode for status in reversed(material.statuses) if status.mode), '')
    page = page_templates(TEMPLATES).get_template('rollout.html.j2').render(
        title=title, outcome=outcome, headline=first, story=story(material, figures, events),
        remarks=recording(material, film) + trouble, index=index, before=before, after=after,
        facts=facts(material, figures, head, digest, checkpoint, mode), film=film, has_scene=scene is not None,
        scene_note=scene_note, histograms=histograms(material, figures), jitter=jitter(material), events=events,
        topics=sorted(material.bag.topics.items()), parameters=parameters(rollout.parameters),
        changes=[(material.logged(at), node, name, shown(to)) for at, node, name, to in rollout.parameter_changes],
        data=contents(material, events, film, scene, opening))
    bag = material.bag
    return Reported(title, outcome, first.text, first.level, bag.success, bag.details, figures, head, digest, mode,
                    bag.complete, film.still if film else b'', page)


def film_of(material):
    """(`Film` or None, list of `Point`s that say why there is none though cameras are on record)."""
    try:
        return make_film(material.cameras, material.images, material.seconds), []
    except FilmError as error:
        return None, [Point(WARN, f'The film of the cameras could not be made: {error}.')]


def outcome_text(bag):
    """The outcome as a word or two; 'not judged' where there is none."""
    return bag.outcome or {True: 'success', False: 'failure', None: 'not judged'}[bag.success]


def policy_of(material):
    """(head, digest, checkpoint) from what is on record, '' where it is not."""
    rollout = material.rollout
    info = rollout.infos[-1].message if rollout.infos else None
    chunk = rollout.chunks[-1] if rollout.chunks else None
    head = info.head if info else chunk.head if chunk else ''
    digest = info.checkpoint_digest if info else chunk.digest if chunk else ''
    return head, digest or material.bag.custom.get('checkpoint_digest', ''), info.checkpoint if info else ''


def facts(material, figures, head, digest, checkpoint, mode):
    """List of (name, value) for the head of the page."""
    details, final = material.bag.details, material.final()
    counters = final.counters if final else {}
    median, high = figures.latency
    response = figures.response
    return [
        ('Seed', shown(details.get('seed', NONE))), ('Task', material.rollout.task or NONE),
        ('Head', head or NONE), ('Checkpoint digest', digest or NONE),
        ('Checkpoint', Path(checkpoint).name or checkpoint or NONE), ('Mode', mode or NONE),
        ('Duration', number(figures.seconds, '.1f', 's')), ('Side', figures.side or NONE),
        ('Smoothness', degrees(figures.smoothness)), ('Seam ratio', number(figures.seam_ratio)),
        ('Inference p50 / p95', f'{milliseconds(1e3 * median)} / {milliseconds(1e3 * high)}'),
        ('Request to chunk', f'{milliseconds(1e3 * response[0])} / {milliseconds(1e3 * response[1])}'),
        ('Chunks', count(figures.chunks)), ('Accepted', count(counters.get('accepted'))),
        ('Rejected', count(figures.rejected)), ('Takeovers', count(figures.takeovers)),
        ('Evaluations per chunk', number(figures.evaluations, '.1f')),
        ('Blended per tick', number(counters.get('overlap'))),
        ('Underruns', count(figures.underruns)), ('Starved', number(figures.starved, '.2f', 's')),
        ('Rows skipped', count(figures.skipped)), ('Ticks clamped', count(figures.clamped)),
        ('Ticks', count(figures.ticks)), ('Ticks missed', count(figures.missed)),
        ('Recording', 'complete' if material.bag.complete == 'true' else material.bag.complete),
    ]


def jitter(material):
    """A sentence on the control clock, as the executor itself measured it."""
    found = [diagnosis.values for diagnosis in material.diagnoses if diagnosis.name.endswith(': control')]
    final = material.final()
    parts = []
    if final:
        off, cycle = 1e3 * final.counters['jitter_p99'], 1e3 * final.counters['cycle_p95']
        parts.append(f'the tick was off its period by {off:.1f} ms (p99), a cycle of read, step and write took '
                     f'{cycle:.1f} ms (p95)')
    last = found[-1] if found else {}
    if 'jitter max (ms)' in last and 'cycle max (ms)' in last:
        parts.append(f'at most {last["jitter max (ms)"]} and {last["cycle max (ms)"]} ms since it started')
    if 'missed ticks' in last and 'bus errors' in last:
        missed, errors = plural(last['missed ticks'], 'tick'), plural(last['bus errors'], 'bus error')
        parts.append(f'{missed} missed and {errors} since then')
    about = ('The solid line is the median, the dashed one the 95th percentile. Time between ticks is as the recorder '
             'received them, transport included.')
    return f'{about} As the executor measured it, {"; ".join(parts)}.' if parts else about


def parameters(nodes):
    """List of (node, list of (name, value as text)), sorted."""
    return [(node, sorted((name, shown(value)) for name, value in values.items()))
            for node, values in sorted(nodes.items())]


def shown(value):
    """A parameter's value as text."""
    if isinstance(value, float):
        return f'{value:g}'
    if isinstance(value, (list, tuple)):
        return ', '.join(map(shown, value))
    return str(value)
