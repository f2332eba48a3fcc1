"""What asking again early costs: success, smoothness and mode switches over the interval between chunks."""

from kiwi_training.bakeoff.report.families import colour
from kiwi_training.bakeoff.report.labels import spread
from kiwi_training.report.canvas import sketch
from kiwi_training.report.text import known

MEASURES = (
    ('success', 'success (%)', 100.0),
    ('jerk', 'smoothness (deg)', 1.0),
    ('mode_switches', 'mode switches per rollout', 1.0),
)


def draw(entries, rows, layout):
    """SVG of three panels over a common axis, one line per head."""
    entries = [entry for entry in entries if known(entry['interval_actions']) and entry['interval_actions'] > 0]
    heads = list(dict.fromkeys(entry['head'] for entry in entries))
    intervals = sorted({entry['interval_actions'] for entry in entries})
    known_rows = {row['head']: row for row in rows}
    shape = (3, 1) if layout.narrow else (1, 3)

    def paint(figure):
        for axes, (field, title, scale) in zip(figure.subplots(*shape).flat, MEASURES):
            ends = []
            for head in heads:
                line = sorted((entry for entry in entries if entry['head'] == head and known(entry[field])),
                              key=lambda entry: entry['interval_actions'])
                if not line:
                    continue
                shade = colour(known_rows.get(head, line[0]))
                x, y = [entry['interval_actions'] for entry in line], [scale * entry[field] for entry in line]
                if field == 'success':
                    _paint_intervals(axes, line, shade)
                axes.plot(x, y, color=shade, lw=1.8, marker='o', ms=5)
                ends.append((x[-1], y[-1], head, shade))
            axes.set_xscale('log', base=2)
            axes.set_xticks(intervals, [f'{interval:g}' for interval in intervals])
            axes.set_xticks([], minor=True)
            axes.set_xlim(intervals[0] / 1.3, intervals[-1] * 1.3)
            _, top = axes.get_ylim()
            axes.set_ylim(0, 102 if field == 'success' else top * 1.08)
            axes.grid(axis='y')
            axes.set_title(title)
            axes.set_xlabel('actions executed per chunk')
            _name_lines(axes, ends)

    return sketch(layout.width, 2.1 * shape[0] if layout.narrow else 3.0, paint)


def _paint_intervals(axes, line, shade):
    for entry in line:
        if known(entry['success_low']) and known(entry['success_high']):
            axes.plot([entry['interval_actions']] * 2, [100 * entry['success_low'], 100 * entry['success_high']],
                      color=shade, lw=1.2, alpha=0.5, solid_capstyle='butt')


def _name_lines(axes, ends):
    if not ends:
        return
    low, high = axes.get_ylim()
    places = spread([y for _, y, *_ in ends], 0.075 * (high - low))
    for (x, _, head, shade), place in zip(ends, places):
        axes.annotate(head, (x, place), (6, 0), textcoords='offset points', va='center', fontsize=8, color=shade,
                      annotation_clip=False)
