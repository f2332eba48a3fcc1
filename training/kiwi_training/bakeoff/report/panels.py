"""One small drawing per head, side by side."""

from functools import cache

from kiwi_training.bakeoff.report.blocks import Figure
from kiwi_training.bakeoff.report.plots import top_view
from kiwi_training.report.canvas import montage

TRACE = ('xy', 'side', 'success')
CHUNKS = ('tips', 'cube')


def panels_of(source, entries, key, arrays, make):
    """`make(head, trace)` of every entry that has a trace with these arrays."""
    panels = []
    for entry in entries:
        trace = source.trace(entry[key], *arrays)
        if trace is not None and len(trace[arrays[0]]):
            panels.append(make(entry['head'], trace))
    return panels


def multiples(key, alt, caption, panels, frame):
    """`Figure` of panels drawn in one frame."""
    @cache
    def drawn():
        return [(panel.title, top_view.draw(panel, frame)) for panel in panels]

    return Figure(key, alt, caption, lambda layout: montage(drawn(), 2 if layout.narrow else 5), drawn)
