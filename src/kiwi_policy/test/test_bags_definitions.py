import pytest
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from kiwi_policy.bags.definitions import DefinitionError, definition

STANDARD = ('sensor_msgs/msg/CompressedImage', 'sensor_msgs/msg/JointState', 'geometry_msgs/msg/TwistStamped',
            'diagnostic_msgs/msg/DiagnosticArray', 'rcl_interfaces/msg/ParameterEvent', 'std_msgs/msg/Header')
OURS = ('ActionChunk', 'ChunkRequest', 'EpisodeResult', 'ExecutedAction', 'ExecutorStatus', 'PolicyInfo',
        'TakeoverCommand', 'TaskState')


@pytest.mark.parametrize('name', STANDARD)
def test_hashes_of_standard_types_are_those_of_jazzy(name):
    store = get_typestore(Stores.ROS2_JAZZY)
    assert definition(name).type_hash == store.hash_rihs01(name)


@pytest.mark.parametrize('name', [*STANDARD, *(f'kiwi_msgs/msg/{name}' for name in OURS)])
def test_text_holds_all_types_used_and_hashes_to_the_same(name):
    found = definition(name)
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(found.text, name))
    assert store.hash_rihs01(name) == found.type_hash


def test_text_has_the_form_that_rosbag2_writes():
    text = definition('geometry_msgs/msg/TwistStamped').text
    rule = '=' * 80
    parts = text.split(f'\n{rule}\n')
    assert [part.splitlines()[0] for part in parts[1:]] == [
        'MSG: geometry_msgs/Twist', 'MSG: geometry_msgs/Vector3', 'MSG: std_msgs/Header',
        'MSG: builtin_interfaces/Time']
    assert 'std_msgs/Header header' in parts[0]


@pytest.mark.parametrize(('name', 'words'), [
    ('no_such_msgs/msg/Thing', ['no_such_msgs', 'not installed']),
    ('std_msgs/msg/NoSuchThing', ['std_msgs/msg/NoSuchThing', 'there is no']),
    ('Thing', ["'Thing'", 'sensor_msgs/msg/JointState']),
    ('a//b', ['a//b']),
])
def test_an_unknown_type_is_named(name, words):
    with pytest.raises(DefinitionError) as error:
        definition(name)
    assert all(word in str(error.value) for word in words)
