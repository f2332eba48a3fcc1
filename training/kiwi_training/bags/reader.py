"""One recorded rollout: a rosbag2 folder, read with the message types it brings along."""

import re
import struct
from dataclasses import dataclass
from json import JSONDecodeError, loads
from pathlib import Path

METADATA = 'metadata.yaml'
PARAMETER_EVENTS = 'parameter_events'
_MARK = '/executor/action'
_TRUTH = {'true': True, 'false': False}


class BagError(Exception):
    """A bag cannot be read. The text names the folder and the reason."""


@dataclass(frozen=True)
class Record:
    """A message as it was recorded.

    Attributes:
        topic: relative to the bag's namespace, e.g. joint_states.
        log_time: ns, when the recorder received it.
        message: an object with the message's fields, or its CDR bytes.
    """

    topic: str
    log_time: int
    message: object


class Bag:
    """A bag folder as `recorder_node`, `kiwi-bags from-dataset` or rosbag2 wrote it.

    Args:
        folder: with metadata.yaml and the files it names.

    Attributes:
        folder: Path.
        topics: relative name -> number of messages. Topics outside the namespace keep their leading slash,
            except parameter_events.
        types: relative name -> message type.
        start, end: ns, log times of the first and the last message; 0 where there is none.
        custom: all custom_data of the metadata, strings.
        details: what was asked for (seed, task, index ...), {} where nothing is on record.
        outcome: as judged, '' where it was not.
        success: bool, or None where nobody judged.
        complete: 'true', or why the recording is not whole; 'unknown' in bags of other recorders.
        namespace: with a leading and without a trailing slash, '' for none.

    Raises:
        BagError: `folder` is no bag, has no metadata yet, or they make no sense.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        facts = _metadata(self.folder)
        try:
            listed = [(entry['topic_metadata']['name'], entry['topic_metadata']['type'], int(entry['message_count']))
                      for entry in facts['topics_with_message_count']]
            self.start = int(facts['starting_time']['nanoseconds_since_epoch']) if facts['message_count'] else 0
            self.end = self.start + int(facts['duration']['nanoseconds'])
            files = [self.folder / Path(name).name for name in facts['relative_file_paths']]
            self.custom = {str(key): str(value) for key, value in (facts.get('custom_data') or {}).items()}
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise BagError(f'{self.folder}: {METADATA} makes no sense: {type(error).__name__}: {error}') from None
        missing = [path.name for path in files if not path.is_file()]
        if missing:
            raise BagError(f'{self.folder}: {METADATA} names {", ".join(missing)}, which is not there')
        self.files = tuple(files)
        self.namespace = self._namespace(listed)
        self.topics, self.types = {}, {}
        for name, kind, count in listed:
            relative = self._relative(name)
            self.topics[relative] = self.topics.get(relative, 0) + count
            self.types[relative] = kind
        self.details = self._details()
        self.outcome = self.custom.get('outcome', '')
        self.success = _TRUTH.get(self.custom.get('success', '').lower())
        if self.custom.get('labelled', 'true').lower() == 'false':
            self.success = None
        self.complete = self.custom.get('complete', 'unknown')

    @property
    def seconds(self):
        """s between the first and the last message."""
        return (self.end - self.start) / 1e9

    @property
    def size(self):
        """Bytes of the recording's files."""
        return sum(path.stat().st_size for path in self.files)

    @property
    def cameras(self):
        """Names of the cameras on record, in the order of their names."""
        prefix, suffix = 'camera/', '/image_raw/compressed'
        return tuple(sorted(topic[len(prefix):-len(suffix)] for topic in self.topics
                            if topic.startswith(prefix) and topic.endswith(suffix)))

    def records(self, *topics):
        """Yield a `Record` per message of these topics (none named: of all), in the order of log times."""
        return self._read(topics, lambda reader, connection, data: reader.deserialize(data, connection.msgtype))

    def raw(self, *topics):
        """As `records`, with the messages' CDR bytes."""
        return self._read(topics, lambda _reader, _connection, data: bytes(data))

    def require(self, *topics):
        """Raise BagError where one of these topics holds no message."""
        lacking = [topic for topic in topics if not self.topics.get(topic)]
        if lacking:
            there = ', '.join(topic for topic, count in self.topics.items() if count) or 'no message at all'
            raise BagError(f'{self.folder}: nothing on record of {", ".join(lacking)}; there is {there}')

    def _read(self, topics, content):
        from rosbags.highlevel import AnyReader, AnyReaderError
        from rosbags.rosbag2 import ReaderError

        try:
            with AnyReader([self.folder]) as reader:
                wanted = [each for each in reader.connections
                          if each.msgcount and (not topics or self._relative(each.topic) in topics)]
                for connection, log_time, data in reader.messages(connections=wanted) if wanted else ():
                    yield Record(self._relative(connection.topic), log_time, content(reader, connection, data))
        except (AnyReaderError, ReaderError, OSError, EOFError, AssertionError, struct.error) as error:
            raise BagError(f'{self.folder}: cannot be read: {str(error) or type(error).__name__}. Is a file cut off? '
                           f'`kiwi-bags recover {self.folder}` saves what there is') from error

    def _relative(self, name):
        if name == f'/{PARAMETER_EVENTS}':
            return PARAMETER_EVENTS
        return name.removeprefix(f'{self.namespace}/')

    def _namespace(self, listed):
        if 'namespace' in self.custom:
            inner = self.custom['namespace'].strip('/')
            return f'/{inner}' if inner else ''
        return next((name.removesuffix(_MARK) for name, _, _ in listed if name.endswith(_MARK)), '')

    def _details(self):
        try:
            details = loads(self.custom.get('details') or '{}')
        except JSONDecodeError as error:
            raise BagError(f'{self.folder}: details in {METADATA} are no JSON: {error}') from None
        return details if isinstance(details, dict) else {'details': details}


