"""Values that several commands read from their command line alike."""

import argparse
import re


def image_size(text):
    """(height, width) of a text such as 96x128."""
    match = re.fullmatch(r'(\d+)x(\d+)', text)
    if not match:
        raise argparse.ArgumentTypeError(f'{text!r} is not HEIGHTxWIDTH, e.g. 96x96')
    return int(match[1]), int(match[2])
