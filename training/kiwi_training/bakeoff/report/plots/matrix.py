"""Executor modes against heads: success and smoothness as shaded tables."""

from kiwi_training.report.canvas import sketch
from kiwi_training.report.palette import LIGHT
from kiwi_training.report.text import known

MODES = ('sync', 'latest', 'ensemble newest', 'ensemble oldest')
CELL = 0.42
"""Inches."""


def grid(entries):
    """(heads, modes, {(head, mode): entry}) in the order of appearance, modes in their usual order."""
    heads = list(dict.fromkeys(entry['head'] for entry in entries))
    found = dict.fromkeys(entry['executor'] for entry in entries)
    modes = [mode for mode in MODES if mode in found] + [mode for mode in found if mode not in MODES]
    return heads, modes, {(entry['head'], entry['executor']): entry for entry in entries}


def draw(entries, layout):
    """SVG of both tables: beside each other, one above the other on a phone."""
    heads, modes, cells = grid(entries)
    shape = (2, 1) if layout.narrow else (1, 2)
    height = (0.75 + CELL * len(heads)) * shape[0]

    def paint(figure):
        every = figure.subplots(*shape).flat
        _paint(every[0], heads, modes, cells, 'success', 'success, 95 % interval (%)', 'flow', _success_text)
        _paint(every[1], heads, modes, cells, 'jerk', 'smoothness (deg), less is smoother', 'diffusion',
               _smoothness_text)
        if not layout.narrow:
            every[1].set_yticklabels([])

    return sketch(layout.width, height, paint)


def _paint(axes, heads, modes, cells, field, title, colour, write):
    from matplotlib.patches import Rectangle

    values = [entry[field] for entry in cells.values() if known(entry[field])]
    top, lowest = (1.0, 0.0) if field == 'success' else (max(values, default=1.0), 0.0)
    axes.set_xlim(0, len(modes))
    axes.set_ylim(len(heads), 0)
    axes.set_xticks([x + 0.5 for x in range(len(modes))], [mode.replace(' ', '\n') for mode in modes])
    axes.set_yticks([y + 0.5 for y in range(len(heads))], heads)
    axes.tick_params(length=0, labelcolor=LIGHT['ink'])
    axes.xaxis.tick_top()
    axes.spines[:].set_visible(False)
    axes.set_title(title, pad=8)
    for y, head in enumerate(heads):
        of_head = [cells[head, mode][field] for mode in modes if (head, mode) in cells and known(cells[head, mode][field])]
        best = (max if field == 'success' else min)(of_head, default=None)
        for x, mode in enumerate(modes):
            entry = cells.get((head, mode))
            value = entry[field] if entry else None
            strength = (value - lowest) / ((top - lowest) or 1.0) if known(value) else 0.0
            axes.add_patch(Rectangle((x + 0.02, y + 0.03), 0.96, 0.94, lw=0, facecolor=LIGHT[colour],
                                     alpha=round(0.04 + 0.46 * strength ** (2 if field == 'success' else 1), 2)))
            big, small = write(entry) if known(value) else ('–', '')
            axes.text(x + 0.5, y + (0.4 if small else 0.5), big, ha='center', va='center', fontsize=9,
                      weight='bold' if known(value) and value == best else 'normal')
            axes.text(x + 0.5, y + 0.75, small, ha='center', va='center', fontsize=7.2, alpha=0.8)


def _success_text(entry):
    low, high = entry['success_low'], entry['success_high']
    return f'{100 * entry["success"]:.0f}', f'{100 * low:.0f}–{100 * high:.0f}' if known(low) and known(high) else ''


def _smoothness_text(entry):
    return f'{entry["jerk"]:.3f}', f'seams {entry["seam_ratio"]:.2f}' if known(entry['seam_ratio']) else ''
