"""Which head to ship: a rule, and what it says of every row of a summary.

Works on the summary alone, so that the same table always gives the same decision.
"""

import math

from kiwi_training.bakeoff.figures import takes_both_sides
from kiwi_training.bakeoff.inspection import PERIOD

FAILS_CONTROL = 'fails the control'


def decide(summary, settings):
    """The decision on a summary.

    Args:
        summary: dict with `rows`, `control` and `pairs`; see the report's documentation.
        settings: `sections.Decision`.

    Returns:
        {head, sentence, rule, candidates}; head is None where no row qualifies.
    """
    rows = summary['rows']
    best = best_feasible(rows)
    verdicts = {row['head']: _judge(row, best, summary, settings) for row in rows}
    fit = [row for row in rows if verdicts[row['head']] is None]
    chosen = _fastest(fit, settings.tie)
    candidates = [_candidate(row, verdicts[row['head']], chosen, settings) for row in rows]
    return {'head': chosen['head'] if chosen else None, 'sentence': _sentence(chosen, summary, verdicts),
            'rule': rule(settings), 'candidates': candidates}


def rule(settings):
    """The rule, one sentence per step."""
    return [
        'Feasible: the p95 latency, in control periods, leaves room in the chunk: d <= H - max(s, d), with H rows and a '
        'request every s rows.',
        f'Multimodal: from one fixed start at least {settings.min_side_share:.0%} of the rollouts pass the post on '
        'either side, and the forced fork, where it is part of the bake-off, succeeds in at least '
        f'{settings.control_success:.0%} with this very sampling.',
        "Good enough: success is not below the best feasible row's beyond noise (McNemar's exact test on paired "
        f'starts, at least {settings.min_pairs} of them, p >= {settings.alpha:g}, not corrected for the number of rows).',
        f'Among these the lowest median latency ships; latencies within {settings.tie:.0%} of it count as equal, and '
        'the smoothest of them ships.',
    ]


def room(row):
    """Control periods a row's chunk has left for its latency, and the periods it takes (p95)."""
    taken = math.ceil(row['latency_p95_ms'] / 1e3 / row.get('period', PERIOD) - 1e-9)
    return row['horizon'] - max(row['replan_rows'], taken), taken


def feasible(row):
    """True where d <= H - max(s, d)."""
    left, taken = room(row)
    return taken <= left


def best_feasible(rows):
    """The feasible row of the highest success, the faster of two equal ones; None where none is feasible."""
    fit = [row for row in rows if row['success'] is not None and feasible(row)]
    return max(fit, key=lambda row: (row['success'], -row['latency_p50_ms']), default=None)


def _judge(row, best, summary, settings):
    """Why a row does not qualify, None where it does: (verdict, reason)."""
    left, taken = room(row)
    if taken > left:
        return 'infeasible', f'its p95 latency takes {taken} periods where its chunk leaves {left}'
    if row['success'] is None:
        return 'unknown', 'it was not rolled out'
    why = _not_multimodal(row, summary, settings)
    if why is not None:
        return why
    if row is best or row['success'] >= best['success']:
        return None
    pair = _pair(summary, best['head'], row['head'])
    if pair is None or pair['trials'] < settings.min_pairs:
        shared = 0 if pair is None else pair['trials']
        return 'not compared', (f'it shares {shared} starts with {best["head"]}, the best feasible row; '
                                f'{settings.min_pairs} are needed to tell it from noise')
    if pair['p_value'] < settings.alpha:
        return 'worse', (f'{_percent(row["success"])} against {_percent(best["success"])} of {best["head"]}, '
                         f'p = {pair["p_value"]:.2g} over {pair["trials"]} paired starts')
    return None


def _not_multimodal(row, summary, settings):
    trials = row.get('coverage_trials')
    if not trials:
        return 'unknown', 'its sides from one fixed start were not measured'
    if not takes_both_sides(row['left'], row['right'], trials, settings.min_side_share):
        return 'unimodal', (f'from one fixed start {row["left"]} rollouts went left and {row["right"]} right '
                            f'of {trials}')
    if not summary.get('control'):
        return None
    control = _control_of(row, summary)
    if control is None:
        return 'unknown', 'it was not run at the forced fork, others were'
    if control['success'] < settings.control_success:
        return FAILS_CONTROL, f'the forced fork succeeds in {_percent(control["success"])} only'
    return None


def _fastest(rows, tie):
    if not rows:
        return None
    limit = min(row['latency_p50_ms'] for row in rows) * (1 + tie)
    return min((row for row in rows if row['latency_p50_ms'] <= limit),
               key=lambda row: (_smoothness(row), row['latency_p50_ms']))


def _candidate(row, failed, chosen, settings):
    if failed is not None:
        verdict, reason = failed
    elif row is chosen:
        verdict, reason = 'ships', f'the lowest latency that qualifies: {row["latency_p50_ms"]:.0f} ms'
    elif row['latency_p50_ms'] <= chosen['latency_p50_ms'] * (1 + settings.tie):
        verdict, reason = 'qualifies', (f'as fast as {chosen["head"]} within {settings.tie:.0%}, not as smooth: '
                                        f'{_smoothness(row):.3f} deg against {_smoothness(chosen):.3f}')
    else:
        verdict, reason = 'qualifies', (f'{row["latency_p50_ms"]:.0f} ms, {chosen["head"]} needs '
                                        f'{chosen["latency_p50_ms"]:.0f} ms')
    return {'head': row['head'], 'verdict': verdict, 'reason': reason}


def _sentence(chosen, summary, verdicts):
    if chosen is None:
        return ('Ship none of these: no row keeps up with its latency, takes both sides of the fork and succeeds as '
                'often as the best feasible one, all at once; each verdict says what is missing.')
    text = (f'Ship {chosen["head"]}: it takes both sides of the fork ({chosen["left"]} left and {chosen["right"]} '
            f'right from one start')
    control = _control_of(chosen, summary)
    text += f', {_percent(control["success"])} at the forced fork)' if control is not None else ')'
    text += f' at {chosen["latency_p50_ms"]:.0f} ms per chunk'
    failed = {head: verdict[0] for head, verdict in verdicts.items() if verdict is not None}
    single = [row for row in summary['rows'] if failed.get(row['head']) in ('unimodal', FAILS_CONTROL)
              and row['latency_p50_ms'] < chosen['latency_p50_ms']]
    if single:
        fastest = min(single, key=lambda row: row['latency_p50_ms'])
        text += (f', which is what its multimodality costs over the {fastest["latency_p50_ms"]:.0f} ms of '
                 f'{fastest["head"]}, which is not multimodal')
    other = max((row for row in summary['rows'] if row is not chosen and row['family'] != chosen['family']
                 and row['success'] is not None
                 and failed.get(row['head']) not in ('unimodal', FAILS_CONTROL, 'unknown')),
                key=lambda row: (row['success'], row['latency_p50_ms']), default=None)
    if other is not None:
        text += (f'; {other["head"]} reaches {_percent(other["success"])} against {_percent(chosen["success"])} '
                 f'for {other["latency_p50_ms"]:.0f} ms')
    return text + '.'


def _control_of(row, summary):
    """The row's own forced fork, None where it was not run."""
    return next((entry for entry in summary.get('control') or [] if entry['head'] == row['head']), None)


def _pair(summary, a, b):
    return next((pair for pair in summary['pairs'] if {pair['a'], pair['b']} == {a, b}), None)


def _smoothness(row):
    """Of its successes: who stands still before the post is not smooth."""
    return math.inf if row['smoothness_successes'] is None else row['smoothness_successes']


def _percent(share):
    return f'{100 * share:.1f} %'
