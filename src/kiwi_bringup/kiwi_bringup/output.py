"""Whole lines from pieces of output, each behind a prefix."""

from collections.abc import Callable

LONGEST = 65536  # bytes without a line end, after which they are passed on as they are


class LineSplitter:
    """Collects bytes and hands on whole lines.

    Args:
        prefix: put before each line.
        write: takes the bytes of one or more whole lines.
    """

    def __init__(self, prefix: str, write: Callable[[bytes], None]):
        self._prefix, self._write = prefix.encode(), write
        self._rest = b''

    def feed(self, data: bytes) -> None:
        """Take more output."""
        *lines, self._rest = (self._rest + data).split(b'\n')
        if len(self._rest) > LONGEST:
            lines.append(self._rest)
            self._rest = b''
        if lines:
            self._write(b''.join(self._prefix + line + b'\n' for line in lines))

    def finish(self) -> None:
        """Hand on an unfinished last line."""
        if self._rest:
            self.feed(b'\n')
