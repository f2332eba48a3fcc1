"""Runs rollouts, judges them, writes rollouts.json and a film of each; a RunRollouts action server.

With parameter rollouts > 0 it runs them at start, prints the table and exits.
"""

import math
import sys
import threading
import time
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from kiwi_msgs.action import RunRollouts
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor, SingleThreadedExecutor
from rclpy.node import Node

from kiwi_policy.core.metrics import wilson_interval
from kiwi_policy.core.parameters import ParameterError, help_text
from kiwi_policy.nodes import process
from kiwi_policy.nodes.episode_log import finite
from kiwi_policy.nodes.parameters import declare
from kiwi_policy.nodes.results import RunResults, make_run_folder, row, table
from kiwi_policy.nodes.rollout_bags import episode_result
from kiwi_policy.nodes.rollout_parameters import TABLE
from kiwi_policy.nodes.rollout_ports import RolloutPorts
from kiwi_policy.nodes.rollout_runner import Plan, RunAborted, Runner
from kiwi_policy.nodes.rollout_stage import RosStage

NAME = 'rollout_node'
PACKAGES = ('kiwi_policy', 'lerobot', 'torch', 'mujoco', 'numpy')
REMIND = 15.0
MAX_SEED = 2**64 - 1
DISCOVERY = 1.0
"""s in which services that are seen come to see this client; until then their answers are lost."""


def say(text):
    """Print a line for the operator."""
    print(text, flush=True)


def versions():
    """Installed package -> version."""
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


class RolloutNode(Node):
    """ROS shell of `Runner`. Only one run at a time.

    Args:
        interrupt: `process.Interrupt`; a run ends soon after it is set.
    """

    def __init__(self, interrupt):
        super().__init__(NAME)
        self.parameters = declare(self, TABLE)
        self._interrupt = interrupt
        self._ports = RolloutPorts(self, self.parameters)
        self._busy = threading.Lock()
        self._server = ActionServer(
            self, RunRollouts, 'run_rollouts', self._on_execute, callback_group=ReentrantCallbackGroup(),
            goal_callback=self._on_goal, cancel_callback=lambda _goal: CancelResponse.ACCEPT)

    @property
    def busy(self):
        """True while a run goes on."""
        return self._busy.locked()

    def run(self, plan, on_episode, cancelled=lambda: False):
        """Run a `Plan` in this thread, which must not be the spinning one.

        Returns:
            its `RunResults`.

        Raises:
            RunAborted: another run goes on, or the other nodes did not come up.
        """
        if not self._busy.acquire(blocking=False):
            raise RunAborted('another run goes on')
        try:
            def interrupted():
                return self._interrupt.is_set() or cancelled()

            self._wait_for_parts(interrupted)
            folder = make_run_folder(self.parameters.output_dir)
            results = RunResults(folder, self._header(plan))
            stage = RosStage(self._ports, self.parameters, folder, interrupted, say)

            def report(summary):
                say(f'rollout {summary.index + 1}/{plan.rollouts}: ' + '  '.join(row(summary)[1:]))
                on_episode(summary)

            Runner(stage, results, report).run(plan)
            return results
        finally:
            self._ports.log = None
            self._busy.release()

    def default_plan(self):
        """The `Plan` that the parameters describe."""
        p = self.parameters
        return Plan(p.rollouts, p.seed, p.time_limit, p.task)

    def destroy_node(self):
        """Destroy the action server, then the node."""
        self._server.destroy()
        super().destroy_node()

    def _wait_for_parts(self, interrupted):
        deadline = time.monotonic() + self.parameters.ready_timeout
        told, told_at = None, 0.0
        while missing := self._ports.missing():
            now = time.monotonic()
            if interrupted():
                raise RunAborted('interrupted')
            if now >= deadline:
                raise RunAborted(f'not ready after {self.parameters.ready_timeout:.0f} s, still missing: '
                                 f'{", ".join(missing)}')
            if missing != told and now - told_at > 1.0 or now - told_at > REMIND:
                told, told_at = missing, now
                say(f'waiting for {", ".join(missing)} ...')
            self._interrupt.wait(0.1)
        self._interrupt.wait(DISCOVERY)

    def _header(self, plan):
        info, p = self._ports.info, self.parameters
        return {
            'started': datetime.now(UTC).isoformat(timespec='seconds'), 'finished': None,
            'rollouts': plan.rollouts, 'seed': plan.seed, 'time_limit': plan.time_limit, 'task': plan.task,
            'sim': p.sim, 'mode': self._ports.status.mode, 'head': info.head, 'checkpoint': info.checkpoint,
            'checkpoint_digest': info.checkpoint_digest, 'horizon': info.horizon,
            'n_action_steps': info.n_action_steps, 'period': finite(info.period), 'cameras': list(info.cameras),
            'versions': versions(),
        }

    def _on_goal(self, goal):
        if self.parameters.rollouts or self.busy or self._interrupt.is_set():
            return GoalResponse.REJECT
        if goal.rollouts < 1 or not 0 <= goal.time_limit < math.inf or goal.seed + goal.rollouts > MAX_SEED:
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _on_execute(self, handle):
        goal, p = handle.request, self.parameters
        result = RunRollouts.Result()

        def feedback(summary):
            handle.publish_feedback(RunRollouts.Feedback(
                index=summary.index, rollouts=goal.rollouts, episode=episode_result(summary)))

        try:
            plan = Plan(goal.rollouts, goal.seed, goal.time_limit or p.time_limit, goal.task or p.task)
            results = self.run(plan, feedback, lambda: handle.is_cancel_requested)
        except (RunAborted, OSError, ValueError) as error:
            result.message = str(error)
            handle.abort()
            return result
        result.episodes = [episode_result(episode) for episode in results.episodes]
        result.successes = results.successes
        result.success_low, result.success_high = wilson_interval(results.successes, len(results.episodes))
        result.results_file, result.message = str(results.path), results.message
        if handle.is_cancel_requested:
            handle.canceled()
        elif results.message:
            handle.abort()
        else:
            handle.succeed()
        return result


