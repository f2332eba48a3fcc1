"""The ROS side of a rollout: services called, topics watched, the operator asked."""

import threading
import time

from kiwi_policy.core.states import State
from kiwi_policy.nodes.rollout_bags import RolloutBags
from kiwi_policy.nodes.rollout_runner import RunAborted, Verdict
from kiwi_policy.nodes.video import write_film

BEGIN_ATTEMPTS = 10
RESET_ATTEMPTS, CLEAR_ATTEMPTS = 3, 20
PASSING = ('no policy', 'the policy needs', 'the executor is FAULT', 'the robot has not answered')
"""Beginnings of refusals that may pass by themselves."""


class RosStage:
    """`rollout_runner.Stage` on a `RolloutPorts`.

    Args:
        ports: the node's clients and latest messages.
        parameters: of rollout_node.
        folder: for films.
        interrupted: callable, True where the run is to end.
        say: called with a line for the operator.
    """

    def __init__(self, ports, parameters, folder, interrupted, say):
        self._ports, self._parameters, self._folder = ports, parameters, folder
        self._interrupted, self._say = interrupted, say
        self._bags = RolloutBags(ports, parameters, folder, interrupted, say)
        self._final = None
        self._running = True        # an episode that another process left behind is to be ended too

    def prepare(self, log):
        """Reset the simulation, or give the operator time to restore the scene."""
        if not self._parameters.sim:
            self._say(f'rollout {log.index + 1}: restore the scene, it begins in '
                      f'{self._parameters.reset_seconds:.0f} s. Call rollout/label to judge it')
            self.wait(self._parameters.reset_seconds)
            return
        for attempt in range(RESET_ATTEMPTS):
            answer = self._call(self._ports.reset, self._ports.reset_request(log.seed))
            if answer.success:
                self._ports.task = None
                return
            if self.wait(0.0):
                break
        raise RunAborted(f'sim/reset failed: {answer.message}')

    def record(self, log, plan):
        """Begin the rollout's bag, where rollouts are recorded."""
        self._bags.start(log, plan, self.wait)

    def close_bag(self, verdict, summary):
        """Publish the result and close the bag."""
        return self._bags.stop(verdict, summary)

    def begin(self, log, task):
        """Begin the episode; a policy that starts again or is slow at first gets a few seconds."""
        for attempt in range(BEGIN_ATTEMPTS):
            self._ports.log, self._ports.label = log, None
            self._final, self._running = None, True
            answer = self._call(self._ports.begin, self._ports.begin_request(log.episode_id, task))
            if answer.success:
                return
            self._running = False
            if not answer.message.startswith(PASSING) or self.wait(1.0):
                break
        raise RunAborted(f'executor/begin_episode refused: {answer.message}')

    def judge(self, timed_out):
        """In simulation sim/task_state decides, else the operator's label."""
        if not self._parameters.sim:
            return self._operator(timed_out)
        task = self._ports.task
        log = self._ports.log
        if task is not None and task.seed == log.seed:
            if task.post_hit:
                return Verdict(False, 'post_hit')
            if task.success:
                return Verdict(True, 'success')
        return Verdict(False, 'timeout') if timed_out else None

    def executor_state(self):
        """State and reason of the last executor/status of the running episode."""
        status, log = self._ports.status, self._ports.log
        if status is None or status.episode_id != log.episode_id:
            return State.IDLE, ''
        try:
            return State(status.state), status.reason
        except ValueError:
            raise RunAborted(f'executor/status names a state {status.state} that this version does not know') from None

    def recover(self):
        """In simulation reset the executor; at a real robot that is the operator's decision."""
        if not self._parameters.sim:
            return False
        for _attempt in range(CLEAR_ATTEMPTS):
            try:
                answer = self._call(self._ports.clear, self._ports.clear_request())
            except RunAborted as error:
                self._say(str(error))
                return False
            if answer.success or self.wait(1.0):
                break
        self._say(f'after the fault: {answer.message}')
        return answer.success

    def end(self, reason):
        """End the episode, once; returns its final status. The first call ends one of another run, if any."""
        self._ports.recording = False
        if self._running:
            self._running = False
            try:
                answer = self._call(self._ports.end, self._ports.end_request(reason))
                self._final = answer.status if answer.success else self._ports.status
            except RunAborted as error:
                self._say(str(error))
                self._final = self._ports.status
        return self._final

    def film(self, log):
        """Write the MP4 of the episode beside the results; a film that fails is said and left out."""
        p = self._parameters
        try:
            frames = self._ports.take_frames()
            if not (p.video and frames):
                return ''
            return write_film(self._folder / f'rollout_{log.index + 1:03d}', frames, p.video_cameras, p.video_rate,
                              p.video_height)
        except Exception as error:
            self._say(f'no film of rollout {log.index + 1}: {type(error).__name__}: {error}')
            return ''

    def wait(self, seconds):
        """Wait, in steps, until `seconds` s have passed or the run is interrupted."""
        until = time.monotonic() + seconds
        while not self._interrupted():
            left = until - time.monotonic()
            if left <= 0:
                return False
            threading.Event().wait(min(left, 0.1))
        return True

    def _call(self, client, request):
        return self._ports.call(client, request, self._interrupted)

    def _operator(self, timed_out):
        label = self._ports.label
        if label is None and timed_out:
            self._say('time is up: call rollout/label with success true or false')
            until = time.monotonic() + self._parameters.label_timeout
            while self._ports.label is None and time.monotonic() < until and not self.wait(0.2):
                pass
            label = self._ports.label
            if label is None:
                return Verdict(False, 'timeout', labelled=False)
        if label is None:
            return None
        success, note = label
        return Verdict(success, note or ('success' if success else 'failure'))
