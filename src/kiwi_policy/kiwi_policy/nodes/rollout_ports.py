"""Clients, subscriptions and latest messages of rollout_node."""

import threading
import time

from kiwi_msgs.msg import ActionChunk, EpisodeResult, ExecutedAction, ExecutorStatus, PolicyInfo, TaskState
from kiwi_msgs.srv import BeginEpisode, EndEpisode, LabelEpisode, ResetWorld, StartRecording, StopRecording
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CompressedImage
from std_srvs.srv import Trigger

from kiwi_policy.nodes import qos
from kiwi_policy.nodes.camera_parameters import check_name
from kiwi_policy.nodes.rollout_runner import RunAborted
from kiwi_policy.nodes.timers import every

HURRIED = 1.0       # s that a service may take once the run is interrupted
POLL = 0.05         # s


class RolloutPorts:
    """What rollout_node hears and whom it calls. Callbacks run in the spinning thread.

    Args:
        node: the rclpy node.
        parameters: of rollout_node.
    """

    def __init__(self, node, parameters):
        self._node, self._timeout, self._sim = node, parameters.service_timeout, parameters.sim
        self.info = self.status = self.task = self.label = self.log = None
        self.recording = False
        self._images, self._frames = {}, []

        def hear(kind, topic, callback, profile, raw=False):
            node.create_subscription(kind, topic, callback, profile, event_callbacks=qos.NO_EVENTS, raw=raw)

        hear(PolicyInfo, 'policy_info', self._on_info, qos.LATCHED)
        hear(ExecutorStatus, 'executor/status', self._on_status, qos.STATUS)
        hear(ExecutedAction, 'executor/action', self._on_action, qos.ACTION)
        hear(ActionChunk, 'action_chunk', self._on_chunk, qos.CHUNK)
        self.begin = node.create_client(BeginEpisode, 'executor/begin_episode')
        self.end = node.create_client(EndEpisode, 'executor/end_episode')
        self.clear = node.create_client(Trigger, 'executor/reset')
        node.create_service(LabelEpisode, 'rollout/label', self._on_label)
        self.results = node.create_publisher(EpisodeResult, 'rollout/result', qos.STATUS)
        self.start_recording = node.create_client(StartRecording, 'recorder/start')
        self.stop_recording = node.create_client(StopRecording, 'recorder/stop')
        self._needed = [self.begin, self.end]
        if self._sim:
            hear(TaskState, 'sim/task_state', self._on_task, qos.STATE)
            self.reset = node.create_client(ResetWorld, 'sim/reset')
            self._needed.append(self.reset)
        if parameters.video:
            for camera in parameters.video_cameras:
                check_name(camera, 'video_cameras')
                hear(CompressedImage, f'camera/{camera}/image_raw/compressed',
                     lambda data, camera=camera: self._on_image(camera, data), qos.CAMERA, raw=True)
            every(node, 1.0 / parameters.video_rate, self._take_frame)

    def missing(self):
        """What has not been heard of yet, in words."""
        missing = [] if self.info is not None else ['policy_info (policy_node)']
        if self.status is None:
            missing.append('executor/status (chunk_executor_node, active)')
        if self._sim and self.task is None:
            missing.append('sim/task_state (sim_node)')
        return missing + [f'service {client.srv_name}' for client in self._needed if not client.service_is_ready()]

    def call(self, client, request, interrupted=lambda: False, patience=None):
        """Call a service from a thread that does not spin; returns the response.

        Once interrupted it waits no longer than HURRIED s, and not at all for a service that is gone: the
        interrupt may have ended its node too.

        Args:
            client, request: of the service.
            interrupted: callable, True where the run is to end.
            patience: s, instead of service_timeout.

        Raises:
            RunAborted: no answer in that time.
        """
        answered = threading.Event()
        future = client.call_async(request)
        future.add_done_callback(lambda _future: answered.set())
        patience = self._timeout if patience is None else patience
        until = time.monotonic() + patience
        hurried = False
        while not answered.wait(min(POLL, max(until - time.monotonic(), 0.0))):
            if interrupted():
                until = until if hurried else min(until, time.monotonic() + HURRIED)
                hurried = True
            gone = hurried and not client.service_is_ready()
            if gone or time.monotonic() >= until:
                client.remove_pending_request(future)
                within = 'before the end' if hurried else f'within {patience:.0f} s'
                raise RunAborted(f'service {client.srv_name} did not answer {within}')
        return future.result()

    @staticmethod
    def reset_request(seed):
        """ResetWorld request."""
        return ResetWorld.Request(seed=seed)

    @staticmethod
    def clear_request():
        """Trigger request."""
        return Trigger.Request()

    @staticmethod
    def begin_request(episode_id, task):
        """BeginEpisode request."""
        return BeginEpisode.Request(episode_id=episode_id, task=task)

    @staticmethod
    def end_request(reason):
        """EndEpisode request."""
        return EndEpisode.Request(reason=reason)

    def take_frames(self):
        """Frames of the episode, each a dict camera -> image bytes; they are forgotten here."""
        frames, self._frames = self._frames, []
        return [{camera: bytes(deserialize_message(data, CompressedImage).data) for camera, data in frame.items()}
                for frame in frames]

    def _on_info(self, message):
        self.info = message

    def _on_status(self, message):
        self.status = message

    def _on_action(self, message):
        log = self.log
        if log is not None and message.episode_id == log.episode_id:
            self.recording = True
            log.on_action(message)

    def _on_chunk(self, message):
        if self.log is not None:
            self.log.on_chunk(message)

    def _on_task(self, message):
        self.task = message
        if self.recording and self.log is not None and message.seed == self.log.seed:
            self.log.on_task(message, time.monotonic())

    def _on_label(self, request, response):
        response.accepted = self.log is not None and not self._sim and self.label is None
        if response.accepted:
            self.label = (request.success, request.note)
        response.message = 'noted' if response.accepted else 'no rollout waits for a label'
        return response

    def _on_image(self, camera, data):
        self._images[camera] = data

    def _take_frame(self):
        if self.recording and self._images:
            self._frames.append(dict(self._images))
