"""The report's sections, in their order, from a `Source`."""

from kiwi_training.bakeoff.report import findings, provenance, studies
from kiwi_training.bakeoff.report.blocks import Absent, Figure, FilmClip, Films, Points, Section, Table
from kiwi_training.bakeoff.report.goals import goals as judge
from kiwi_training.bakeoff.report.panels import CHUNKS, TRACE, multiples, panels_of
from kiwi_training.bakeoff.report.plots import dots, success_latency, top_view
from kiwi_training.bakeoff.report.poster import poster
from kiwi_training.bakeoff.report.table import detail_table, head_table, name, of_seed, several_seeds
from kiwi_training.report.text import known, listing, plural


def contents(source):
    """(list of `Section`, list of `Absent`) of a `Source`."""
    parts = [make(source) for make in (
        decision, goals, heads, success_against_latency, smoothness, latency, rollouts, chunks, films, studies.executors,
        studies.asked_again, studies.noise, studies.forced_fork, studies.latent, studies.paired, provenance.section)]
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


def goals(source):
    """What flow is to reach, yes or no."""
    found = judge(source.summary)
    if not found:
        return Absent('Goals', 'there is no row of flow, or none to compare it with.')
    table = Table(('goal', 'met', 'figures'), [[goal.what, 'yes' if goal.met else 'no', goal.figures] for goal in found],
                  left=('met', 'figures'))
    met = sum(goal.met for goal in found)
    return Section('goals', 'Goals', [f'{met} of {plural(len(found), "goal")} met.'], [table])


def heads(source):
    """The table."""
    rows = source.summary['rows']
    if not rows:
        return Absent('Heads', 'the summary has no rows.')
    trials = sorted({int(row['trials']) for row in rows if known(row['trials'])})
    about = (f'{listing(trials)} rollouts per head{of_seed(rows)}. ' if trials else '') + (
        'Smoothness is the mean |Δ²a| of the executed action over time and the five arm joints, in degrees, over the '
        'successful rollouts (all where none succeeded): to stand still until time runs out is not smooth. '
        'Evaluations per chunk are counted; latency is the median time of a chunk.')
    if any(several_seeds(row) for row in rows):
        about += (' Over seeds: the lowest and the highest success among networks trained from several seeds; the 95 % '
                  'interval knows the starts of one of them only.')
    if any(known(row['left_share']) for row in rows):
        trials = sorted({int(row['coverage_trials']) for row in rows if known(row['coverage_trials'])})
        about += f' Left/right and its entropy: {listing(trials)} rollouts from one fixed start.' if trials else (
            ' Left/right and its entropy: rollouts from one fixed start.')
    if any(row['stock'] for row in rows):
        about += " Stock: LeRobot's own policy type."
    if any('diffusion' in str(row['policy']) for row in rows):
        about += (' Diffusion, ours and stock, scales actions to −1 .. 1 by their least and greatest value, which its '
                  'sampler clips to; the others scale them by mean and standard deviation, ours with a floor under the '
                  'latter. So diffusion differs from the other heads in more than the head.')
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
    return Section('success-latency', title, findings.success_latency(rows, summary['pairs']), [figure])


def smoothness(source):
    """Jerk per head."""
    rows = findings.measured(source.summary['rows'], 'jerk')
    if not rows:
        return Absent('Smoothness', 'no executed actions were recorded.')
    seeds = any(len(row['per_seed'] or ()) > 1 for row in rows)
    caption = 'Mean over the successful rollouts of a head, over all where none succeeded.'
    figure = Figure('smoothness', 'Smoothness of each head',
                    caption + (' Ticks: single training seeds.' if seeds else ''),
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
    return Section('latency', 'Latency', findings.latency(rows), [figure],
                   'Measured in one process on an otherwise idle machine, all heads in turn, and played back in the '
                   "rollouts. In the ROS graph, where the simulation or the robot's drivers share the cores, chunks "
                   'arrive later.')


def rollouts(source):
    """All rollouts from above."""
    scene = source.summary['scene']
    panels = panels_of(source, source.summary['rows'], 'path_key', TRACE, top_view.rollouts_panel)
    if not panels:
        return Absent('Rollouts from above', 'no paths were recorded.')
    frame = top_view.Frame.around(scene, [path for panel in panels for path, *_ in panel.strokes])
    caption = ('Path of the cube in every rollout, coloured by the side it passed the post (small disc) on; failures have '
               'no colour and end in a cross. The robot comes from below, the large disc is the goal.')
    return Section('rollouts', 'Rollouts from above', findings.trajectories(
        [(panel.title, top_view.tally(panel)) for panel in panels]),
        [multiples('rollouts', 'Paths of the cube in all rollouts of each head', caption, panels, frame)])


def chunks(source):
    """Chunks sampled at the fork."""
    scene, title = source.summary['scene'], 'Action chunks at the fork'
    panels = panels_of(source, source.summary['rows'], 'overlay_key', CHUNKS,
                     lambda head, trace: top_view.chunks_panel(head, trace, scene))
    if not panels:
        return Absent(title, 'no chunks were sampled from a common observation.')
    frame = top_view.Frame.around(scene, [path for panel in panels for path, *_ in panel.strokes])
    sampled = sorted({len(panel.strokes) for panel in panels})
    caption = (f'{listing(sampled)} chunks per head, all sampled from the same observation: the cube (square) has just '
               f'been lifted. Lines are where each chunk would lead the fingertips; those without colour run into the post.')
    return Section('chunks', title, findings.chunks([(panel.title, top_view.tally(panel)) for panel in panels]),
                   [multiples('chunks', 'Chunks sampled at the fork, from above', caption, panels, frame)])


def films(source):
    """A film per head; the page only."""
    found = [(name(row), source.film(row['film'])) for row in source.summary['rows']]
    clips = [FilmClip(caption, content, poster(content)) for caption, content in found if content]
    if not clips:
        return Absent('Films', 'none were taken.')
    return Section('films', 'Films', [], [Films(clips)], 'One rollout of each head.')
