"""Histograms of a rollout's latencies and of its control clock, as SVG."""

import numpy as np

from kiwi_training.report.canvas import NARROW, WIDE, inline, sketch
from kiwi_training.report.palette import LIGHT

BINS = 24


def histograms(material, figures):
    """List of (class, SVG) for wide and narrow pages, empty where nothing was measured."""
    from markupsafe import Markup

    groups = [(title, 1e3 * values, colour) for title, values, colour in measured(material, figures) if len(values)]
    if not groups:
        return []
    alt = 'Histograms: ' + ', '.join(title for title, *_ in groups)
    drawn = []
    for kind, layout, columns in (('wide', WIDE, 4), ('narrow', NARROW, 2)):
        columns = min(columns, max(len(groups), 2))
        rows = -(-len(groups) // columns)
        svg = sketch(layout.width, 1.9 * rows, lambda figure, r=rows, c=columns: _paint(figure, groups, r, c))
        drawn.append((kind, Markup(inline(svg, alt, f'histograms-{kind}'))))
    return drawn


def measured(material, figures):
    """List of (title, values in s, colour's name)."""
    arrivals = np.diff(np.sort(material.arrivals))
    return [
        ('Inference per chunk', figures.inference, 'flow'),
        ('Request to chunk', figures.responses[np.isfinite(figures.responses)], 'left'),
        ('Age of the chunks\' images', figures.image_ages[np.isfinite(figures.image_ages)], 'cvae'),
        ('Time between ticks', arrivals, 'right'),
    ]


def _paint(figure, groups, rows, columns):
    for place, (title, values, colour) in enumerate(groups):
        axes = figure.add_subplot(rows, columns, place + 1)
        low, high = float(values.min()), float(values.max())
        if high - low < 1e-6 * max(abs(high), 1.0):
            low, high = low - 0.5, high + 0.5
        axes.hist(values, bins=np.linspace(low, high, BINS + 1), color=LIGHT[colour], alpha=0.85)
        p50, p95 = np.percentile(values, (50, 95))
        for value, style in ((p50, '-'), (p95, '--')):
            axes.axvline(value, color=LIGHT['ink'], lw=0.9, ls=style)
        axes.set_title(title)
        axes.set_xlabel(f'ms (p50 {p50:.0f}, p95 {p95:.0f}, max {values.max():.0f})')
        axes.locator_params(axis='x', nbins=4)
        axes.locator_params(axis='y', nbins=3, integer=True)
