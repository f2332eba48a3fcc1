"""One line per head: a figure as a dot, its repetitions as ticks, its value written beside it."""

from kiwi_training.bakeoff.report.families import colour
from kiwi_training.bakeoff.report.plots.success_latency import log_axis, marker
from kiwi_training.report.canvas import sketch
from kiwi_training.report.palette import LIGHT
from kiwi_training.report.text import degrees, evaluations, known, milliseconds, percent, plural

LINE = 0.29
"""Inches per head."""


def smoothness(rows, layout):
    """SVG of the jerk of each row, training seeds as ticks."""
    rows = [row for row in rows if known(row['jerk'])]

    def paint(figure):
        axes = lines(figure, rows)
        for y, row in enumerate(rows):
            for seed in row['per_seed'] or ():
                if known(seed['jerk']):
                    axes.plot(seed['jerk'], y, '|', ms=9, mew=1.2, color=colour(row), alpha=0.6)
            axes.plot([0, row['jerk']], [y, y], color=colour(row), lw=1.2, alpha=0.35)
            axes.plot(row['jerk'], y, marker='s' if row['stock'] else 'o', ms=6.5, color=colour(row))
            beside(axes, _right_end(row), y, degrees(row['jerk']))
        axes.set_xlim(0, 1.22 * max(_right_end(row) for row in rows) or 1)
        axes.set_xlabel('mean |Δ²a| (deg), less is smoother' if layout.narrow
                        else 'smoothness: mean |Δ²a| of the arm joints (deg), less is smoother')

    return sketch(layout.width, 0.75 + LINE * len(rows), paint)


def latency(rows, layout):
    """SVG of the latency of each row, median to 95th percentile, on a log axis."""
    rows = [row for row in rows if known(row['latency_p50_ms']) and row['latency_p50_ms'] > 0]

    def paint(figure):
        axes = lines(figure, rows)
        ends = []
        for y, row in enumerate(rows):
            p50 = row['latency_p50_ms']
            p95 = row['latency_p95_ms'] if known(row['latency_p95_ms']) and row['latency_p95_ms'] > 0 else p50
            ends += [p50, p95]
            axes.plot([p50, p95], [y, y], color=colour(row), lw=2.4, alpha=0.45, solid_capstyle='butt')
            axes.plot(p95, y, '|', ms=9, mew=1.8, color=colour(row))
            axes.plot(p50, y, marker='s' if row['stock'] else 'o', ms=6.5, color=colour(row))
            counted = known(row['evals_per_chunk']) and not layout.narrow
            cost = f' · {plural(evaluations(row["evals_per_chunk"]), "evaluation")}' if counted else ''
            beside(axes, p95, y, f'{milliseconds(p50).removesuffix(" ms")} / {milliseconds(row["latency_p95_ms"])}{cost}')
        log_axis(axes.xaxis, ends, sparse=layout.narrow)
        low, high = axes.get_xlim()
        axes.set_xlim(low, high * (high / low) ** (0.6 if layout.narrow else 0.25))
        axes.set_xlabel('p50 and p95 (ms, log scale)' if layout.narrow
                        else 'latency per chunk, p50 and p95 (ms, log scale)')

    return sketch(layout.width, 0.75 + LINE * len(rows), paint)


def success(entries, rows, layout, note=None):
    """SVG of the success of entries with their intervals.

    Args:
        entries: with head, success, success_low, success_high.
        rows: the table's, for the colour and sign of a head.
        note: callable, entry -> text after the value; None for none.
    """
    entries = [entry for entry in entries if known(entry['success'])]
    known_rows = {row['head']: row for row in rows}

    def paint(figure):
        axes = lines(figure, entries)
        for y, entry in enumerate(entries):
            row = known_rows.get(entry['head'], entry)
            value = 100 * entry['success']
            low, high = (100 * entry[name] if known(entry[name]) else value for name in ('success_low', 'success_high'))
            axes.plot([low, high], [y, y], color=colour(row), lw=2.4, alpha=0.45, solid_capstyle='butt')
            axes.plot(value, y, **marker(row) | {'ms': 6.5})
            beside(axes, max(high, value), y, percent(entry['success']) + (note(entry) if note else ''))
        axes.set_xlim(-2, 190 if layout.narrow and note else 135 if note else 112)
        axes.set_xticks(range(0, 101, 20))
        axes.set_xlabel('success (%), 95 % interval', x=0.0, ha='left')

    return sketch(layout.width, 0.75 + LINE * len(entries), paint)


def lines(figure, rows):
    """Axes with a line per row, its head's name on the left."""
    axes = figure.subplots()
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [row['head'] for row in rows])
    axes.tick_params(axis='y', length=0, labelcolor=LIGHT['ink'], pad=4)
    axes.spines['left'].set_visible(False)
    axes.grid(axis='x')
    return axes


def beside(axes, x, y, text):
    """Text to the right of a mark."""
    axes.annotate(text, (x, y), (7, 0), textcoords='offset points', va='center', fontsize=8, color=LIGHT['quiet'],
                  annotation_clip=False)


def _right_end(row):
    return max([row['jerk'], *(seed['jerk'] for seed in row['per_seed'] or () if known(seed['jerk']))])
