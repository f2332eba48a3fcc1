"""policy_node in this process with a fake policy: what it does when things go wrong."""

import threading

import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')

from graph_support import PERIOD, Graph, Operator, wait_for  # noqa: E402
from kiwi_msgs.msg import ChunkRequest  # noqa: E402
from nodes_support import HOME, FakeInfo, FakePolicy  # noqa: E402
from rclpy.clock_type import ClockType  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from sensor_msgs.msg import CompressedImage, JointState  # noqa: E402
from geometry_msgs.msg import TwistStamped  # noqa: E402

from kiwi_policy.core.features import NAMES  # noqa: E402
from kiwi_policy.core.parameters import ParameterError  # noqa: E402
from kiwi_policy.core.prefix import Prefix  # noqa: E402
from kiwi_policy.core.records import Request  # noqa: E402
from kiwi_policy.nodes import conversions, qos  # noqa: E402
from kiwi_policy.nodes.images import encode_rgb  # noqa: E402
from kiwi_policy.nodes.policy_node import PolicyNode  # noqa: E402

EPOCH = 1_700_000_000_000_000_000


class Failing(FakePolicy):
    """Raises while `broken`."""

    broken = False

    def predict(self, *arguments, **options):
        if self.broken:
            raise RuntimeError('out of memory')
        return super().predict(*arguments, **options)


class Rig:
    """A PolicyNode with a fake policy, fed by hand."""

    def __init__(self, folder):
        self.graph = Graph(folder)          # keeps the domain
        self.operator = Operator(self.graph.domain)
        context = self.operator._context
        self.policy = Failing(FakeInfo(cameras=('front',), n_obs_steps=2))
        rclpy.init(domain_id=context.get_domain_id())
        self.node = PolicyNode(lambda _parameters: self.policy)
        self.complaints = []
        self.node._complaints._warn = self.complaints.append
        self.executor = SingleThreadedExecutor()
        self.executor.add_node(self.node)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()
        make = self.operator.node.create_publisher
        self.joints, self.base = make(JointState, 'joint_states', 5), make(TwistStamped, 'base_velocity', 5)
        self.images = make(CompressedImage, 'camera/front/image_raw/compressed', qos.CAMERA)
        self.requests = make(ChunkRequest, 'chunk_request', qos.REQUEST)
        wait_for(lambda: all(p.get_subscription_count() for p in (self.joints, self.base, self.images, self.requests)))
        self.tick, self.asked = 0, 0

    def feed(self, image=True, ticks=3):
        for _ in range(ticks):
            self.tick += 1
            if image:
                data = encode_rgb(np.full((16, 16, 3), self.tick % 200, np.uint8))
                self.images.publish(CompressedImage(format='jpeg', data=data))
            joints, base = conversions.state_messages(EPOCH + round(self.tick * PERIOD * 1e9), HOME + self.tick)
            self.base.publish(base)
            self.joints.publish(joints)

    def ask(self, episode='e', image=True, ticks=3, plan=Prefix(np.zeros((0, 9)), 0)):
        """Request a chunk for the next tick while states and images come; returns the request."""
        self.asked += 1
        request = conversions.request_message(Request(self.asked, 0.0, episode, PERIOD, plan, 0.1),
                                              EPOCH + round((self.tick + 1) * PERIOD * 1e9), 'pick', NAMES)
        self.requests.publish(request)
        wait_for(lambda: self.node._episode == episode or not image)
        self.feed(image, ticks)
        return request

    def answers(self, request):
        return [chunk for chunk in self.operator.heard['chunk'] if chunk.request_id == request.request_id]

    def close(self):
        self._closed.set()
        self._thread.join(10.0)
        self.node.close()
        self.executor.shutdown()
        self.node.destroy_node()
        rclpy.shutdown()
        self.operator.close()

    def _spin(self):
        while not self._closed.is_set():
            self.executor.spin_once(timeout_sec=0.05)


@pytest.fixture(scope='module')
def rig(tmp_path_factory):
    rig = Rig(tmp_path_factory.mktemp('rig'))
    yield rig
    rig.close()


def test_an_answer_carries_the_state_it_was_made_from(rig):
    request = rig.ask()
    rig.operator.until(lambda: rig.answers(request))
    chunk = rig.answers(request)[0]
    tick = round((conversions.to_nanoseconds(chunk.header.stamp) - EPOCH) / (PERIOD * 1e9))
    actions = np.reshape(chunk.actions, (-1, 9))
    assert actions[0] == pytest.approx(HOME + tick, abs=1e-3)
    assert (chunk.episode_id, chunk.head, chunk.evaluations) == ('e', 'fake', 10)
    history, task, _ = rig.policy.shown[-1]
    assert task == 'pick' and len(history) == 2
    assert 0 <= history[1]['observation.state'][0] - history[0]['observation.state'][0] <= 1


def test_the_plan_of_a_request_reaches_the_policy_from_the_tick_it_saw(rig):
    rows = np.arange(90.0).reshape(10, 9)
    request = rig.ask(plan=Prefix(rows, 4))
    rig.operator.until(lambda: rig.answers(request))
    stamps = (rig.answers(request)[0].header.stamp, request.header.stamp)
    late = round(np.subtract(*map(conversions.to_nanoseconds, stamps)) / (PERIOD * 1e9))
    assert 0 <= late < 3
    assert any(given is not None and given.committed == 4 - late and np.array_equal(given.rows, rows[late:])
               for given in rig.policy.prefixes)


def test_a_failing_inference_is_counted_and_the_next_one_answered(rig):
    rig.policy.broken = True
    failures = rig.node.failures
    silent = rig.ask()
    wait_for(lambda: rig.node.failures == failures + 1)
    rig.policy.broken = False
    request = rig.ask()
    rig.operator.until(lambda: rig.answers(request))
    assert not rig.answers(silent)


def test_without_images_of_the_episode_there_is_no_chunk(rig):
    shown = len(rig.policy.shown)
    blind = rig.ask('blind', image=False)
    wait_for(lambda: rig.node._complaints._since is not None)
    assert len(rig.policy.shown) == shown and not rig.answers(blind)
    request = rig.ask('blind')
    rig.operator.until(lambda: rig.answers(request))


def test_a_request_that_a_newer_one_overtakes_is_complained_of_too(rig):
    shown, told = len(rig.policy.shown), len(rig.complaints)
    wait_for(lambda: rig.ask('overtaken', image=False) and len(rig.complaints) > told)     # each overtakes the last
    assert 'no chunk: ' in rig.complaints[told]
    assert len(rig.policy.shown) == shown
    request = rig.ask('overtaken')
    rig.operator.until(lambda: rig.answers(request))


def test_timers_do_not_follow_the_system_clock(rig):
    assert {timer.clock.clock_type for timer in rig.node.timers} == {ClockType.STEADY_TIME}


def test_a_policy_of_another_robot_is_refused(rig):
    other = FakePolicy(FakeInfo(names=('a', 'b')))
    with pytest.raises(ParameterError, match=r"commands \('a', 'b'\), LeKiwi has"):
        PolicyNode(lambda _parameters: other)
