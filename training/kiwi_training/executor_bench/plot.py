"""Success against latency, a line per executor."""

from kiwi_training.bakeoff.report.labels import spread
from kiwi_training.executor_bench.profiles import PROFILES
from kiwi_training.report.canvas import WIDE, sketch, standalone
from kiwi_training.report.palette import LIGHT

TITLE = 'Success against latency'
COLOURS = {
    'kiwi': 'flow', 'kiwi_hard_switch': 'flow', 'kiwi_project': 'cvae', 'kiwi_guidance': 'cvae',
    'kiwi_ensemble': 'another', 'kiwi_sync': 'another', 'aligned': 'other', 'naive': 'bc', 'ensemble': 'diffusion',
    'ensemble_gated': 'diffusion', 'weighted_average': 'right', 'latest_only': 'left',
}
DASHED = ('kiwi_hard_switch', 'kiwi_guidance', 'ensemble_gated', 'kiwi_sync')
OTHERS = 'ink'
"""Colour of an executor without one of its own."""
LABEL_GAP = 4.4
"""% of success between two names."""


def success_against_latency(entries):
    """SVG text of the entries of fixed latency, '' where fewer than two latencies were run."""
    entries = [entry for entry in entries if PROFILES[entry['profile']].fixed]
    latencies = sorted({_milliseconds(entry) for entry in entries})
    if len(latencies) < 2:
        return ''
    lines = {}
    for entry in entries:
        lines.setdefault(entry['executor'], []).append(entry)
    return standalone(sketch(WIDE.width, 4.6, lambda figure: _paint(figure, lines, latencies)), TITLE)


def _paint(figure, lines, latencies):
    axes = figure.subplots()
    ends = []
    width = 0.006 * (latencies[-1] - latencies[0])
    for place, (name, entries) in enumerate(lines.items()):
        entries = sorted(entries, key=_milliseconds)
        colour = LIGHT[COLOURS.get(name, OTHERS)]
        x = [_milliseconds(entry) + width * (place - (len(lines) - 1) / 2) for entry in entries]
        y = [100 * entry['success'] for entry in entries]
        for at, entry in zip(x, entries, strict=True):
            axes.plot([at, at], [100 * entry['success_low'], 100 * entry['success_high']], color=colour, lw=1.2,
                      alpha=0.45, solid_capstyle='butt')
        axes.plot(x, y, color=colour, lw=2.2 if name == 'kiwi' else 1.4, ls='--' if name in DASHED else '-', marker='o',
                  ms=4.5, mfc=LIGHT['paper'] if name in DASHED else colour, mec=colour)
        ends.append((name, colour, x[-1], y[-1]))
    axes.set_ylim(-3, 103)
    axes.set_xticks(latencies, labels=[f'{latency:g}' for latency in latencies])
    axes.set_xlim(latencies[0] - 8 * width, latencies[-1] * 1.30)
    axes.set_xlabel('latency from request to chunk (ms)')
    axes.set_ylabel('success (%), 95 % interval')
    axes.grid(axis='y')
    for (name, colour, x, y), height in zip(ends, spread([end[3] for end in ends], LABEL_GAP), strict=True):
        axes.annotate(name, (x, y), (latencies[-1] * 1.05, height), textcoords='data', color=colour, va='center',
                      fontsize=8.5, weight='bold' if name == 'kiwi' else 'normal',
                      arrowprops={'arrowstyle': '-', 'color': colour, 'lw': 0.6, 'alpha': 0.7})


def _milliseconds(entry):
    return 1e3 * PROFILES[entry['profile']].latency
