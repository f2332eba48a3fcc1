"""Writes the report into a folder: the full one, and the small one of a repository."""

import json
import os
from pathlib import Path

from kiwi_training.bakeoff.report import html, markdown
from kiwi_training.bakeoff.report.blocks import Figure
from kiwi_training.bakeoff.report.contents import contents
from kiwi_training.bakeoff.report.provenance import introduction, portable
from kiwi_training.bakeoff.report.source import Source
from kiwi_training.bakeoff.report.table import flat_rows
from kiwi_training.report.canvas import WIDE, standalone

TITLE = 'Action heads: a bake-off'
FIGURES = ('success-latency', 'smoothness', 'latency', 'rollouts', 'chunks', 'executors', 'requery', 'forced-fork',
           'forced-fork-rollouts')
"""Names that plots may have: those of an earlier report that are not drawn again are removed."""


def write_report(folder, output=None):
    """Write report.md, index.html and the plots.

    Args:
        folder: of a bake-off, with summary.json.
        output: folder to write to, made where it is missing; default: <folder>/report.

    Returns:
        Path of index.html.

    Raises:
        FileNotFoundError, ValueError: there is no usable summary.json.
    """
    source = Source(folder)
    output = Path(output) if output is not None else source.folder / 'report'
    sections, absent = contents(source)
    drawn = _draw(sections)
    _write_plots(output, sections, drawn)
    head = (str(source.summary['title'] or TITLE), [introduction(source.summary)])
    _write(output / 'report.md', markdown.page(*head, *_without_films(sections, absent)))
    page = output / 'index.html'
    _write(page, html.page(*head, sections, absent, drawn))
    return page


def write_docs(folder, docs):
    """Write the small version for a repository: bakeoff/README.md, the plots and table.json, no films and no paths.

    Args:
        folder: of a bake-off, with summary.json.
        docs: the repository's folder of documents; `bakeoff` is made below it.

    Returns:
        Path of the folder written.

    Raises:
        FileNotFoundError, ValueError: there is no usable summary.json.
    """
    source = Source(folder)
    for name in ('config', 'datasets'):
        source.summary[name] = portable(source.summary[name])
    output = Path(docs) / 'bakeoff'
    sections, absent = _without_films(*contents(source))
    _write_plots(output, sections, _draw(sections))
    _write(output / 'README.md', markdown.page(
        str(source.summary['title'] or TITLE), [introduction(source.summary)], sections, absent))
    _write(output / 'table.json', json.dumps(flat_rows(source.summary), indent=1, allow_nan=False) + '\n')
    return output


def _without_films(sections, absent):
    return ([section for section in sections if section.key != 'films'],
            [part for part in absent if part.title != 'Films'])


def _figures(sections):
    return [block for section in sections for block in section.blocks if isinstance(block, Figure)]


def _draw(sections):
    return {figure.name: figure.draw(WIDE) for figure in _figures(sections)}


def _write_plots(output, sections, drawn):
    output.mkdir(parents=True, exist_ok=True)
    for name in set(FIGURES) - set(drawn):
        (output / f'{name}.svg').unlink(missing_ok=True)
    for figure in _figures(sections):
        _write(output / f'{figure.name}.svg', standalone(drawn[figure.name], figure.alt))


def _write(path, text):
    fresh = path.with_name(f'.{path.name}.{os.getpid()}')
    fresh.write_text(text, encoding='utf-8')
    os.replace(fresh, path)
