"""Labels beside points, kept apart from each other and from what is drawn."""

from dataclasses import dataclass

import numpy as np

RADII = (7.0, 13.0, 22.0, 34.0, 48.0, 64.0)
DIRECTIONS = ((1, 0), (-1, 0), (0.8, 0.8), (0.8, -0.8), (-0.8, 0.8), (-0.8, -0.8), (0, 1), (0, -1))
LEADER = 11.0
"""pt beyond which a line leads from the label to its point."""
ROUNDS = 4


@dataclass(frozen=True)
class Label:
    """A text that belongs to a point.

    Attributes:
        x, y: the point, in data.
        low, high: ends of the vertical interval drawn through it, in data.
        text, colour, bold: what is written.
    """

    x: float
    y: float
    low: float
    high: float
    text: str
    colour: str
    bold: bool = False


def place_labels(axes, labels, size=8.5):
    """Write `labels` into axes whose limits are final.

    Greedy with repairs: each label takes, of some places around its point, the one that covers least.
    """
    figure = axes.figure
    figure.draw_without_rendering()
    figure.set_layout_engine('none')
    renderer, to_points = figure.canvas.get_renderer(), 72.0 / figure.dpi
    texts = [axes.text(0, 0, label.text, fontsize=size, weight='bold' if label.bold else 'normal') for label in labels]
    sizes = [np.array([box.width, box.height]) * to_points
             for box in (text.get_window_extent(renderer) for text in texts)]
    for text in texts:
        text.remove()
    points = axes.transData.transform([(label.x, label.y) for label in labels]) * to_points
    ends = [axes.transData.transform([(label.x, label.low), (label.x, label.high)])[:, 1] * to_points
            for label in labels]
    obstacles = [(x - 5, y - 5, x + 5, y + 5) for x, y in points]
    obstacles += [(x - 1, low, x + 1, high) for (x, _), (low, high) in zip(points, ends)]
    frame = axes.get_window_extent(renderer).extents * to_points
    choices = [_candidates(point, size_of) for point, size_of in zip(points, sizes)]
    chosen = [None] * len(labels)
    for _ in range(ROUNDS):
        for index, options in enumerate(choices):
            others = [choices[other][pick][0] for other, pick in enumerate(chosen) if pick is not None and other != index]
            costs = [_cost(box, radius, others, obstacles, frame) for box, radius, _ in options]
            chosen[index] = int(np.argmin(costs))
    for label, point, options, pick in zip(labels, points, choices, chosen):
        _write(axes, label, point, *options[pick], size)


def spread(positions, gap):
    """Positions moved apart to at least `gap`, in their order, as little as possible around their mean."""
    order = np.argsort(positions, kind='stable')
    result = np.asarray(positions, dtype=float)[order]
    for _ in range(50):
        for index in range(1, len(result)):
            lack = gap - (result[index] - result[index - 1])
            if lack > 1e-9:
                result[index - 1] -= lack / 2
                result[index] += lack / 2
    apart = np.empty_like(result)
    apart[order] = result
    return apart


def _candidates(point, size):
    options = []
    for radius in RADII:
        for dx, dy in DIRECTIONS:
            left = point[0] + radius * dx - size[0] * (0.5 - 0.5 * np.sign(dx))
            bottom = point[1] + radius * dy - size[1] * (0.5 - 0.5 * np.sign(dy))
            options.append(((left, bottom, left + size[0], bottom + size[1]), radius, (dx, dy)))
    return options


def _cost(box, radius, others, obstacles, frame):
    outside = max(frame[0] - box[0], 0) + max(box[2] - frame[2], 0) + max(frame[1] - box[1], 0)
    outside += max(box[3] - frame[3] - 6.0, 0)
    covered = 4.0 * sum(_overlap(box, other) for other in others) + sum(_overlap(box, other) for other in obstacles)
    return radius + 100.0 * outside + covered


def _overlap(a, b):
    return max(min(a[2], b[2]) - max(a[0], b[0]), 0.0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)


def _write(axes, label, point, box, radius, direction, size):
    centre = ((box[0] + box[2]) / 2 - point[0], (box[1] + box[3]) / 2 - point[1])
    align = {1: 'left', -1: 'right', 0: 'center'}[int(np.sign(direction[0]))]
    offset = (radius * direction[0] if direction[0] else centre[0], centre[1])
    leader = {'arrowstyle': '-', 'color': label.colour, 'lw': 0.6, 'shrinkA': 1, 'shrinkB': 4, 'alpha': 0.7}
    axes.annotate(label.text, (label.x, label.y), offset, textcoords='offset points', ha=align, va='center',
                  fontsize=size, color=label.colour, weight='bold' if label.bold else 'normal',
                  arrowprops=leader if radius > LEADER else None, annotation_clip=False)
