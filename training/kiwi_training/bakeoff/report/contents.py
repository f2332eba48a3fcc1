"""The report's sections, in their order, from a `Source`."""

from functools import cache

from kiwi_training.bakeoff.report import findings, provenance
from kiwi_training.bakeoff.report.blocks import Absent, Figure, FilmClip, Films, Points, Section, Table
from kiwi_training.bakeoff.report.canvas import montage
from kiwi_training.bakeoff.report.plots import dots, matrix, requery, success_latency, top_view
from kiwi_training.bakeoff.report.poster import poster
from kiwi_training.bakeoff.report.table import detail_table, head_table, name
from kiwi_training.bakeoff.report.text import (
    count,
    degrees,
    interval,
    known,
    listing,
    number,
    p_value,
    plural,
    sides,
    tally,
)

TRACE = ('xy', 'side', 'success')
CHUNKS = ('tips', 'cube')


def contents(source):
    """(list of `Section`, list of `Absent`) of a `Source`."""
    parts = [make(source) for make in (
        decision, heads, success_against_latency, smoothness, latency, rollouts, chunks, films, executors, asked_again,
        noise, forced_fork, latent, paired, provenance.section)]
    return ([part for part in parts if isinstance(part, Section)],
            [part for part in parts if isinstance(part, Absent)])


def decision(source):
    """The sentence, the rule, every candidate's verdict."""
    decided = source.summary['decision']
    if not decided['sentence']:
        return Absent('Decision', 'no rule was applied to these figures; the table and its intervals are all there is.')
    rule = decided['rule'] if isinstance(decided['rule'], list) else [decided['rule']] if decided['rule'] else []
    blocks = [Points([str(item) for item in rule], ordered=True)] if rule else []
    candidates = [entry for entry in decided['candidates'] or () if isinstance(entry, dict)]
    if candidates:
        rows = [[str(entry.get(key) or '') for key in ('head', 'verdict', 'reason')] for entry in candidates]
        blocks.append(Table(('head', 'verdict', 'why'), rows, left=('verdict', 'why'), strong=frozenset(
            index for index, entry in enumerate(candidates) if entry.get('head') == decided['head'])))
    return Section('decision', 'Decision', [str(decided['sentence'])], blocks,
                   'The rule, in the order in which it is applied, and what it says of each head:' if rule else '')


def heads(source):
    """The table."""
    rows = source.summary['rows']
    if not rows:
        return Absent('Heads', 'the summary has no rows.')
    trials = sorted({int(row['trials']) for row in rows if known(row['trials'])})
    about = (f'{listing(trials)} rollouts per head. ' if trials else '') + (
        'Smoothness is the mean |Δ²a| of the executed action over time and the five arm joints, in degrees; '
        'evaluations per chunk are counted; latency is the median time of a chunk.')
    if any(known(row['left_share']) for row in rows):
        trials = sorted({int(row['coverage_trials']) for row in rows if known(row['coverage_trials'])})
        about += f' Left/right and its entropy: {listing(trials)} rollouts from one fixed start.' if trials else (
            ' Left/right and its entropy: rollouts from one fixed start.')
    if any(row['stock'] for row in rows):
        about += " Stock: LeRobot's own policy type."
    return Section('heads', 'Heads', [], [head_table(source.summary), detail_table(source.summary)],
                   about)


def success_against_latency(source):
    """The plot of the trade."""
    summary = source.summary
    rows, title = success_latency.drawable(summary['rows']), 'Success against latency'
    if not rows:
        return Absent(title, 'no head has both a success rate and a latency.')
    figure = Figure(
        'success-latency', 'Success rate of each head over its latency per chunk, with 95 % intervals',
        'Bars are 95 % Wilson intervals. Up is better, left is faster.',
        lambda layout: success_latency.draw(rows, layout, summary['decision']['head']))
    return Section('success-latency', title, findings.success_latency(rows), [figure])


def smoothness(source):
    """Jerk per head."""
    rows = findings.measured(source.summary['rows'], 'smoothness')
    if not rows:
        return Absent('Smoothness', 'no executed actions were recorded.')
    seeds = any(len(row['per_seed'] or ()) > 1 for row in rows)
    figure = Figure('smoothness', 'Smoothness of each head',
                    'Mean over all rollouts of a head.' + (' Ticks: single training seeds.' if seeds else ''),
                    lambda layout: dots.smoothness(rows, layout))
    return Section('smoothness', 'Smoothness', findings.smoothness(rows), [figure])