def find_bags(paths):
    """Bag folders at or below these paths, sorted within each: a bag itself, or any folder of bags.

    An incomplete bag (an MCAP file without metadata.yaml) counts, so that it is not passed over in silence.

    Raises:
        BagError: a path is no folder, or has no bag.
    """
    found = []
    for path in map(Path, paths):
        if not path.is_dir():
            raise BagError(f'{path}: is no folder; a bag is a folder with {METADATA} and MCAP files'
                           if path.exists() else f'{path}: does not exist')
        folders = {file.parent for pattern in (METADATA, '*.mcap') for file in path.rglob(pattern)}
        if not folders:
            raise BagError(f'{path}: no bag there or below; a bag is a folder with {METADATA} and MCAP files')
        found += sorted(folders, key=_natural)
    return list(dict.fromkeys(found))


def _natural(path):
    return [(int(part), '') if part.isdigit() else (-1, part) for part in re.split(r'(\d+)', str(path)) if part]


def _metadata(folder):
    from ruamel.yaml import YAML, YAMLError

    if not folder.is_dir():
        raise BagError(f'{folder}: is no folder; a bag is a folder with {METADATA} and MCAP files'
                       if folder.exists() else f'{folder}: does not exist')
    path = folder / METADATA
    if not path.is_file():
        if any(folder.glob('*.mcap*')):
            raise BagError(f'{folder}: has no {METADATA}: the recording did not end. '
                           f'`kiwi-bags recover {folder}` completes it')
        raise BagError(f'{folder}: is no bag: it has neither {METADATA} nor an MCAP file')
    try:
        return YAML(typ='safe').load(path.read_text())['rosbag2_bagfile_information']
    except (OSError, UnicodeDecodeError, YAMLError, KeyError, TypeError) as error:
        raise BagError(f'{folder}: {METADATA} cannot be read: {type(error).__name__}: {error}') from None
