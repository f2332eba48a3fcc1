"""Takes serialized messages from the middleware, in batches and apart from the node's executor.

An executor that is woken by every message costs a multiple of taking the messages that have come every few ms. The
receive times are the middleware's own.
"""

import threading
import time
from collections import Counter

from rclpy.callback_groups import ReentrantCallbackGroup

from kiwi_policy.bags.definitions import definition
from kiwi_policy.bags.recording import Item
from kiwi_policy.nodes import qos
from kiwi_policy.nodes.recorder_topics import offered, type_name

IDLE_INTERVAL = 0.25
"""s between two looks at the topics while nothing is recorded."""


class _Polled(ReentrantCallbackGroup):
    """Subscriptions that no executor takes from."""

    def can_execute(self, _entity):
        return False


class _Source:
    """One subscription, and what is known of its topic."""

    def __init__(self, node, topic, depth, group):
        self.topic = topic
        self.name = node.resolve_topic_name(topic.name)
        self.recorded_as = topic.recorded_as or self.name
        self.definition = definition(type_name(topic.type))
        self.offered = ()
        self.newest = None      # (data, publish time, sequence) of a latched topic
        self.sequence = None
        self.lost = 0           # messages since `begin`, by gaps in the count of a topic's only publisher
        self._node = node

        self.subscription = node.create_subscription(
            topic.type, topic.name, lambda _data: None, qos.recorded(topic.profile, depth), callback_group=group,
            event_callbacks=qos.NO_EVENTS, raw=True)

    def begin(self):
        """A recording begins."""
        self.sequence, self.lost = None, 0

    def look_up(self):
        """Ask who publishes; what was known is kept where nobody does now."""
        self.offered = tuple(map(offered, self._node.get_publishers_info_by_topic(self.name))) or self.offered
        return self.offered

    def take(self):
        """Yield (data, receive time, publish time, sequence) of what has come; times in ns."""
        while True:
            with self.subscription.handle:
                taken = self.subscription.handle.take_message(self.topic.type, True)
            if taken is None:
                return
            data, info = taken
            now = time.time_ns()
            received = info['received_timestamp'] or now
            sequence = info['publication_sequence_number'] or 0
            self._watch(sequence)
            yield data, received, info['source_timestamp'] or received, sequence

    def _watch(self, sequence):
        if self.sequence is not None and sequence > self.sequence + 1 and self.subscription.get_publisher_count() == 1:
            self.lost += sequence - self.sequence - 1
        self.sequence = sequence


class Intake:
    """Hands what a node's topics receive to a `Recording`.

    Args:
        node: rclpy node.
        topics: `RecordedTopic`s.
        depth: messages per topic that may wait in the middleware.
        interval: s between two looks while recording.
    """

    def __init__(self, node, topics, depth, interval):
        group = _Polled()
        self._sources = [_Source(node, topic, depth, group) for topic in topics]
        self._interval = interval
        self._lock = threading.Lock()
        self._recording = self._known = None
        self._since = 0
        self._closed = threading.Event()
        self._awake = threading.Event()
        self._thread = threading.Thread(target=self._run, name='intake', daemon=True)
        self._thread.start()

    def begin(self, recording, now):
        """Hand everything received from `now` (ns) on to a `Recording`, the newest of latched topics first."""
        with self._lock:
            self._take(lambda items: None)
            self._recording, self._known, self._since = recording, set(), now
            for source in self._sources:
                source.begin()
                if source.look_up():
                    self._announce(source)
                if source.newest is not None:
                    data, published, sequence = source.newest
                    self._announce(source)
                    recording.offer([Item(source.recorded_as, data, now, published, sequence)])
        self._awake.set()

    def end(self):
        """Hand on what has been received up to now, and nothing after it. Returns topic -> messages lost."""
        with self._lock:
            if self._recording is not None:
                self._take(self._recording.offer)
            self._recording = None
            self._awake.clear()
            return self.lost()

    def lost(self):
        """Topic -> messages lost since `begin`; without those that lost none."""
        lost = Counter()
        for source in self._sources:
            lost[source.recorded_as] += source.lost
        return +lost

    def newest(self, name):
        """Serialized newest message of a latched topic, by its relative name; None before there is one."""
        source, = (source for source in self._sources if source.topic.name == name)
        return source.newest[0] if source.newest else None

    def close(self):
        """End the thread."""
        self._closed.set()
        self._awake.set()
        self._thread.join()

    def _run(self):
        while not self._closed.is_set():
            with self._lock:
                self._take(self._recording.offer if self._recording is not None else lambda items: None)
            if self._recording is not None:
                self._closed.wait(self._interval)
            else:
                self._awake.wait(IDLE_INTERVAL)

    def _take(self, hand_on):
        items = []
        for source in self._sources:
            for data, received, published, sequence in source.take():
                if source.topic.latched:
                    source.newest = data, published, sequence
                if self._recording is None or received < self._since:
                    continue
                if source.recorded_as not in self._known:
                    source.look_up()
                    self._announce(source)
                items.append(Item(source.recorded_as, data, received, published, sequence))
        items.sort(key=lambda item: item.log_time)
        if items:
            hand_on(items)

    def _announce(self, source):
        if source.recorded_as not in self._known:
            self._known.add(source.recorded_as)
            self._recording.add_topic(source.recorded_as, source.definition, source.offered)