def latency(source):
    """Latency per head."""
    rows = [row for row in findings.measured(source.summary['rows'], 'latency_p50_ms') if row['latency_p50_ms'] > 0]
    if not rows:
        return Absent('Latency', 'it was not recorded.')
    figure = Figure('latency', 'Latency of each head, median and 95th percentile',
                    'Dot: median. Bar: up to the 95th percentile. Evaluations of the network per chunk as counted.',
                    lambda layout: dots.latency(rows, layout))
    return Section('latency', 'Latency', findings.latency(rows), [figure])


def rollouts(source):
    """All rollouts from above."""
    scene = source.summary['scene']
    panels = _panels(source, source.summary['rows'], 'path_key', TRACE, top_view.rollouts_panel)
    if not panels:
        return Absent('Rollouts from above', 'no paths were recorded.')
    frame = top_view.Frame.around(scene, [path for panel in panels for path, *_ in panel.strokes])
    caption = ('Path of the cube in every rollout, coloured by the side it passed the post (small disc) on; failures have '
               'no colour and end in a cross. The robot comes from below, the large disc is the goal.')
    return Section('rollouts', 'Rollouts from above', findings.trajectories(
        [(panel.title, top_view.tally(panel)) for panel in panels]),
        [_multiples('rollouts', 'Paths of the cube in all rollouts of each head', caption, panels, frame)])


def chunks(source):
    """Chunks sampled at the fork."""
    scene, title = source.summary['scene'], 'Action chunks at the fork'
    panels = _panels(source, source.summary['rows'], 'overlay_key', CHUNKS,
                     lambda head, trace: top_view.chunks_panel(head, trace, scene))
    if not panels:
        return Absent(title, 'no chunks were sampled from a common observation.')
    frame = top_view.Frame.around(scene, [path for panel in panels for path, *_ in panel.strokes])
    sampled = sorted({len(panel.strokes) for panel in panels})
    caption = (f'{listing(sampled)} chunks per head, all sampled from the same observation: the cube (square) has just '
               f'been lifted. Lines are where each chunk would lead the fingertips; those without colour run into the post.')
    return Section('chunks', title, findings.chunks([(panel.title, top_view.tally(panel)) for panel in panels]),
                   [_multiples('chunks', 'Chunks sampled at the fork, from above', caption, panels, frame)])


def films(source):
    """A film per head; the page only."""
    found = [(name(row), source.film(row['film'])) for row in source.summary['rows']]
    clips = [FilmClip(caption, content, poster(content)) for caption, content in found if content]
    if not clips:
        return Absent('Films', 'none were taken.')
    return Section('films', 'Films', [], [Films(clips)], 'One rollout of each head.')


def executors(source):
    """Executor modes against heads."""
    entries, title = source.summary['executors'], 'Executor modes'
    if not entries:
        return Absent(title, 'every rollout ran in one mode.')
    table = Table(
        ('head', 'executor', 'success', '95 % interval', 'smoothness', 'seam ratio', 'underruns', 'starved', 'left/right'),
        [[e['head'], e['executor'], tally(e), interval(e), degrees(e['smoothness']),
          number(e['seam_ratio']), count(e['underruns']), number(e['starved_seconds'], '.1f', 's'),
          sides(e['left_share'])] for e in entries], left=('executor',), fold='All figures')
    figure = Figure('executors', 'Success and smoothness of each head in each executor mode',
                    'Bold: the best mode of each head. Seams: motion at takeovers over motion inside chunks, 95th '
                    'percentiles; 1 is seamless.', lambda layout: matrix.draw(entries, layout))
    return Section('executors', title, findings.executors(entries), [figure, table], _trials(entries))


def asked_again(source):
    """The lab's gotcha: re-querying after too few actions."""
    entries, title = source.summary['requery'], "Asking again too early (the lab's gotcha)"
    entries = [entry for entry in findings.measured(entries, 'interval_actions') if entry['interval_actions'] > 0]
    if not entries:
        return Absent(title, 'the interval between chunks was not varied.')
    achieved = bool(findings.measured(entries, 'achieved_actions'))
    table = Table(
        ('head', 'actions between requests', *['achieved'] * achieved, 'success', '95 % interval', 'smoothness',
         'mode switches'),
        [[e['head'], count(e['interval_actions']), *[number(e['achieved_actions'], '.1f')] * achieved, tally(e),
          interval(e), degrees(e['smoothness']), number(e['mode_switches'], '.2f')] for e in entries],
        note='Achieved: what latency made of it.' if achieved else '')
    figure = Figure('requery', 'Success, smoothness and mode switches over the interval between requests',
                    'A mode switch is a new chunk that heads for the other side of the post.',
                    lambda layout: requery.draw(entries, source.summary['rows'], layout))
    return Section('requery', title, findings.requery(entries), [figure, table], _trials(entries))


