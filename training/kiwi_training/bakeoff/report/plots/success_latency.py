"""Success against latency, the trade the decision is about."""

from kiwi_training.bakeoff.report.families import colour
from kiwi_training.bakeoff.report.labels import Label, place_labels
from kiwi_training.report.canvas import sketch
from kiwi_training.report.palette import LIGHT
from kiwi_training.report.text import known

TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)


def drawable(rows):
    """The rows that have both figures."""
    return [row for row in rows if known(row['success']) and known(row['latency_p50_ms']) and row['latency_p50_ms'] > 0]


def draw(rows, layout, chosen=None):
    """SVG of the rows that are drawable; the head `chosen` is written bold."""
    rows = drawable(rows)

    def paint(figure):
        axes = figure.subplots()
        labels = []
        for row in rows:
            x, y = row['latency_p50_ms'], 100 * row['success']
            low, high = (100 * row[name] if known(row[name]) else y for name in ('success_low', 'success_high'))
            axes.plot([x, x], [low, high], color=colour(row), lw=1.4, alpha=0.55, solid_capstyle='butt')
            axes.plot(x, y, **marker(row))
            labels.append(Label(x, y, low, high, row['head'], colour(row), row['head'] == chosen))
        latencies = [row['latency_p50_ms'] for row in rows]
        log_axis(axes.xaxis, latencies, sparse=layout.narrow and max(latencies) > 30 * min(latencies))
        bottom = min(label.low for label in labels)
        axes.set_ylim(max(min(bottom - 4, 90), -3), 101.5)
        axes.set_xlabel('latency per chunk, p50 (ms, log scale)')
        axes.set_ylabel('success (%)')
        axes.grid(axis='y')
        key(figure, rows, layout)
        place_labels(axes, labels, 8.5)

    return sketch(layout.width, 4.6 if layout.narrow else 4.4, paint)


def marker(row):
    """How a row's point is drawn: filled where it takes both sides, hollow where not, a square where stock."""
    face = {True: colour(row), False: LIGHT['paper'], None: LIGHT['rule']}[row['multimodal']]
    return {'marker': 's' if row['stock'] else 'o', 'ms': 7, 'mfc': face, 'mec': colour(row), 'mew': 1.6, 'ls': ''}


def key(figure, rows, layout):
    """A legend of the signs that occur."""
    from matplotlib.lines import Line2D

    ink, paper, rule = LIGHT['quiet'], LIGHT['paper'], LIGHT['rule']
    signs = [
        ('o', ink, 'takes both sides', any(row['multimodal'] for row in rows)),
        ('o', paper, 'takes one side', any(row['multimodal'] is False for row in rows)),
        ('o', rule, 'sides not measured', any(row['multimodal'] is None for row in rows)
         and any(row['multimodal'] is not None for row in rows)),
        ('s', paper, "LeRobot's own", any(row['stock'] for row in rows)),
    ]
    handles = [Line2D([], [], marker=shape, ls='', ms=6, mfc=face, mec=ink, mew=1.4, label=text)
               for shape, face, text, there in signs if there]
    if not handles:
        return
    figure.legend(handles=handles, loc='outside upper left', ncols=2 if layout.narrow else 4, labelcolor=ink,
                  handletextpad=0.2, columnspacing=1.4, borderaxespad=0.2)


def log_axis(axis, values, sparse=False):
    """Make an axis logarithmic with round ticks over `values` and some room; `sparse` has powers of ten only."""
    low, high = min(values) / 1.6, max(values) * 1.9
    axes = axis.axes
    name = axis.axis_name
    getattr(axes, f'set_{name}scale')('log')
    getattr(axes, f'set_{name}lim')(low, high)
    ticks = [tick for tick in TICKS if low <= tick <= high and not (sparse and f'{tick:e}'[0] != '1')]
    axis.set_ticks(ticks, labels=[f'{tick:g}' for tick in ticks])
    axis.set_ticks([], minor=True)
