"""Pages that need nothing beside them: one template frame, one style, everything escaped."""

import base64
from pathlib import Path

from kiwi_training.report.palette import DARK, LIGHT

TEMPLATES = Path(__file__).parent / 'templates'


def page_templates(folder):
    """jinja2 Environment over a report's own templates, which may extend `frame.html.j2`.

    Args:
        folder: of its templates; those shared by all reports are found behind it.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(loader=FileSystemLoader([folder, TEMPLATES]), autoescape=True, undefined=StrictUndefined,
                              trim_blocks=True, lstrip_blocks=True)
    environment.filters['base64'] = lambda content: base64.b64encode(content).decode('ascii')
    environment.globals |= {'light': LIGHT, 'dark': DARK}
    return environment
