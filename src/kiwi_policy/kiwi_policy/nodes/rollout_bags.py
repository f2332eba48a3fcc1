"""A bag for each rollout: recorder_node is told to begin and to close it. What fails is said and fails no rollout."""

import json
from dataclasses import dataclass

from kiwi_msgs.msg import EpisodeResult
from kiwi_msgs.srv import StartRecording, StopRecording
from rclpy.duration import Duration

from kiwi_policy.nodes.rollout_runner import RunAborted

FOLDER = 'bags'
APPEAR_TIMEOUT = 20.0
"""s to wait for recorder_node before the first rollout; afterwards it is there or not."""

CLOSE_TIMEOUT, HURRIED_CLOSE_TIMEOUT = 60.0, 8.0
"""s that a bag may take to reach the disk; the latter once the run is interrupted, before this process is killed."""

ACKNOWLEDGED = 1.0
"""s that a result may take to the recorder."""


@dataclass(frozen=True)
class Bag:
    """A rollout's recording.

    Attributes:
        folder: relative to the run's; empty where nothing was recorded.
        complete: 'true', or why it is not complete.
    """

    folder: str = ''
    complete: str = ''


class RolloutBags:
    """Begins and closes bags below a run's folder.

    Args:
        ports: a `RolloutPorts`.
        parameters: of rollout_node.
        folder: of the run.
        interrupted: callable, True where the run is to end.
        say: called with a line for the operator.
    """

    def __init__(self, ports, parameters, folder, interrupted, say):
        self._ports, self._parameters, self._folder = ports, parameters, folder
        self._interrupted, self._say = interrupted, say
        self._name = ''
        self._waited = False

    def start(self, log, plan, wait):
        """Begin the bag of the rollout of `log`.

        Args:
            log: its `EpisodeLog`.
            plan: the `Plan`.
            wait: callable, sleeps s and returns True where the run is interrupted.
        """
        self._name = ''
        if not self._parameters.record or not self._is_there(log, wait):
            return
        name = f'{FOLDER}/rollout_{log.index + 1:03d}'
        details = {'seed': log.seed, 'index': log.index, 'rollouts': plan.rollouts, 'task': plan.task,
                   'time_limit': plan.time_limit, 'mode': self._ports.status.mode if self._ports.status else '',
                   'sim': self._parameters.sim, 'run': self._folder.name}
        request = StartRecording.Request(
            folder=str(self._folder / name), episode_id=log.episode_id, details=json.dumps(details))
        answer = self._call(self._ports.start_recording, request, self._parameters.service_timeout)
        if isinstance(answer, str) or not answer.success:
            why = answer if isinstance(answer, str) else answer.message
            self._say(f'rollout {log.index + 1} is not recorded: {why}')
        else:
            self._name = name

    def stop(self, verdict, result):
        """Publish the result, then close the bag; returns the `Bag`.

        Args:
            verdict: the `Verdict`, None where there is none.
            result: `EpisodeSummary`, None where the rollout does not count.
        """
        if result is not None:
            self._ports.results.publish(episode_result(result))
        if not self._name:
            return Bag()
        if result is not None:
            self._ports.results.wait_for_all_acked(Duration(seconds=ACKNOWLEDGED))
        name, self._name = self._name, ''
        request = StopRecording.Request(
            outcome=verdict.outcome if verdict else 'aborted', labelled=result is not None and verdict.labelled,
            rollout_success=result is not None and verdict.success)
        patience = HURRIED_CLOSE_TIMEOUT if self._interrupted() else CLOSE_TIMEOUT
        answer = self._call(self._ports.stop_recording, request, patience)
        if isinstance(answer, str):
            complete = f'no, {answer}'
        elif answer.folder != str(self._folder / name):
            complete = f'no, the recorder was started again: {answer.message or answer.folder}'
        else:
            complete = answer.message or 'true'
        if complete != 'true':
            self._say(f'the recording {self._folder / name} is not complete: {complete}')
        return Bag(name, complete)

    def _is_there(self, log, wait):
        client = self._ports.start_recording
        for _ in range(0 if self._waited else int(APPEAR_TIMEOUT / 0.1)):
            if client.service_is_ready() or wait(0.1):
                break
        self._waited = True
        if not client.service_is_ready():
            self._say(f'rollout {log.index + 1} is not recorded: there is no service {client.srv_name} (recorder_node)')
        return client.service_is_ready()

    def _call(self, client, request, patience):
        """The response, or in words why there is none."""
        if not client.service_is_ready():
            return f'service {client.srv_name} is gone'
        try:
            return self._ports.call(client, request, patience=patience)
        except RunAborted as error:
            return str(error)


def episode_result(summary):
    """EpisodeResult of an `EpisodeSummary`."""
    return EpisodeResult(**{name: getattr(summary, name) for name in EpisodeResult.get_fields_and_field_types()})
