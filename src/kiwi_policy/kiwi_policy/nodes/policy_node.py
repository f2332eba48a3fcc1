"""Loads a LeRobot checkpoint and answers chunk requests from what the cameras and the joints show."""

import os
import secrets
import sys
import threading
import time
from dataclasses import dataclass, replace

from geometry_msgs.msg import TwistStamped
from kiwi_msgs.msg import ActionChunk, ChunkRequest, PolicyInfo
from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, JointState

from kiwi_policy.core import features
from kiwi_policy.core.parameters import ParameterError, help_text
from kiwi_policy.nodes import conversions, process, qos
from kiwi_policy.nodes.chunk_maker import ChunkMaker
from kiwi_policy.nodes.complaints import Complaints
from kiwi_policy.nodes.history import HistoryRing, NotReady
from kiwi_policy.nodes.pairing import StampPairing
from kiwi_policy.nodes.parameters import declare
from kiwi_policy.nodes.policy_parameters import TABLE
from kiwi_policy.nodes.timers import every
from kiwi_policy.nodes.worker import NewestJobWorker

NAME = 'policy_node'
POLL = 0.05
INFO_INTERVAL = 1.0
PROBE_INTERVAL = 1.0
MAX_PROBES, IDLE_PROBES = 120, 10
IDLE = 2.0              # s without a request


@dataclass(frozen=True)
class _Job:
    request: ChunkRequest
    received: float

PROBE = object()


def load(parameters):
    """The policy that the parameters name. Raises ValueError saying what is wrong with it."""
    if not parameters.checkpoint:
        raise ParameterError('parameter checkpoint is empty: name the folder of a LeRobot checkpoint')
    from kiwi_policy.heads.info import check_action_steps
    from kiwi_policy.heads.loader import load_policy

    wanted = {'num_inference_steps': parameters.denoising_steps, 'solver': parameters.solver,
              'noise_scheduler_type': parameters.noise_scheduler, 'latent': parameters.latent,
              'prefix_conditioning': parameters.prefix_conditioning}
    sampling = {name: value for name, value in wanted.items() if value}
    if parameters.prefix_conditioning != 'none' and parameters.prefix_overlap >= 0:
        sampling['prefix_overlap'] = parameters.prefix_overlap
    policy = load_policy(parameters.checkpoint, device=parameters.device,
                         num_threads=parameters.torch_threads or None, **sampling)
    check_action_steps(policy.info, override=parameters.allow_short_action_steps)
    if parameters.arm_units == 'deg':
        policy.info = replace(policy.info, units=features.UNITS)
    return policy


def chunk_period(info, wanted):
    """s between the rows of a chunk: the checkpoint's, or `wanted` where it does not say.

    Raises:
        ParameterError: neither says it, or they differ.
    """
    if info.period is None:
        if not wanted:
            raise ParameterError('the checkpoint does not say the rate of its dataset: set parameter period '
                                 '(1 / fps, in s)')
        return wanted
    if wanted and abs(wanted - info.period) > 0.01 * info.period:
        raise ParameterError(f'parameter period is {wanted} s, the checkpoint says {info.period:.5f} s: '
                             'leave it at 0')
    return info.period


