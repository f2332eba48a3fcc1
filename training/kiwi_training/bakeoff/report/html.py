"""The report as one HTML page that needs nothing beside it."""

from pathlib import Path

from kiwi_training.bakeoff.report.blocks import Code, Figure, Films, Points, Table
from kiwi_training.report.canvas import NARROW, WIDE, inline
from kiwi_training.report.html import page_templates

TEMPLATES = Path(__file__).parent / 'templates'
KINDS = {Table: 'table', Figure: 'figure', Films: 'films', Points: 'points', Code: 'code'}


def page(title, introduction, sections, absent, drawn):
    """The page as text; everything that is no SVG of ours is escaped.

    Args:
        title, introduction, sections, absent: as for `markdown.page`.
        drawn: name of a figure -> its wide SVG text.
    """
    environment = page_templates(TEMPLATES)
    environment.globals |= {'kind': lambda block: KINDS[type(block)], 'pictures': lambda figure: pictures(figure, drawn)}
    return environment.get_template('page.html.j2').render(
        title=title, introduction=introduction, sections=sections, absent=absent)


def pictures(figure, drawn):
    """A figure's SVGs for the page: dicts of class, caption and SVG."""
    from markupsafe import Markup

    if figure.panels:
        return [{'kind': 'panel', 'caption': caption,
                 'svg': Markup(inline(svg, f'{figure.alt}: {caption}', f'{figure.name}-{index}'))}
                for index, (caption, svg) in enumerate(figure.panels())]
    return [{'kind': kind, 'caption': '', 'svg': Markup(inline(svg, figure.alt, f'{figure.name}-{kind}'))}
            for kind, svg in (('wide', drawn.get(figure.name) or figure.draw(WIDE)), ('narrow', figure.draw(NARROW)))]
