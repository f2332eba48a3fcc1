"""What recorder_node records."""

from dataclasses import dataclass

from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import TwistStamped
from kiwi_msgs.msg import (
    ActionChunk,
    ChunkRequest,
    EpisodeResult,
    ExecutedAction,
    ExecutorStatus,
    PolicyInfo,
    TakeoverCommand,
    TaskState,
)
from rcl_interfaces.msg import ParameterEvent
from rclpy.qos import qos_profile_parameter_events
from sensor_msgs.msg import CompressedImage, JointState

from kiwi_policy.bags.offered_qos import OfferedQos
from kiwi_policy.nodes import qos

PARAMETER_EVENTS = '/parameter_events'
SNAPSHOT = 'recorder/parameters'
"""Where recorder_node itself publishes the parameters of the others; recorded as PARAMETER_EVENTS."""

RESULT = 'rollout/result'
POLICY_INFO = 'policy_info'
_ANY_RELIABILITY = qos.CAMERA


@dataclass(frozen=True)
class RecordedTopic:
    """A topic to record.

    Attributes:
        name: relative to the namespace, or absolute.
        type: message class.
        profile: what its publishers offer.
        recorded_as: name in the bag where it is another one.
        latched: the newest message is recorded again at the start of every bag.
    """

    name: str
    type: type
    profile: object
    recorded_as: str = ''
    latched: bool = False


def topics(cameras):
    """Every `RecordedTopic`, those of the cameras included."""
    return (
        RecordedTopic(POLICY_INFO, PolicyInfo, qos.LATCHED, latched=True),
        RecordedTopic('joint_states', JointState, qos.STATE),
        RecordedTopic('base_velocity', TwistStamped, qos.STATE),
        RecordedTopic('chunk_request', ChunkRequest, qos.REQUEST),
        RecordedTopic('action_chunk', ActionChunk, qos.CHUNK),
        RecordedTopic('executor/action', ExecutedAction, qos.ACTION),
        RecordedTopic('executor/status', ExecutorStatus, qos.STATUS),
        RecordedTopic('diagnostics', DiagnosticArray, qos.STATUS),
        RecordedTopic('sim/task_state', TaskState, qos.STATE),
        RecordedTopic('takeover/command', TakeoverCommand, _ANY_RELIABILITY),
        RecordedTopic(RESULT, EpisodeResult, qos.STATUS),
        RecordedTopic(PARAMETER_EVENTS, ParameterEvent, qos_profile_parameter_events),
        RecordedTopic(SNAPSHOT, ParameterEvent, qos_profile_parameter_events, recorded_as=PARAMETER_EVENTS),
        *(RecordedTopic(f'camera/{camera}/image_raw/compressed', CompressedImage, qos.CAMERA) for camera in cameras),
    )


def type_name(message_class):
    """E.g. sensor_msgs/msg/JointState."""
    package, folder, *_ = message_class.__module__.split('.')
    return f'{package}/{folder}/{message_class.__name__}'


def offered(info):
    """`OfferedQos` of a publisher's TopicEndpointInfo."""
    profile = info.qos_profile
    return OfferedQos(
        history=profile.history.short_key, depth=profile.depth, reliability=profile.reliability.short_key,
        durability=profile.durability.short_key, deadline=profile.deadline.nanoseconds,
        lifespan=profile.lifespan.nanoseconds, liveliness=profile.liveliness.short_key,
        liveliness_lease_duration=profile.liveliness_lease_duration.nanoseconds,
        avoid_ros_namespace_conventions=profile.avoid_ros_namespace_conventions)
