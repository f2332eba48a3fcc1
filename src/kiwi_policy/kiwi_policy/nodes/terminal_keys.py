"""Keys of the terminal a process runs in, as they are pressed, without waiting for a line."""

import contextlib
import os
import select
import sys
import termios
import tty


class TerminalKeys:
    """Use as a context manager; leaving it gives the terminal its old ways back.

    Args:
        file: of the terminal, with fileno(); standard input where None.

    Raises:
        RuntimeError: it is no terminal.
    """

    def __init__(self, file=None):
        self._file = file or sys.stdin
        self._before = None

    def __enter__(self):
        if not os.isatty(self._file.fileno()):
            raise RuntimeError('there is no terminal to read keys from: run takeover_node in a terminal of its own, '
                               'not through a pipe or a launch file')
        self._before = termios.tcgetattr(self._file)
        tty.setcbreak(self._file)
        return self

    def __exit__(self, *_):
        if self._before is not None:
            with contextlib.suppress(termios.error):
                termios.tcsetattr(self._file, termios.TCSADRAIN, self._before)

    def read(self):
        """Keys pressed since the last call, as one text."""
        pressed = b''
        while select.select([self._file], [], [], 0.0)[0]:
            more = os.read(self._file.fileno(), 256)
            if not more:
                break
            pressed += more
        return _without_sequences(pressed.decode(errors='ignore'))


def _without_sequences(text):
    """Arrow and function keys send an escape and letters that mean something else on their own."""
    kept, index = [], 0
    while index < len(text):
        if text[index] != '\x1b':
            kept.append(text[index])
            index += 1
            continue
        index += 1
        if index < len(text) and text[index] in '[O':
            index += 1
            while index < len(text) and not text[index].isalpha() and text[index] != '~':
                index += 1
            index += 1
    return ''.join(kept)
