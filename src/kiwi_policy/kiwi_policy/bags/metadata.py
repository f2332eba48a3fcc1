"""metadata.yaml of a bag folder, as rosbag2 writes its version 9."""

import os
from dataclasses import dataclass, field

import yaml

VERSION = 9
FILE = 'metadata.yaml'
NO_START = 2**63 - 1
"""Start of a bag without messages, as rosbag2 has it."""


@dataclass
class Topic:
    """One topic of a bag.

    Attributes:
        name: absolute.
        definition: `definitions.Definition` of its type.
        qos: tuple of `offered_qos.OfferedQos`.
        messages: number written.
    """

    name: str
    definition: object
    qos: tuple = ()
    messages: int = 0

    def to_dict(self):
        """Its entry in metadata.yaml."""
        return {
            'topic_metadata': {
                'name': self.name, 'type': self.definition.type, 'serialization_format': 'cdr',
                'offered_qos_profiles': [profile.to_dict() for profile in self.qos],
                'type_description_hash': self.definition.type_hash,
            },
            'message_count': self.messages,
        }


@dataclass
class Extent:
    """What a bag holds.

    Attributes:
        file: name of the MCAP file.
        topics: topic name -> `Topic`.
        start, end: ns, of the earliest and latest message by its log time.
        custom: texts kept with the recording.
    """

    file: str
    topics: dict = field(default_factory=dict)
    start: int = NO_START
    end: int = 0
    custom: dict = field(default_factory=dict)

    @property
    def messages(self):
        """Number of messages."""
        return sum(topic.messages for topic in self.topics.values())

    def count(self, topic, log_time):
        """Count a message."""
        topic.messages += 1
        self.start = min(self.start, log_time)
        self.end = max(self.end, log_time)

    def to_dict(self):
        """The content of metadata.yaml below rosbag2_bagfile_information."""
        start = {'nanoseconds_since_epoch': self.start}
        duration = {'nanoseconds': max(self.end - self.start, 0)}
        return {
            'version': VERSION, 'storage_identifier': 'mcap', 'duration': duration, 'starting_time': start,
            'message_count': self.messages,
            'topics_with_message_count': [topic.to_dict() for topic in self.topics.values()],
            'compression_format': '', 'compression_mode': '', 'relative_file_paths': [self.file],
            'files': [{'path': self.file, 'starting_time': start, 'duration': duration,
                       'message_count': self.messages}],
            'custom_data': dict(self.custom), 'ros_distro': os.environ.get('ROS_DISTRO', 'unknown'),
        }


class _Dumper(yaml.SafeDumper):
    """Writes a value out each time it occurs, never as a reference."""

    def ignore_aliases(self, data):
        return True


def to_yaml(content):
    """Content as YAML in its own order."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True,
                     width=2**20)


def file_text(extent):
    """The text of metadata.yaml."""
    return to_yaml({'rosbag2_bagfile_information': extent.to_dict()})
