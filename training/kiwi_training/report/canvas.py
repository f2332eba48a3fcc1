"""Figures as SVG text: one typographic style, coordinates rounded, colours that follow the page's mode."""

import io
import re
from dataclasses import dataclass

from kiwi_training.report.palette import LIGHT

FONT = "-apple-system, 'Segoe UI', 'Helvetica Neue', 'Liberation Sans', Arial, sans-serif"
FONT_MARK = 'font-of-the-page'
NAMES = {value: name for name, value in LIGHT.items()}
STYLE = {
    'font.family': ['DejaVu Sans'], 'font.size': 9.0, 'text.color': LIGHT['ink'], 'text.parse_math': False,
    'axes.edgecolor': LIGHT['rule'], 'axes.labelcolor': LIGHT['quiet'], 'axes.labelsize': 9.0,
    'axes.linewidth': 0.8, 'axes.spines.top': False, 'axes.spines.right': False, 'axes.facecolor': 'none',
    'axes.titlesize': 9.5, 'axes.titleweight': 'bold', 'axes.titlelocation': 'left', 'axes.titlecolor': LIGHT['ink'],
    'axes.axisbelow': True, 'grid.color': LIGHT['rule'], 'grid.linewidth': 0.6, 'figure.facecolor': 'none',
    'xtick.color': LIGHT['rule'], 'ytick.color': LIGHT['rule'], 'xtick.labelcolor': LIGHT['quiet'],
    'ytick.labelcolor': LIGHT['quiet'], 'xtick.labelsize': 8.5, 'ytick.labelsize': 8.5,
    'legend.frameon': False, 'legend.fontsize': 8.5, 'lines.solid_capstyle': 'round',
    'svg.fonttype': 'none', 'svg.hashsalt': 'kiwi',
}


@dataclass(frozen=True)
class Layout:
    """How wide a figure is drawn.

    Attributes:
        width: inches.
        narrow: True for a phone.
    """

    width: float
    narrow: bool


WIDE = Layout(10.0, False)
NARROW = Layout(4.0, True)


def sketch(width, height, paint, layout='constrained'):
    """SVG text of a figure.

    Args:
        width, height: inches.
        paint: called with an empty `matplotlib.figure.Figure`.
        layout: its layout engine, None for none.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context(STYLE):
        figure = Figure((width, height), layout=layout)
        FigureCanvasAgg(figure)
        paint(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format='svg', metadata={'Date': None, 'Creator': None})
    return tidy(buffer.getvalue())


def tidy(svg):
    """matplotlib's SVG without prologue and metadata, sized by its view box, coordinates to a tenth of a point."""
    svg = svg[svg.index('<svg'):]
    svg = re.sub(r'<metadata>.*?</metadata>', '', svg, flags=re.DOTALL)
    svg = re.sub(r'<!--.*?-->', '', svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1', svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r'\1', svg, count=1)
    svg = re.sub(r'<[^>]+>', lambda tag: _tidy_tag(tag.group()), svg)
    svg = re.sub(r'\s*\n\s*', '\n', svg)
    return svg.strip()


def montage(panels, columns, gap=(8.0, 10.0), head=13.0):
    """SVG of panels in a grid, each under its title.

    Args:
        panels: list of (title, SVG text of one size), at least one.
        columns: per row.
        gap: pt between columns and between rows.
        head: pt for a title.
    """
    width, height = size(panels[0][1])
    parts = []
    for index, (title, svg) in enumerate(panels):
        x, y = index % columns * (width + gap[0]), index // columns * (height + head + gap[1])
        type_size = min(8.5, 8.5 * 24 / max(len(title), 1))
        parts.append(f'<text x="{x + 1:.1f}" y="{y + 8.5:.1f}" style="font-size: {type_size:.1f}px; font-weight: 600; '
                     f'font-family: {FONT_MARK}; fill: {LIGHT["ink"]}">{escape(title)}</text>')
        inner = svg[svg.index('>') + 1:svg.rindex('</svg>')]
        inner = re.sub(r'<[^>]+>', lambda tag, index=index: _prefixed(tag.group(), f'p{index}'), inner)
        parts.append(f'<g transform="translate({x:.1f} {y + head:.1f})">{inner}</g>')
    rows, used = -(-len(panels) // columns), min(columns, len(panels))
    across, down = used * (width + gap[0]) - gap[0], rows * (height + head + gap[1]) - gap[1]
    return (f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'viewBox="0 0 {across:.1f} {down:.1f}">\n' + '\n'.join(parts) + '\n</svg>')


def size(svg):
    """(width, height) in pt of SVG text."""
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    return float(found[1]), float(found[2])


def standalone(svg, title):
    """The SVG as a file of its own, on light paper."""
    width, height = size(svg)
    head = f'<title>{escape(title)}</title>\n<rect width="100%" height="100%" fill="{LIGHT["paper"]}"/>'
    svg = svg.replace(FONT_MARK, FONT)
    svg = re.sub(r'<svg', f'<svg width="{width:g}pt" height="{height:g}pt"', svg, count=1)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + re.sub(r'(<svg[^>]*>)', lambda m: m[1] + '\n' + head, svg,
                                                              count=1) + '\n'


def inline(svg, title, prefix):
    """The SVG as part of a page: its colours are the page's variables, its ids begin with `prefix`."""
    svg = re.sub(r'<[^>]+>', lambda tag: _inline_tag(tag.group(), prefix), svg)
    return re.sub(r'<svg', f'<svg role="img" aria-label="{escape(title)}"', svg, count=1)


def escape(text):
    """Text for XML, attributes too."""
    for sign, name in (('&', '&amp;'), ('<', '&lt;'), ('>', '&gt;'), ('"', '&quot;')):
        text = str(text).replace(sign, name)
    return text


def _tidy_tag(tag):
    tag = re.sub(r'font-family: [^;"]*', f'font-family: {FONT_MARK}', tag)
    tag = re.sub(r'(font: [^;"]*?px) [^;"]*', rf'\1 {FONT_MARK}', tag)
    return re.sub(r'\b(d|x|y|width|height|points|transform)="([^"]*)"', _rounded, tag)


def _rounded(attribute):
    return f'{attribute[1]}="{re.sub(r"-?[0-9]+[.][0-9]{2,}", lambda match: _short(match.group()), attribute[2])}"'


def _short(figure):
    short = f'{float(figure):.1f}'.removesuffix('.0')
    return '0' if short == '-0' else short


def _inline_tag(tag, prefix):
    tag = re.sub(r'#[0-9a-f]{6}\b', lambda match: f'var(--{NAMES[match[0]]})' if match[0] in NAMES else match[0], tag)
    return _prefixed(tag, prefix).replace(FONT_MARK, 'var(--font)')


def _prefixed(tag, prefix):
    for mark in ('id="', 'url(#', 'href="#'):
        tag = re.sub(rf'(?<![a-z-]){re.escape(mark)}', f'{mark}{prefix}-', tag)
    return tag
