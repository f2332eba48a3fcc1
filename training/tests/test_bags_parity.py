"""What a bag gives for a chunk's tick is what policy_node was shown, bit for bit; recorded while it ran."""

import itertools
import json
import sys
import time
from pathlib import Path

import bag_fixture
import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / 'src' / 'kiwi_policy' / 'test'))

from geometry_msgs.msg import TwistStamped  # noqa: E402
from graph_support import claim_domain  # noqa: E402
from kiwi_msgs.msg import ActionChunk, ChunkRequest, ExecutedAction  # noqa: E402
from nodes_support import FakeInfo, FakePolicy  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from sensor_msgs.msg import CompressedImage, JointState  # noqa: E402

from kiwi_policy.bags.writer import BagWriter  # noqa: E402
from kiwi_policy.core.features import CAMERAS, NAMES  # noqa: E402
from kiwi_policy.core.states import Source  # noqa: E402
from kiwi_policy.nodes import conversions, qos  # noqa: E402
from kiwi_policy.nodes.images import encode_rgb  # noqa: E402
from kiwi_policy.nodes.policy_node import PolicyNode  # noqa: E402
from kiwi_training.bags.frames import Choice, FrameSource  # noqa: E402
from kiwi_training.bags.reader import Bag  # noqa: E402
from kiwi_training.bags.rollout import RecordedRollout  # noqa: E402

PATIENCE = 60.0     # s; bounds hangs only
CHUNKS = 8
TOPICS = {
    'joint_states': (JointState, qos.STATE), 'base_velocity': (TwistStamped, qos.STATE),
    'action_chunk': (ActionChunk, qos.CHUNK), 'chunk_request': (ChunkRequest, qos.REQUEST),
    'executor/action': (ExecutedAction, qos.ACTION),
    **{f'camera/{camera}/image_raw/compressed': (CompressedImage, qos.CAMERA) for camera in CAMERAS},
}


def kind(message_class):
    return f'{message_class.__module__.split(".")[0]}/msg/{message_class.__name__}'


class Robot:
    """Publishes states, images and requests tick by tick; records all topics as they arrive."""

    def __init__(self, node, folder):
        self._bag = BagWriter(folder, {'details': json.dumps({'task': 'pick'}), 'episode_id': 'e', 'namespace': ''})
        self._out, self.chunks = {}, 0
        for topic, (message, profile) in TOPICS.items():
            self._bag.add_topic(f'/{topic}', kind(message))
            if topic != 'action_chunk':
                self._out[topic] = node.create_publisher(message, topic, profile)
            node.create_subscription(message, topic, lambda data, topic=topic: self._hear(topic, data), profile, raw=True)

    def connected(self):
        """Both the recording and the policy hear what is sent."""
        return all(publisher.get_subscription_count() >= (1 if topic == 'executor/action' else 2)
                   for topic, publisher in self._out.items())

    def tick(self, number):
        """One control tick: images before the state at even ticks, after it at odd ones."""
        stamp = bag_fixture.EPOCH + number * bag_fixture.PERIOD_NS
        if number % 2 == 0:
            self._look(number, stamp)
        joints, base = conversions.state_messages(stamp, bag_fixture.state_at(number))
        self._out['joint_states'].publish(joints)
        self._out['base_velocity'].publish(base)
        if number % 3 == 0:
            request = ChunkRequest(request_id=number + 1, episode_id='e', task='pick', names=list(NAMES), period=1 / 30)
            request.header.stamp = conversions.to_stamp(stamp)
            self._out['chunk_request'].publish(request)
        action = ExecutedAction(episode_id='e', names=list(NAMES), source=int(Source.CHUNK), index=0,
                                command=bag_fixture.command_at(number).tolist(),
                                measured=bag_fixture.state_at(number).tolist())
        action.header.stamp = conversions.to_stamp(stamp)
        self._out['executor/action'].publish(action)
        if number % 2:
            self._look(number, stamp)

    def close(self):
        """Complete the bag."""
        self._bag.close()

    def _look(self, number, stamp):
        for camera in CAMERAS:
            message = CompressedImage(format='jpeg', data=encode_rgb(bag_fixture.picture_at(number, camera)))
            message.header.stamp = conversions.to_stamp(stamp - 5_000_000)
            self._out[f'camera/{camera}/image_raw/compressed'].publish(message)

    def _hear(self, topic, data):
        self.chunks += topic == 'action_chunk'
        self._bag.write(f'/{topic}', bytes(data), time.time_ns())


@pytest.fixture(scope='module')
def recorded(tmp_path_factory):
    """(bag, what the policy was shown for chunk 1, 2, ...)."""
    folder = tmp_path_factory.mktemp('parity') / 'bag'
    policy = FakePolicy(FakeInfo(n_obs_steps=1))
    domain, held = claim_domain()
    rclpy.init(domain_id=domain, args=['--ros-args', *itertools.chain(*(
        ('-p', f'{name}:={value}') for name, value in (('warm_up', 0), ('max_image_age', 5.0), ('max_state_age', 5.0),
                                                       ('frozen_after', 5.0), ('wait_for_inputs', 5.0))))])
    executor, number = SingleThreadedExecutor(), 0
    node = PolicyNode(lambda parameters: policy)
    world = rclpy.create_node('world')
    try:
        robot = Robot(world, folder)
        for each in (node, world):
            executor.add_node(each)
        deadline, due = time.monotonic() + PATIENCE, time.monotonic()
        while robot.chunks < CHUNKS and time.monotonic() < deadline:
            executor.spin_once(timeout_sec=0.002)
            if robot.connected() and time.monotonic() >= due:
                robot.tick(number)
                number, due = number + 1, time.monotonic() + 1 / 30
        robot.close()
    finally:
        node.close()
        executor.shutdown()
        node.destroy_node()
        world.destroy_node()
        rclpy.shutdown()
        held.close()
    assert robot.chunks >= CHUNKS
    return Bag(folder), [shown[0][-1] for shown in policy.shown]


def test_a_frame_from_the_bag_is_what_the_policy_was_shown(recorded):
    bag, shown = recorded
    rollout = RecordedRollout.load(bag)
    source = FrameSource(rollout, CAMERAS)
    [frames], _ = source.episodes(Choice(min_frames=1))
    by_stamp = {int(rollout.ticks.stamps[frame.tick]): (frame, pictures) for frame, pictures in source.decoded(frames)}
    compared = 0
    for chunk in rollout.chunks:
        frame, pictures = by_stamp[chunk.stamp]
        live = shown[chunk.chunk.chunk_id - 1]
        assert frame.state.dtype == np.float32 and np.array_equal(frame.state, live['observation.state'])
        for camera in CAMERAS:
            assert np.array_equal(pictures[camera], live[f'observation.images.{camera}'])
        compared += 1
    assert compared >= CHUNKS


def test_the_rule_for_other_ticks_is_at_most_an_image_away_from_what_the_policy_took(recorded):
    """One thread serves all subscriptions here, in an order of its own, so the rule need not hit the very image."""
    rollout = RecordedRollout.load(recorded[0])
    source = FrameSource(rollout, CAMERAS)
    tick_of = {int(stamp): tick for tick, stamp in enumerate(rollout.ticks.stamps)}
    away = [source.newest(camera, source.state(tick_of[chunk.stamp])[1]) - source.shown(chunk.stamp)[camera]
            for chunk in rollout.chunks for camera in CAMERAS]
    assert len(away) >= 2 * CHUNKS and np.max(np.abs(away)) <= 1