def noise(source):
    """Noise fresh per chunk or kept for an episode."""
    entries, title = source.summary['noise'], 'Noise kept or fresh'
    if not entries:
        return Absent(title, 'noise was fresh for every chunk.')
    table = Table(
        ('head', 'noise', 'success', '95 % interval', 'smoothness', 'mode switches'),
        [[e['head'], {'chunk': 'fresh per chunk', 'episode': 'kept for the episode'}.get(e['noise'], e['noise']),
          tally(e), interval(e), degrees(e['smoothness']), number(e['mode_switches'], '.2f')] for e in entries],
        left=('noise',))
    return Section('noise', title, findings.noise(entries), [table], _trials(entries))


def forced_fork(source):
    """The control that must fail."""
    entries, title = source.summary['control'], 'Forced fork'
    if not entries:
        return Absent(title, 'the control task was not run.')
    rows = source.summary['rows']
    blocks = []
    if findings.measured(entries, 'success'):
        blocks.append(Figure(
            'forced-fork', 'Success of each head at the forced fork', 'Bars are 95 % Wilson intervals.',
            lambda layout: dots.success(entries, rows, layout, note=_hits)))
    panels = _panels(source, entries, 'path_key', TRACE, top_view.rollouts_panel)
    if panels:
        frame = top_view.Frame.around(source.summary['scene'], [path for p in panels for path, *_ in p.strokes])
        blocks.append(_multiples('forced-fork-rollouts', 'Paths of the cube at the forced fork',
                                 'As above: path of the cube in every rollout.', panels, frame))
    blocks.append(Table(
        ('head', 'success', '95 % interval', 'post hits', 'smoothness', 'left/right', 'side entropy', 'training'),
        [[e['head'], tally(e), interval(e), count(e['post_hits']), degrees(e['smoothness']), sides(e['left_share']),
          number(e['side_entropy'], '.2f', 'bit'), number(e['train_minutes'], '.0f', 'min')] for e in entries]))
    return Section('forced-fork', title, findings.control(entries), blocks,
                   'A control: the side is decided open loop inside one chunk and nothing breaks the tie, so a head that '
                   'predicts the mean must drive into the post. ' + _trials(entries))


def latent(source):
    """Whether the CVAE uses its latent."""
    entries = source.summary['latent']
    if not entries:
        return Absent('Latent collapse', 'no head with a latent was inspected.')
    table = Table(
        ('head', 'task', 'KL weight', 'KL', 'active dimensions', 'error, posterior', 'error, z = 0', 'error, z sampled'),
        [[e['head'], str(e['task'] or ''), number(e['kl_weight'], 'g'), number(e['kl_nats'], '.3g', 'nats'),
          f'{count(e["active_dims"])} of {count(e["latent_dim"])}', number(e['error_posterior'], '.4g'),
          number(e['error_zero'], '.4g'), number(e['error_sample'], '.4g')] for e in entries], left=('task',))
    return Section('latent', 'Latent collapse', findings.latent(entries), [table],
                   'Reconstruction error with the encoder\'s z, with z = 0 and with z ~ N(0, I): where all three are equal '
                   'the decoder ignores z.')


def paired(source):
    """McNemar's test per pair."""
    entries = source.summary['pairs']
    if not entries:
        return Absent('Paired tests', 'no two heads were compared on the same starts.')
    held = findings.holm([entry['p_value'] if known(entry['p_value']) else 1.0 for entry in entries])
    table = Table(
        ('a', 'b', 'starts', 'both succeed', 'only a', 'only b', 'neither', 'p', "after Holm's correction"),
        [[e['a'], e['b'], count(e['trials']), count(e['both']), count(e['only_a']), count(e['only_b']),
          count(e['neither']), p_value(e['p_value']), 'differ' if differ else 'not told apart']
         for e, differ in zip(entries, held)], left=('b', "after Holm's correction"))
    return Section('pairs', 'Paired tests', findings.pairs(entries), [table],
                   "McNemar's exact test on the same starts.")


def _panels(source, entries, key, arrays, make):
    panels = []
    for entry in entries:
        trace = source.trace(entry[key], *arrays)
        if trace is not None and len(trace[arrays[0]]):
            panels.append(make(entry['head'], trace))
    return panels


def _multiples(key, alt, caption, panels, frame):
    @cache
    def drawn():
        return [(panel.title, top_view.draw(panel, frame)) for panel in panels]

    return Figure(key, alt, caption, lambda layout: montage(drawn(), 2 if layout.narrow else 5), drawn)


def _hits(entry):
    return f' · {plural(int(entry["post_hits"]), "post hit")}' if known(entry['post_hits']) else ''


def _trials(entries):
    trials = sorted({int(entry['trials']) for entry in entries if known(entry['trials'])})
    return f'{listing(trials)} rollouts each, from the same starts.' if trials else ''
