"""Can the policy keep up? Checked before an episode begins."""

import math


LATE = 1 / 3
"""Share of a chunk that a delay may take before mode sync serves better; measured in docs/executor."""


class Infeasible(ValueError):
    """The policy cannot serve the executor as configured; the text names the knob to turn."""


def check_latency(delay, horizon, interval, period, knob):
    """Refuse a policy that answers too late: d <= H - max(s, d) must hold.

    With d the delay in periods, s the rows run between two requests and H the chunk's rows, a
    chunk still has s rows left when it arrives. One request is open at a time, so that a slow policy is
    asked every d rows and each chunk has to last for two delays.

    Args:
        delay: s from request to chunk, 95th percentile.
        horizon: H, rows.
        interval: s between requests.
        period: s between rows.
        knob: name of the setting behind `interval`.

    Returns:
        a warning where the delay is above `LATE` of a chunk, else ''.

    Raises:
        Infeasible: with what to change.
    """
    d, s = math.ceil(delay / period - 1e-9), math.ceil(interval / period - 1e-9)
    if d <= horizon - max(s, d):
        return '' if d <= LATE * horizon else (
            f'the policy needs {delay:.3f} s per chunk (p95), more than a third of the {horizon * period:.2f} s that a '
            f'chunk lasts: the plans in force are old, which often fails; mode sync pauses between chunks instead')
    room = (horizon - d) * period
    if d <= horizon - d:
        advice = f'set {knob} to {room:.3f} s or less'
    else:
        advice = 'no interval is short enough'
    raise Infeasible(
        f'the policy needs {delay:.3f} s per chunk (p95), {d} periods, but a chunk of {horizon} rows asked for '
        f'every {interval:.3f} s leaves it {horizon - s}: {advice}, or use fewer denoising steps, a longer '
        f'horizon, a faster machine, or mode sync')
