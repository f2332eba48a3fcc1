"""Messages for bags, and both public readers of the format."""

from pathlib import Path

import numpy as np
import yaml
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

STORE = get_typestore(Stores.ROS2_JAZZY)
START = 1_700_000_000_000_000_000
JOINTS, IMAGE, TEXT = 'sensor_msgs/msg/JointState', 'sensor_msgs/msg/CompressedImage', 'std_msgs/msg/String'


def header(seconds=0):
    return STORE.types['std_msgs/msg/Header'](STORE.types['builtin_interfaces/msg/Time'](seconds, 0), '')


def joints(index):
    """CDR bytes of a JointState that tells its index."""
    values = np.array([0.5 * index, -1.0])
    message = STORE.types[JOINTS](header(index), ['a', 'bc'], values, np.array([]), np.array([]))
    return bytes(STORE.serialize_cdr(message, JOINTS))


def image(index, size=100):
    """CDR bytes of a CompressedImage."""
    data = np.full(size + index, index % 256, np.uint8)
    return bytes(STORE.serialize_cdr(STORE.types[IMAGE](header(), 'jpeg', data), IMAGE))


def text(value):
    """CDR bytes of a String."""
    return bytes(STORE.serialize_cdr(STORE.types[TEXT](value), TEXT))


def metadata(folder):
    """The content of metadata.yaml below its only key."""
    content = yaml.safe_load((Path(folder) / 'metadata.yaml').read_text())
    assert list(content) == ['rosbag2_bagfile_information']
    return content['rosbag2_bagfile_information']


def read_with_rosbags(folder):
    """[(topic, log time, CDR bytes, message)] as `rosbags` reads a bag."""
    with AnyReader([Path(folder)]) as reader:
        return [(connection.topic, stamp, bytes(data), reader.deserialize(data, connection.msgtype))
                for connection, stamp, data in reader.messages()]


def read_with_mcap(folder):
    """[(topic, log time, CDR bytes, message)] as `mcap` and `mcap-ros2-support` read a bag's file."""
    with open(mcap_file(folder), 'rb') as file:
        reader = make_reader(file, validate_crcs=True, decoder_factories=[DecoderFactory()])
        return [(channel.topic, message.log_time, message.data, decoded)
                for _, channel, message, decoded in reader.iter_decoded_messages()]


def mcap_file(folder):
    """The only MCAP file of a bag."""
    path, = Path(folder).glob('*.mcap')
    return path


def records_of(folder, name):
    """The MCAP metadata records of a name, in file order."""
    with open(mcap_file(folder), 'rb') as file:
        return [record.metadata for record in make_reader(file).iter_metadata() if record.name == name]
