"""The quality of service that a topic's publishers offer, in the words of rosbag2's files."""

from dataclasses import asdict, dataclass

import yaml

INFINITE = 2**63 - 1
"""ns, a duration without a bound."""

_DURATIONS = ('deadline', 'lifespan', 'liveliness_lease_duration')


@dataclass(frozen=True)
class OfferedQos:
    """One publisher's profile; `ros2 bag play` offers the same again.

    Attributes:
        history: keep_last, keep_all, system_default or unknown (what the middleware tells of a remote publisher).
        depth: messages, 0 where unknown.
        reliability: reliable, best_effort, ...
        durability: volatile, transient_local, ...
        deadline, lifespan, liveliness_lease_duration: ns.
        liveliness: automatic, manual_by_topic, ...
        avoid_ros_namespace_conventions: whether the topic has no ROS prefix in the middleware.
    """

    history: str = 'unknown'
    depth: int = 0
    reliability: str = 'reliable'
    durability: str = 'volatile'
    deadline: int = INFINITE
    lifespan: int = INFINITE
    liveliness: str = 'automatic'
    liveliness_lease_duration: int = INFINITE
    avoid_ros_namespace_conventions: bool = False

    def to_dict(self):
        """As rosbag2 (metadata version 9) writes it."""
        return {key: {'sec': value // 10**9, 'nsec': value % 10**9} if key in _DURATIONS else value
                for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, entry):
        """The inverse of `to_dict`."""
        return cls(**{key: value['sec'] * 10**9 + value['nsec'] if key in _DURATIONS else value
                      for key, value in entry.items()})


def to_yaml(profiles):
    """Profiles as the text that an MCAP channel carries."""
    entries = [profile.to_dict() for profile in profiles]
    return yaml.safe_dump(entries, sort_keys=False, default_flow_style=False).strip()


def from_yaml(text):
    """The inverse of `to_yaml`, a tuple."""
    return tuple(OfferedQos.from_dict(entry) for entry in yaml.safe_load(text) or ())
