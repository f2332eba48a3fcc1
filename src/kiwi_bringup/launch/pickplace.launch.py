"""The composition under ros2 launch: ros2 launch kiwi_bringup pickplace.launch.py [name:=value ...]"""

import atexit
import os
import signal
import time
from pathlib import Path

from ament_index_python.packages import get_package_prefix
from kiwi_bringup import arguments, exits
from kiwi_bringup.composition import compose
from kiwi_bringup.domain import claim
from kiwi_bringup.environment import environment
from kiwi_bringup.exits import ExitRules
from kiwi_bringup.process import OnExit
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, ExecuteProcess, LogInfo, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessExit, OnProcessIO, OnProcessStart, OnShutdown
from launch.events import Shutdown, matches_action
from launch.events.process import ShutdownProcess, SignalProcess
from launch.substitutions import LaunchConfiguration


class Run:
    """The launch actions of one composition and what ties them together."""

    def __init__(self, processes, added):
        self._processes = tuple(processes)
        self._actions = {process.name: self._action(process, added) for process in processes}
        self._rules = ExitRules()
        self._started, self._ended, self._signalled = {}, set(), set()
        self._stopping = self._launch_stops = False
        self._failure = ''
        self._last_line = b''

    def entities(self):
        """All entities, in start order."""
        atexit.register(self._repeat_last_line)
        yield RegisterEventHandler(OnShutdown(on_shutdown=self._on_shutdown))
        for process in self._processes:
            action = self._actions[process.name]
            yield RegisterEventHandler(OnProcessStart(
                target_action=action, on_start=lambda _event, _, process=process: self._on_start(process)))
            yield RegisterEventHandler(OnProcessExit(
                target_action=action, on_exit=lambda event, _, process=process: self._on_exit(process, event.returncode)))
            if not process.prefixed:
                yield RegisterEventHandler(OnProcessIO(target_action=action, on_stdout=self._remember))
            yield action

    @staticmethod
    def _action(process, added):
        # A stage waits for the ones before it, so its processes get that much longer until launch escalates.
        waiting = process.stop_stage * (exits.INTERRUPT_GRACE + exits.TERMINATE_GRACE)
        return ExecuteProcess(
            cmd=process.argv,
            name=process.name,
            additional_env={**added, **process.environment},
            output='screen',
            output_format='[{this.process_description.final_name}] {line}' if process.prefixed else '{line}',
            respawn=process.on_exit is OnExit.RESPAWN,
            respawn_delay=exits.RESPAWN_DELAY,
            sigterm_timeout=str(waiting + exits.INTERRUPT_GRACE),
            sigkill_timeout=str(exits.TERMINATE_GRACE),
        )

    def _on_start(self, process):
        self._started[process.name] = time.monotonic()
        self._ended.discard(process.name)

    def _on_exit(self, process, status):
        self._ended.add(process.name)
        if self._stopping:
            return self._next_stage()
        verdict = self._rules.decide(process, status, time.monotonic() - self._started[process.name])
        if verdict.respawn or verdict.leave:
            return [LogInfo(msg=verdict.reason)]
        self._stopping = True
        self._failure = verdict.reason if verdict.code else ''
        return [LogInfo(msg=f'stopping: {verdict.reason}'), *self._next_stage()]

    def _on_shutdown(self, event, context):
        self._stopping = self._launch_stops = True
        if not event.due_to_sigint or context.noninteractive:
            self._signalled |= set(self._actions)  # launch signals all of them by itself
        return self._next_stage()

    def _next_stage(self):
        """Entities that signal the processes of the next stage, once those before it have ended."""
        left = [process for process in self._processes
                if process.name in self._started and process.name not in self._ended]
        if not left:
            if self._failure:
                raise RuntimeError(self._failure)  # makes launch's own status 1
            return [] if self._launch_stops else [EmitEvent(event=Shutdown(reason='all processes have ended'))]
        stage = min(process.stop_stage for process in left)
        due = [process.name for process in left if process.stop_stage == stage and process.name not in self._signalled]
        self._signalled |= set(due)
        return [EmitEvent(event=self._interrupt(self._actions[name])) for name in due]

    def _interrupt(self, action):
        """The event that interrupts a process and has launch escalate, which it does by itself in its own shutdown."""
        if self._launch_stops:
            return SignalProcess(signal_number=signal.SIGINT, process_matcher=matches_action(action))
        return ShutdownProcess(process_matcher=matches_action(action))

    def _remember(self, event):
        lines = [line for line in event.text.splitlines() if line.strip()]
        self._last_line = lines[-1] if lines else self._last_line

    def _repeat_last_line(self):
        """launch reports the ends of the processes after the result; the result is to stand last."""
        if self._last_line:
            print(self._last_line.decode(errors='replace'), flush=True)


def locate(package):
    return Path(get_package_prefix(package))


def compose_and_run(context):
    values = arguments.complete({
        argument.name: LaunchConfiguration(argument.name).perform(context) for argument in arguments.ARGUMENTS})
    simulated = values['sim'] == 'true'
    domain = claim(wanted=None if simulated else os.environ.get('ROS_DOMAIN_ID') or '0')
    profile = locate('kiwi_bringup') / 'share' / 'kiwi_bringup' / 'config' / 'loopback_fastdds.xml'
    processes = compose(values, locate, domain.bus_link)
    return [LogInfo(msg=f'ROS domain {domain.number}'), *Run(processes, environment(simulated, domain.number, profile)).entities()]


def generate_launch_description():
    declared = [
        DeclareLaunchArgument(argument.name, default_value=argument.default, description=argument.description,
                              choices=argument.choices or None)
        for argument in arguments.ARGUMENTS]
    return LaunchDescription([*declared, OpaqueFunction(function=compose_and_run)])
