"""Writes one MCAP file of serialized messages, such as rosbag2's storage plugin writes."""

import os
from pathlib import Path

from mcap.writer import CompressionType, Writer

from kiwi_policy.bags import metadata
from kiwi_policy.bags.definitions import definition as installed_definition
from kiwi_policy.bags.files import sync_folder
from kiwi_policy.bags.metadata import Extent, Topic
from kiwi_policy.bags.offered_qos import to_yaml

PROFILE = 'ros2'
RECORD = 'kiwi'
"""Name of the MCAP metadata records with the custom texts; the last one counts."""

FLUSH_INTERVAL = 0.8
"""s between two hand-overs to the operating system; with a queue before it a killed process loses a second."""

CHUNK = 2 * 2**20
"""bytes after which a chunk ends anyway."""

COMPLETE = 'true'
UNFINISHED = 'no, the recording was cut off'
COMPRESSIONS = {'none': CompressionType.NONE, 'lz4': CompressionType.LZ4, 'zstd': CompressionType.ZSTD}


class McapFile:
    """Writes an MCAP file; for one thread. After an OSError only `abandon` makes sense.

    Args:
        path: of the file, must not exist.
        custom: dict of texts kept with the recording, e.g. episode_id, details.
        compression: of chunks: none (JPEG images do not compress), lz4 or zstd.
        name: of the file in its metadata, where it is to be renamed; default: that of `path`.

    Raises:
        FileExistsError: the file exists.
        ValueError: unknown compression, or a custom value that is no text.
    """

    def __init__(self, path, custom=None, compression='none', name=None):
        custom = check(custom, compression)
        self.path = Path(path)
        self.extent = Extent(name or self.path.name, custom={'complete': UNFINISHED} | custom)
        self._channels, self._schemas = {}, {}
        self._flushed = None
        self._file = open(self.path, 'xb', buffering=2**16)
        try:
            self._writer = Writer(self._file, chunk_size=CHUNK, compression=COMPRESSIONS[compression])
            self._writer.start(profile=PROFILE)
            self._write_metadata()
            self.flush()
        except BaseException:
            self.abandon()
            raise

    @property
    def messages(self):
        """Number of messages written."""
        return self.extent.messages

    @property
    def counts(self):
        """Topic -> number of messages written."""
        return {name: topic.messages for name, topic in self.extent.topics.items()}

    @property
    def size(self):
        """bytes handed to the file so far."""
        return self._file.tell()

    def add_topic(self, name, type_name, qos=(), definition=None):
        """Announce a topic; messages may be written to it from then on. A topic that is known stays as it is.

        Args:
            name: absolute topic name.
            type_name: e.g. sensor_msgs/msg/JointState.
            qos: `OfferedQos` of each of its publishers.
            definition: `Definition` of the type; default: the installed one.

        Raises:
            DefinitionError: the type is not installed here.
            ValueError: the topic is known with another type.
        """
        known = self.extent.topics.get(name)
        if known is not None:
            if known.definition.type != type_name:
                raise ValueError(f'topic {name} holds {known.definition.type}, it cannot take {type_name} too')
            return
        topic = Topic(name, definition or installed_definition(type_name), tuple(qos))
        if type_name not in self._schemas:
            self._schemas[type_name] = self._writer.register_schema(
                type_name, topic.definition.encoding, topic.definition.text.encode())
        self._channels[name] = self._writer.register_channel(
            name, 'cdr', self._schemas[type_name],
            {'offered_qos_profiles': to_yaml(topic.qos), 'topic_type_hash': topic.definition.type_hash})
        self.extent.topics[name] = topic

    def write(self, name, data, log_time, publish_time=None, sequence=0):
        """Write a serialized message.

        Args:
            name: a topic that was added.
            data: bytes, CDR with its encapsulation header.
            log_time: ns since 1970, when it was received.
            publish_time: ns since 1970, when it was published; default: log_time.
            sequence: the publisher's count, 0 where unknown.

        Raises:
            KeyError: the topic was not added.
            OSError: the file cannot be written, e.g. since the disk is full.
        """
        channel = self._channels[name]
        self._writer.add_message(channel, log_time, data, log_time if publish_time is None else publish_time, sequence)
        self.extent.count(self.extent.topics[name], log_time)

    def flush_when_due(self, now):
        """Hand what is buffered to the operating system, where FLUSH_INTERVAL has passed since the last time.

        Args:
            now: s on any steady clock.
        """
        if self._flushed is None or now - self._flushed >= FLUSH_INTERVAL:
            self._flushed = now
            self.flush()

    def flush(self):
        """Hand what is buffered to the operating system, so that it outlives this process."""
        self._writer.flush()

    def finish(self, custom=None, complete=COMPLETE):
        """Write what is left and the index, and bring the file to disk.

        Args:
            custom: texts added to those given at the start, e.g. outcome.
            complete: 'true', or why the recording is not complete.
        """
        self.extent.custom |= check(custom) | {'complete': complete}
        self._writer.flush()
        self._write_metadata()
        self._writer.finish()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        sync_folder(self.path.parent)

    def abandon(self):
        """Close the file as it is. Never raises."""
        try:
            self._file.close()
        except OSError:
            pass

    def _write_metadata(self):
        self._writer.add_metadata('rosbag2', {'serialized_metadata': metadata.to_yaml(self.extent.to_dict())})
        self._writer.add_metadata(RECORD, self.extent.custom)


def check(custom, compression='none'):
    """A copy of a dict of texts, empty for None. Raises ValueError for a value that is no text, or that compression."""
    if compression not in COMPRESSIONS:
        raise ValueError(f'compression is {compression!r}; it may be {", ".join(COMPRESSIONS)}')
    for key, value in (custom or {}).items():
        if not isinstance(value, str):
            raise ValueError(f'{key} of the recording must be a text, got {value!r}')
    return dict(custom or {})
