"""A recording under way: messages wait in a bounded queue, a thread of its own writes them."""

import shutil
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from kiwi_policy.bags.mcap_file import COMPLETE
from kiwi_policy.bags.writer import BagWriter

CYCLE = 0.1
"""s between two looks into the queue."""

SPACE_INTERVAL = 1.0
"""s between two looks at the free disk space."""

GB, MB = 1e9, 1e6


class DiskLowError(OSError):
    """There is too little free space. The text names the place and the figures."""


def check_space(folder, needed):
    """Raise DiskLowError where the disk of `folder`, which need not exist yet, has less than `needed` bytes free."""
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise DiskLowError(f'{free / GB:.2f} GB are free at {place}, less than the {needed / GB:.2f} GB that are to '
                           'stay free; remove something, or choose another place')


@dataclass(frozen=True)
class Item:
    """A message to be written: the arguments of `McapFile.write`."""

    topic: str
    data: bytes
    log_time: int
    publish_time: int
    sequence: int = 0


@dataclass(frozen=True)
class Closed:
    """How a recording ended.

    Attributes:
        folder: of the bag.
        messages: number written.
        lost: topic -> number of messages that were received or announced, but not written.
        complete: 'true', or why the bag is not complete.
        closed: False where the bag has no metadata.yaml and needs to be recovered.
    """

    folder: Path
    messages: int
    lost: Counter = field(default_factory=Counter)
    complete: str = COMPLETE
    closed: bool = True


class Recording:
    """Writes one bag in its own thread. All methods may be called from any thread.

    Args:
        folder: of the bag, must not exist.
        custom: dict of texts kept with it.
        queue_bytes: messages that would make the queue longer than this are dropped and counted.
        reserve: bytes of the disk to leave free; where fewer are left the bag is closed.
        on_failure: called once with a text, in the writing thread, where the recording has to end.
        warn: called with a text, once, where messages are dropped.
        compression: of the file's chunks.

    Raises:
        FileExistsError, OSError, ValueError: as `BagWriter`.
    """

    def __init__(self, folder, custom, queue_bytes, reserve, on_failure, warn, compression='none'):
        self._writer = BagWriter(folder, custom, compression)
        self.folder = self._writer.folder
        self._queue_bytes, self._reserve = queue_bytes, reserve
        self._on_failure, self._warn = on_failure, warn
        self._condition = threading.Condition()
        self._queue, self._queued, self._ending = [], 0, None
        self._accepted, self.dropped = Counter(), Counter()
        self.failure = ''
        self.size = 0
        self._closed = None
        self._space_due = 0.0
        self._thread = threading.Thread(target=self._run, name='recording', daemon=True)
        self._thread.start()

    @property
    def messages(self):
        """Number of messages written so far."""
        return self._writer.messages

    @property
    def queued(self):
        """bytes that wait to be written."""
        return self._queued

    def add_topic(self, name, definition, qos=()):
        """Announce a topic before its first message: its `Definition` and the `OfferedQos` of its publishers."""
        with self._condition:
            self._queue.append((name, definition, tuple(qos)))

    def offer(self, items):
        """Hand over `Item`s; returns at once."""
        with self._condition:
            before = bool(self.dropped)
            for item in items:
                if self.failure or self._ending or self._queued + len(item.data) > self._queue_bytes:
                    self.dropped[item.topic] += 1
                else:
                    self._queue.append(item)
                    self._accepted[item.topic] += 1
                    self._queued += len(item.data)
            told = before or self.failure or not self.dropped
        if not told:
            self._warn(f'the disk is too slow: {self._queue_bytes / MB:.0f} MB wait to be written to {self.folder}, '
                       'messages are lost until it has caught up')

    def close(self, custom=None, reason='', lost=None):
        """Write what waits, close the bag and return `Closed`; the same again where it was closed already.

        Args:
            custom: texts added to those of the start.
            reason: why the recording is not complete, empty where it is.
            lost: topic -> number of messages that never came here.
        """
        with self._condition:
            if self._ending is None:
                self._ending = (dict(custom or {}), reason, Counter(lost or {}))
            self._condition.notify()
        self._thread.join()
        return self._closed

    def _run(self):
        try:
            while self._turn():
                pass
            self._end()
        except DiskLowError as error:
            self._fail(f'the recording ends: {error}', closes=True)
        except Exception as error:
            kind = '' if isinstance(error, OSError) else f'{type(error).__name__}: '
            self._fail(f'the recording ends, {self.folder} cannot be written: {kind}{error}', closes=False)

    def _turn(self):
        """Write what waits; returns False once the recording is to end and nothing waits."""
        with self._condition:
            if not self._ending:
                self._condition.wait(CYCLE)
            batch, self._queue, self._queued = self._queue, [], 0
            ending = self._ending is not None
        for entry in batch:
            if isinstance(entry, Item):
                self._writer.write(entry.topic, entry.data, entry.log_time, entry.publish_time, entry.sequence)
            else:
                name, definition, qos = entry
                self._writer.add_topic(name, definition.type, qos, definition)
        now = time.monotonic()
        self._writer.flush_when_due(now)
        self.size = self._writer.size
        if now >= self._space_due:
            self._space_due = now + SPACE_INTERVAL
            check_space(self.folder, self._reserve)
        return not ending

    def _end(self):
        custom, reason, lost = self._ending
        lost = lost + self.dropped
        complete = reason or (f'no, lost {told(lost)}' if lost else COMPLETE)
        self._writer.close(custom, complete)
        self.size = self._writer.path.stat().st_size
        self._closed = Closed(self.folder, self.messages, lost, complete)

    def _fail(self, text, closes):
        with self._condition:
            self.failure = text
            self.dropped += self._accepted - Counter(self._writer.counts)
            self._queue, self._queued = [], 0
        closed = closes and self._try_to_close(text)
        if not closed:
            self._writer.abandon()
        self._closed = Closed(self.folder, self.messages, self.dropped, f'no, {text}', closed)
        self._on_failure(text)

    def _try_to_close(self, text):
        try:
            self._writer.close(complete=f'no, {text}')
            return True
        except OSError:
            return False


def told(lost):
    """Counts per topic in words."""
    return f'{sum(lost.values())} messages: ' + ', '.join(f'{count} of {topic}' for topic, count in lost.most_common())
