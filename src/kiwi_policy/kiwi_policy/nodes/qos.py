"""Quality of service per topic, in one place."""

from rclpy.event_handler import SubscriptionEventCallbacks
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy


def _profile(depth, reliable=True, latched=False):
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE)


CAMERA = _profile(1, reliable=False)
STATE = _profile(5)
TAKEOVER = _profile(1, reliable=False)      # an old command of an operator is worth nothing
OPERATOR = _profile(1)                      # sent reliably, so that either kind of reader can have it
CHUNK = _profile(5)
REQUEST = _profile(1)
LATCHED = _profile(1, latched=True)
STATUS = _profile(10)
ACTION = _profile(60)


NO_EVENTS = SubscriptionEventCallbacks(use_default_callbacks=False)
"""For subscriptions whose messages may lie untaken for a while. In Fast DDS a wait for events of one then returns at
once, and the executor spins."""


def recorded(profile, depth):
    """The profile of a recorder's subscription to what is published with `profile`: as that, with a longer queue."""
    return QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=depth, reliability=profile.reliability,
                      durability=profile.durability)