def autorun(node, interrupt, outcome):
    """Run the default plan, print the table; `outcome` gets the exit code."""
    try:
        results = node.run(node.default_plan(), lambda _summary: None)
        say('\n' + table(results))
        if results.message:
            say(f'the run ended early: {results.message}')
        say(f'success {results.successes}/{len(results.episodes)}')
        outcome.append(1 if results.message else 0)
    except (RunAborted, OSError, ValueError) as error:
        outcome.append(process.fail(NAME, error))
    except Exception as error:
        outcome.append(process.fail(NAME, f'unexpected {type(error).__name__}: {error}'))
    finally:
        interrupt.trigger()


def main(args=None):
    """Run the node; returns the exit code."""
    interrupt = process.start(args, help_text('kiwi_policy', NAME, __doc__, TABLE))
    node, outcome = None, []
    try:
        node = RolloutNode(interrupt)
        if node.parameters.rollouts:
            threading.Thread(target=autorun, args=(node, interrupt, outcome), name='rollouts', daemon=True).start()
        # Goals run in a spinning thread and so need a second one.
        executor = SingleThreadedExecutor() if node.parameters.rollouts else MultiThreadedExecutor(num_threads=2)
        process.spin(node, lambda: interrupt.is_set() and not node.busy, executor)
        if interrupt.number:
            return 128 + interrupt.number if node.parameters.rollouts else 0
        return outcome[0] if outcome else int(node.parameters.rollouts > 0)
    except (ParameterError, RuntimeError, OSError) as error:
        return process.fail(NAME, error, process.MISCONFIGURED)
    finally:
        process.finish(node)


if __name__ == '__main__':
    sys.exit(main())
