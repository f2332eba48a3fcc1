"""Records rollouts: one bag in rosbag2's format for each, with everything that the robot saw, was told and did.

recorder/start begins a bag, recorder/stop closes it; rollout_node calls them where its parameter record is true.
"""

import json
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticArray
from kiwi_msgs.msg import PolicyInfo
from kiwi_msgs.srv import StartRecording, StopRecording
from rcl_interfaces.msg import ParameterEvent
from rclpy.node import Node
from rclpy.qos import qos_profile_parameter_events
from rclpy.serialization import deserialize_message
from std_srvs.srv import Trigger

from kiwi_policy.bags.mcap_file import COMPLETE
from kiwi_policy.bags.recording import GB, MB, Recording, check_space
from kiwi_policy.core.parameters import help_text
from kiwi_policy.nodes import process, qos
from kiwi_policy.nodes.intake import Intake
from kiwi_policy.nodes.parameter_snapshot import ParameterSnapshot
from kiwi_policy.nodes.parameters import declare
from kiwi_policy.nodes.recorder_diagnostics import RecorderDiagnostics
from kiwi_policy.nodes.recorder_parameters import STOP, TABLE
from kiwi_policy.nodes.recorder_topics import POLICY_INFO, SNAPSHOT, topics

NAME = 'recorder_node'
DIAGNOSTICS_INTERVAL = 1.0
LOOK_INTERVAL = 0.5


class RecorderNode(Node):
    """ROS shell of a `Recording`, one at a time."""

    def __init__(self):
        super().__init__(NAME)
        self.parameters = p = declare(self, TABLE)
        process.give_way(p.niceness)
        self._recording = None
        self._intake = Intake(self, topics(p.cameras), p.depth, p.poll_interval)
        parameters = self.create_publisher(ParameterEvent, SNAPSHOT, qos_profile_parameter_events)
        self._snapshot = ParameterSnapshot(self, parameters.publish)
        self._stop_robot = self.create_client(Trigger, 'executor/stop')
        self._diagnostics = self.create_publisher(DiagnosticArray, 'diagnostics', qos.STATUS)
        self._figures = RecorderDiagnostics()
        self.create_service(StartRecording, 'recorder/start', self._on_start)
        self.create_service(StopRecording, 'recorder/stop', self._on_stop)
        self.create_timer(DIAGNOSTICS_INTERVAL, self._publish_diagnostics)
        self.create_timer(LOOK_INTERVAL, lambda: self._snapshot.look(time.monotonic()))

    def close(self, reason):
        """End what is recorded, if anything, as incomplete for `reason`, and take nothing any more."""
        if self._recording is not None:
            closed = self._end({}, reason)
            self.get_logger().warning(f'{closed.folder}: {closed.complete}')
        self._intake.close()

    def _on_start(self, request, response):
        try:
            if self._recording is not None and not self._recording.failure:
                raise ValueError(f'{self._recording.folder} is being recorded; call recorder/stop first')
            _check_details(request.details)
            folder = Path(request.folder).absolute() if request.folder else self._fresh_folder()
            check_space(folder, max(self.parameters.min_free_gb * GB, self.parameters.reserve_mb * MB))
            self._begin(folder, request.episode_id, request.details)
            response.success, response.folder = True, str(folder)
        except (OSError, ValueError) as error:
            response.message = str(error)
            self.get_logger().error(f'no recording: {error}')
        return response

    def _begin(self, folder, episode_id, details):
        if self._recording is not None:
            self._end({}, '')
        p = self.parameters
        self._recording = Recording(
            folder,
            {'episode_id': episode_id, 'details': details or '{}', 'checkpoint_digest': self._digest(), 'outcome': '',
             'labelled': 'false', 'success': 'false', 'namespace': self.get_namespace()},
            p.queue_mb * MB, p.reserve_mb * MB, self._on_failure, self.get_logger().warning, p.compression)
        self._intake.begin(self._recording, time.time_ns())
        self._snapshot.begin(time.monotonic())
        self.get_logger().info(f'recording {folder}')

    def _on_stop(self, request, response):
        if self._recording is None:
            response.message = 'nothing is being recorded'
            return response
        closed = self._end({'outcome': request.outcome, 'labelled': _text(request.labelled),
                            'success': _text(request.rollout_success), 'checkpoint_digest': self._digest()}, '')
        response.success, response.folder = closed.closed, str(closed.folder)
        response.messages, response.lost = closed.messages, sum(closed.lost.values())
        response.message = '' if closed.complete == COMPLETE else closed.complete
        if not closed.closed:
            response.message += f'. What was written can be read after: kiwi-bags recover {closed.folder}'
        text = f'{closed.folder}: {closed.messages} messages, complete: {closed.complete}'
        if response.message:
            self.get_logger().warning(text)
        else:
            self.get_logger().info(text)
        return response

    def _end(self, custom, reason):
        missing = self._snapshot.missing
        if missing:
            self.get_logger().warning(f'the parameters of {", ".join(sorted(missing))} are not in the recording: '
                                      'no answer')
        self._snapshot.end()
        lost = self._intake.end()
        closed = self._recording.close(custom, reason, lost)
        self._recording = None
        return closed

    def _on_failure(self, text):
        """Called in the recording's thread."""
        robot_stops = self.parameters.on_failure == STOP
        robot = 'is stopped' if robot_stops else 'goes on'
        self.get_logger().error(f'{text}. The robot {robot} (parameter on_failure)')
        if robot_stops:
            self._stop_robot.call_async(Trigger.Request())

    def _digest(self):
        data = self._intake.newest(POLICY_INFO)
        return deserialize_message(data, PolicyInfo).checkpoint_digest if data else ''

    def _fresh_folder(self):
        base = Path(self.parameters.output_dir).absolute() / datetime.now(UTC).strftime('%Y-%m-%dT%H-%M-%SZ')
        attempt, folder = 0, base
        while folder.exists():
            attempt += 1
            folder = base.with_name(f'{base.name}-{attempt}')
        return folder

    def _publish_diagnostics(self):
        self._diagnostics.publish(self._figures.message(
            self._recording, self._intake.lost(), time.process_time(), time.monotonic(),
            self.get_clock().now().to_msg()))


def _check_details(text):
    try:
        if not isinstance(json.loads(text or '{}'), dict):
            raise ValueError('no object')
    except ValueError as error:
        raise ValueError(f'details must be a JSON object, got {text!r}: {error}') from error


def _text(flag):
    return 'true' if flag else 'false'


def main(args=None):
    """Run the node; returns the exit code."""
    interrupt = process.start(args, help_text('kiwi_policy', NAME, __doc__, TABLE))
    node = None
    try:
        node = RecorderNode()
        process.spin(node, interrupt.is_set)
        return 0
    except ValueError as error:
        return process.fail(NAME, error, process.MISCONFIGURED)
    except RuntimeError as error:
        return process.fail(NAME, error)
    finally:
        if node is not None:
            name = signal.Signals(interrupt.number).name if interrupt.number else 'the end of its node'
            node.close(f'no, interrupted: the recorder was ended by {name}')
        process.finish(node)


if __name__ == '__main__':
    sys.exit(main())
