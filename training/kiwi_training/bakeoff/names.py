"""How rows and runs are called in file names."""

import re


def slug(name):
    """A row's label as a file name: lower case, runs of other signs as one hyphen."""
    return re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')


def training_name(head, seed, control=False):
    """Folder of a training below `trainings/`."""
    return f'{"control-" if control else ""}{slug(head)}-seed{seed}'