class PolicyNode(Node):
    """ROS shell of a loaded policy.

    Args:
        load_policy: makes the policy from the declared parameters.
    """

    def __init__(self, load_policy=load):
        super().__init__(NAME)
        self.parameters = p = declare(self, TABLE)
        self._policy = load_policy(p)
        self._info = self._policy.info
        if tuple(self._info.names) != features.NAMES:
            raise ParameterError(f'the checkpoint commands {self._info.names}, LeKiwi has {features.NAMES}')
        self._period = chunk_period(self._info, p.period)
        self._maker = ChunkMaker(self._policy, p.sampling_seed, p.noise)
        self._maker.warm_up(p.warm_up)
        process.settle_memory()

        self.failures = 0               # inferences that raised
        self._run_id, self._chunk_id = secrets.randbits(63) | 1, 0
        self._episode, self._info_sent = None, 0.0
        self._ring = HistoryRing(self._info.cameras, self._period, self._info.n_obs_steps, p.max_image_age,
                                 p.max_state_age, p.frozen_after)
        self._arrival = threading.Condition()
        self._pairs = StampPairing()
        self._complaints = Complaints(self.get_logger().warning, self.get_logger().info)
        self._worker = NewestJobWorker(self._answer, self._on_error, self._give_way, name='inference')

        self._chunks = self.create_publisher(ActionChunk, 'action_chunk', qos.CHUNK)
        self._infos = self.create_publisher(PolicyInfo, 'policy_info', qos.LATCHED)
        self.create_subscription(JointState, 'joint_states', self._on_joints, qos.STATE)
        self.create_subscription(TwistStamped, 'base_velocity', self._on_base, qos.STATE)
        self.create_subscription(ChunkRequest, 'chunk_request', self._on_request, qos.REQUEST)
        for camera in self._info.cameras:
            self.create_subscription(CompressedImage, f'camera/{camera}/image_raw/compressed',
                                     lambda message, camera=camera: self._on_image(camera, message), qos.CAMERA)
        self._probes_left, self._asked = MAX_PROBES, 0.0
        every(self, PROBE_INTERVAL, self._probe)
        self._worker.start()
        self._publish_info()
        self._announce()

    def close(self):
        """End the inference thread."""
        self._worker.close()

    def _on_joints(self, message):
        stamp = conversions.to_nanoseconds(message.header.stamp)
        try:
            self._add_state(stamp, self._pairs.left(stamp, conversions.positions_of(message)))
        except ValueError as error:
            self._complaints.complain(str(error), time.monotonic())

    def _on_base(self, message):
        stamp = conversions.to_nanoseconds(message.header.stamp)
        try:
            self._add_state(stamp, self._pairs.right(stamp, conversions.velocity_of(message)))
        except ValueError as error:
            self._complaints.complain(str(error), time.monotonic())

    def _add_state(self, stamp, pair):
        if pair is None:
            return
        with self._arrival:
            self._ring.add_state(stamp, features.from_ros(*pair), time.monotonic())
            self._arrival.notify()

    def _on_image(self, camera, message):
        with self._arrival:
            self._ring.add_image(camera, bytes(message.data), time.monotonic(),
                                 conversions.to_nanoseconds(message.header.stamp))
            self._arrival.notify()

    def _on_request(self, message):
        self._probes_left, self._asked = IDLE_PROBES, time.monotonic()
        self._worker.submit(_Job(message, time.monotonic()))

    def _probe(self):
        """While nobody asks the latency is measured anew: at start, and after a run, others were busy."""
        if self._probes_left and self.parameters.warm_up and time.monotonic() - self._asked > IDLE:
            self._probes_left -= 1
            self._worker.submit(PROBE)

    # Inference thread.

    def _give_way(self):
        """Lower the priority of the calling thread; on Linux each thread has its own."""
        os.nice(self.parameters.niceness)

    def _answer(self, job):
        if job is PROBE:
            self._maker.probe()
            self._publish_info()
            return
        request = job.request
        if request.episode_id != self._episode:
            self._episode = request.episode_id
            self._maker.begin_episode()
            with self._arrival:
                self._ring.begin_episode(conversions.to_nanoseconds(request.header.stamp), job.received)
        observation = self._observe(job)
        if observation is None:
            return
        prefix = conversions.prefix_of(request, observation.stamp, self._period)
        made = self._maker.make(observation, request.task or self.parameters.task, prefix)
        self._chunk_id += 1
        self._chunks.publish(conversions.chunk_message(
            request, observation, made.actions, self._info, self._run_id, self._chunk_id, self._period,
            made.evaluations, made.seconds))
        now = time.monotonic()
        self._complaints.recovered('chunks are made again', now)
        if now - self._info_sent >= INFO_INTERVAL:
            self._publish_info()

    def _observe(self, job):
        """The observation for a request, None where it does not come or a newer request waits."""
        tick = conversions.to_nanoseconds(job.request.header.stamp)
        deadline = job.received + self.parameters.wait_for_inputs
        with self._arrival:
            while True:
                try:
                    return self._ring.observe(tick, time.monotonic())
                except NotReady as reason:
                    left = deadline - time.monotonic()
                    if left <= 0 or self._worker.waiting():
                        self._complaints.complain(f'no chunk: {reason}', time.monotonic())
                        return None
                self._arrival.wait(min(left, POLL))

    def _on_error(self, _job, error):
        self.failures += 1
        self._complaints.complain(f'no chunk, failure {self.failures} of this run: {type(error).__name__}: {error}',
                                  time.monotonic())

    def _publish_info(self):
        latency = (self._maker.latency.percentile(50), self._maker.latency.percentile(95))
        self._infos.publish(conversions.info_message(
            self._info, self.parameters.checkpoint, self._run_id, self._period, latency, self._maker.evaluations,
            self.get_clock().now().to_msg()))
        self._info_sent = time.monotonic()

    def _announce(self):
        info, latency = self._info, self._maker.latency
        for note in info.notes:
            self.get_logger().info(note)
        self.get_logger().info(
            f'{info.head} {info.digest}: chunks of {info.horizon} rows every {1e3 * self._period:.1f} ms, cameras '
            f'{", ".join(info.cameras) or "none"}, {self._maker.evaluations} evaluations, '
            f'{1e3 * latency.percentile(50):.0f} ms a chunk (p95 {1e3 * latency.percentile(95):.0f} ms)')


def main(args=None, load_policy=load):
    """Run the node; returns the exit code."""
    interrupt = process.start(args, help_text('kiwi_policy', NAME, __doc__, TABLE))
    node = None
    try:
        interrupt.impatient = True
        node = PolicyNode(load_policy)
        interrupt.impatient = False
        process.spin(node, interrupt.is_set)
        return 0
    except (ValueError, OSError) as error:
        return process.fail(NAME, error, process.MISCONFIGURED)
    except RuntimeError as error:
        return process.fail(NAME, error)
    except KeyboardInterrupt:
        return 0
    finally:
        interrupt.impatient = False
        if node is not None:
            node.close()
        process.finish(node)


if __name__ == '__main__':
    sys.exit(main())
