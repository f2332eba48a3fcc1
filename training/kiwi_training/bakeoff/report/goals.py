"""What flow is to reach beside the other heads, checked against the figures of a summary."""

from dataclasses import dataclass

from kiwi_training.bakeoff.report.pairing import SIGNIFICANT, pair_of
from kiwi_training.bakeoff.report.sides import is_multimodal, least_share
from kiwi_training.report.text import count, degrees, known, listing, milliseconds, p_value, percent, tally

CVAE_FACTOR = 3
"""Flow may take so many times a CVAE's latency."""


@dataclass(frozen=True)
class Goal:
    """A goal, whether it is met, and the figures that say so."""

    what: str
    met: bool
    figures: str


def goals(summary):
    """The `Goal`s of a normalised summary that its rows allow to judge."""
    flow = flow_row(summary)
    if flow is None:
        return []
    found = [_success(flow, summary), _faster(flow, _fastest(summary, 'act'), 1, "LeRobot's ACT"),
             _faster(flow, _fastest(summary, 'kiwi_cvae'), CVAE_FACTOR, 'the CVAE'), _smoothest(flow, summary['rows'])]
    return [goal for goal in found if goal is not None]


def flow_row(summary):
    """The row of flow the goals are about, None without one.

    The decision's head where that is flow; else flow's most successful row, of those that take both sides
    where there are any.
    """
    rows = _rows(summary, 'kiwi_flow')
    chosen = [row for row in rows if row['head'] == (summary.get('decision') or {}).get('head')]
    both = [row for row in rows if is_multimodal(row, least_share(summary.get('config') or {}))]
    return _best(chosen or both or rows)


def diffusion_row(summary):
    """The most successful row of diffusion, None without one."""
    return _best(_rows(summary, 'kiwi_diffusion'))


def _rows(summary, policy):
    return [row for row in summary['rows'] if row.get('policy') == policy and known(row.get('success'))]


def _best(rows):
    return max(rows, key=lambda row: (row['success'], -_latency(row)), default=None)


def _latency(row):
    return row['latency_p50_ms'] if known(row.get('latency_p50_ms')) else float('inf')


def _fastest(summary, policy):
    rows = [row for row in summary['rows'] if row['policy'] == policy and known(row['latency_p50_ms'])]
    return min(rows, key=_latency, default=None)


def _success(flow, summary):
    diffusion = diffusion_row(summary)
    pair = diffusion and pair_of(summary['pairs'], flow['head'], diffusion['head'])
    if pair is None or not (known(pair['only_a']) and known(pair['only_b'])):
        return None
    figures = f'{_rate(flow)} against {_rate(diffusion)}; {_tested(pair, "starts")}'
    pooled = pair['pooled']
    if isinstance(pooled, dict) and known(pooled.get('p_value')):
        seeds = len(pooled['seeds'])
        figures += f'; {_tested(pooled, f"rollouts over {seeds} training seeds")}'
    else:
        pooled = pair
    side = 'a' if pair['a'] == flow['head'] else 'b'
    other = 'b' if side == 'a' else 'a'
    below = pooled[f'only_{side}'] < pooled[f'only_{other}'] and pooled['p_value'] < SIGNIFICANT
    return Goal(f'The success of {flow["head"]} is not below that of {diffusion["head"]} beyond noise', not below,
                figures)


def _rate(row):
    return f'{percent(row["success"], 1)} ({tally(row)})'


def _tested(pair, of):
    p = p_value(pair['p_value'])
    return f'p {p if p.startswith("<") else f"= {p}"} over {count(pair["trials"])} {of}'


def _faster(flow, other, factor, whose):
    if other is None or not known(flow['latency_p50_ms']):
        return None
    limit = factor * other['latency_p50_ms']
    times = f'{factor} times ' if factor != 1 else ''
    return Goal(f'The median latency of {flow["head"]} is at most {times}that of {whose}',
                flow['latency_p50_ms'] <= limit,
                f'{milliseconds(flow["latency_p50_ms"])} against {times}{milliseconds(other["latency_p50_ms"])} of '
                f'{other["head"]}')


def _smoothest(flow, rows):
    what = f'{flow["head"]} is the smoothest of the heads that take both sides'
    if flow['multimodal'] is None or not known(flow['jerk']):
        return None
    if not flow['multimodal']:
        return Goal(what, False, 'it does not take both sides')
    others = sorted((row for row in rows if row['multimodal'] and row is not flow and known(row['jerk'])),
                    key=lambda row: row['jerk'])
    if not others:
        return Goal(what, True, f'{degrees(flow["jerk"])}; no other head takes both sides')
    smoother = [row['head'] for row in others if row['jerk'] < flow['jerk']]
    figures = f'{degrees(flow["jerk"])}, the best of the others {degrees(others[0]["jerk"])} ({others[0]["head"]})'
    return Goal(what, not smoother, figures + (f'; smoother: {listing(smoother)}' if smoother else ''))
