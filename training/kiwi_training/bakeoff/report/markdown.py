"""The report in Markdown."""

import re

from kiwi_training.bakeoff.report.blocks import Code, Figure, Films, Points, Table


def escape(text):
    """Text that Markdown shows as it is, on one line."""
    text = re.sub(r'\s+', ' ', str(text)).strip()
    text = re.sub(r'([\\`*\[\]|])', r'\\\1', text)
    text = re.sub(r'(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])', r'\\_', text)
    return text.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;')


def table(block):
    """A `Table`; rows that stand out are bold."""
    aligned = ['---' if index == 0 or heading in block.left else '---:' for index, heading in enumerate(block.columns)]
    lines = [_line(map(escape, block.columns)), '|' + '|'.join(aligned) + '|']
    for index, cells in enumerate(block.rows):
        cells = [escape(cell) for cell in cells]
        lines.append(_line(f'**{cell}**' if index in block.strong and cell else cell for cell in cells))
    return '\n'.join(lines) + '\n' + (f'\n{escape(block.note)}\n' if block.note else '')


def page(title, introduction, sections, absent):
    """The whole report as text.

    Args:
        title: heading.
        introduction: sentences below it.
        sections: list of `Section`.
        absent: list of `Absent`.
    """
    parts = [f'# {escape(title)}\n', *(f'{escape(line)}\n' for line in introduction)]
    for section in sections:
        parts.append(f'## {escape(section.title)}\n')
        if section.lead:
            parts.append('\n\n'.join(escape(line) for line in section.lead) + '\n')
        if section.about:
            parts.append(f'{escape(section.about)}\n')
        parts += [text for text in map(_block, section.blocks) if text]
    if absent:
        parts.append('## Not measured\n')
        parts.append('\n'.join(f'- {escape(part.title)}: {escape(part.reason)}' for part in absent) + '\n')
    return '\n'.join(parts)


def _block(block):
    if isinstance(block, Table):
        return _folded(block.fold, table(block)) if block.fold else table(block)
    if isinstance(block, Figure):
        return f'![{escape(block.alt)}]({block.name}.svg)\n\n{escape(block.caption)}\n'
    if isinstance(block, Points):
        return '\n'.join(f'{f"{index}." if block.ordered else "-"} {escape(item)}'
                         for index, item in enumerate(block.items, 1)) + '\n'
    if isinstance(block, Code):
        fence = '`' * max(3, 1 + max((len(run) for run in re.findall('`+', block.text)), default=0))
        return _folded(block.title, f'{fence}\n{block.text}\n{fence}\n')
    if isinstance(block, Films):
        return ''
    raise TypeError(f'no Markdown for {type(block).__name__}')


def _folded(title, text):
    return f'<details><summary>{escape(title)}</summary>\n\n{text}\n</details>\n'


def _line(cells):
    return f'| {" | ".join(cells)} |'
