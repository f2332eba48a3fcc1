"""The sections on what was varied beside the head, and on what tells heads apart."""

from kiwi_training.bakeoff.report import findings
from kiwi_training.bakeoff.report.blocks import Absent, Figure, Section, Table
from kiwi_training.bakeoff.report.pairing import holm
from kiwi_training.bakeoff.report.panels import TRACE, multiples, panels_of
from kiwi_training.bakeoff.report.plots import dots, matrix, requery, top_view
from kiwi_training.bakeoff.report.table import of_seed, underruns
from kiwi_training.report.text import (
    NONE,
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


def executors(source):
    """Executor modes against heads."""
    entries, title = source.summary['executors'], 'Executor modes'
    if not entries:
        return Absent(title, 'every rollout ran in one mode.')
    table = Table(
        ('head', 'executor', 'success', '95 % interval', 'smoothness', 'seam ratio', 'underruns', 'starved',
         'left/right'),
        [[e['head'], e['executor'], tally(e), interval(e), degrees(e['jerk']),
          number(e['seam_ratio']), underruns(e), number(e['starved_seconds'], '.1f', 's'),
          sides(e['left_share'])] for e in entries], left=('executor',), fold='All figures',
        note='Mode sync waits for every chunk: its pauses are time starved, no underruns, and count as smooth.')
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
    table = Table(
        ('head', 'actions executed', 'success', '95 % interval', 'smoothness', 'mode switches'),
        [[e['head'], count(e['interval_actions']), tally(e), interval(e), degrees(e['jerk']),
          number(e['mode_switches'], '.2f')] for e in entries])
    figure = Figure('requery', 'Success, smoothness and mode switches over the actions executed per chunk',
                    'A mode switch is a new chunk that heads for the other side of the post.',
                    lambda layout: requery.draw(entries, source.summary['rows'], layout))
    return Section('requery', title, findings.requery(entries), [figure, table],
                   'Of each chunk so many actions are executed, then the next is asked for from the newest observation: '
                   'executor mode sync without latency, so that nothing holds a chunk back. ' + _trials(entries))


def noise(source):
    """Noise fresh per chunk or kept for an episode."""
    entries, title = source.summary['noise'], 'Noise kept or fresh'
    if not entries:
        return Absent(title, 'noise was fresh for every chunk.')
    table = Table(
        ('head', 'noise', 'success', '95 % interval', 'smoothness', 'mode switches'),
        [[e['head'], {'chunk': 'fresh per chunk', 'episode': 'kept for the episode'}.get(e['noise'], e['noise']),
          tally(e), interval(e), degrees(e['jerk']), number(e['mode_switches'], '.2f')] for e in entries],
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
    panels = panels_of(source, entries, 'path_key', TRACE, top_view.rollouts_panel)
    if panels:
        frame = top_view.Frame.around(source.summary['scene'], [path for p in panels for path, *_ in p.strokes])
        blocks.append(multiples('forced-fork-rollouts', 'Paths of the cube at the forced fork',
                                 'As above: path of the cube in every rollout.', panels, frame))
    blocks.append(Table(
        ('head', 'success', '95 % interval', 'post hits', 'smoothness', 'left/right', 'side entropy', 'training'),
        [[e['head'], tally(e), interval(e), count(e['post_hits']), degrees(e['jerk']), sides(e['left_share']),
          number(e['side_entropy'], '.2f', 'bit'), number(e['train_minutes'], '.0f', 'min')] for e in entries]))
    return Section('forced-fork', title, findings.control(entries), blocks,
                   'A control: the side is decided open loop inside one chunk and nothing breaks the tie, so a head that '
                   'predicts the mean must drive into the post. ' + _trials(entries))


def latent(source):
    """Whether the CVAE uses its latent."""
    entries = source.summary['latent']
    if not entries:
        return Absent('Latent collapse', 'no head with a latent was inspected.')
    rows = []
    for e in entries:
        rows.append([e['head'], str(e['task'] or ''), number(e['kl_weight'], 'g'), *_divergence(e, ''),
                     f'{count(e["active_dims"])} of {count(e["latent_dim"])}'])
        if known(e['kl_nats_fork']):
            rows.append([e['head'], ', '.join(filter(None, (e['task'], 'first frames'))), number(e['kl_weight'], 'g'),
                         *_divergence(e, '_fork'), NONE])
    table = Table(('head', 'task', 'KL weight', 'KL', 'error, posterior', 'error, z = 0', 'error, z sampled',
                   'active dimensions'), rows, left=('task',))
    return Section('latent', 'Latent collapse', findings.latent(entries), [table],
                   "On held-out episodes. Reconstruction error with the encoder's z, with z = 0 and with z ~ N(0, I): "
                   'where all three are equal the decoder ignores z. Most frames already show the side; the first frame of '
                   'an episode of the forced fork, its fork, does not.')


def paired(source):
    """McNemar's test per pair."""
    entries = source.summary['pairs']
    if not entries:
        return Absent('Paired tests', 'no two heads were compared on the same starts.')
    held = holm([entry['p_value'] if known(entry['p_value']) else 1.0 for entry in entries])
    table = Table(
        ('a', 'b', 'starts', 'both succeed', 'only a', 'only b', 'neither', 'p', "after Holm's correction"),
        [[e['a'], e['b'], count(e['trials']), count(e['both']), count(e['only_a']), count(e['only_b']),
          count(e['neither']), p_value(e['p_value']), 'differ' if differ else 'no difference shown']
         for e, differ in zip(entries, held)], left=('b', "after Holm's correction"))
    pooled = findings.pooled_pairs(entries)
    about = f"McNemar's exact test on the same starts{of_seed(source.summary['rows'])}."
    if pooled:
        about += (' Sums over training seeds pair seed with seed; the test on them takes every rollout as independent, '
                  'though those of one network are not.')
    return Section('pairs', 'Paired tests', findings.pairs(entries) + pooled, [table], about)


def _divergence(entry, where):
    return [number(entry[f'kl_nats{where}'], '.3g', 'nats'),
            *(number(entry[f'error_{z}{where}'], '.4g') for z in ('posterior', 'zero', 'sample'))]


def _hits(entry):
    return f' · {plural(int(entry["post_hits"]), "post hit")}' if known(entry['post_hits']) else ''


def _trials(entries):
    trials = sorted({int(entry['trials']) for entry in entries if known(entry['trials'])})
    return f'{listing(trials)} rollouts each, from the same starts.' if trials else ''
