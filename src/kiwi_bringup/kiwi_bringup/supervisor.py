"""Runs processes without launch: starts, prefixes output, respawns, and stops all of them in order.

One thread and one loop over pipes and signals. A process is stopped with SIGINT, then SIGTERM, then SIGKILL, each to
its whole process group; nothing else is ever signalled.
"""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import BinaryIO

from kiwi_bringup.exits import INTERRUPT_GRACE, RESPAWN_DELAY, TERMINATE_GRACE, ExitRules, ending, exit_code
from kiwi_bringup.output import LineSplitter
from kiwi_bringup.process import Process

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ESCALATION = ((signal.SIGINT, INTERRUPT_GRACE), (signal.SIGTERM, TERMINATE_GRACE), (signal.SIGKILL, float('inf')))


class Running:
    """A started process and what is under way with it."""

    def __init__(self, process: Process, popen: subprocess.Popen, now: float):
        self.process, self.popen, self.started = process, popen, now
        self.step = -1  # index into ESCALATION of the last signal sent
        self.deadline = float('inf')  # s, when the next one is due

    def escalate(self, now: float) -> signal.Signals:
        """Send the next signal of the escalation to the process group; returns it."""
        self.step = min(self.step + 1, len(ESCALATION) - 1)
        number, grace = ESCALATION[self.step]
        self.deadline = now + grace
        self.send(number)
        return number

    def send(self, number: signal.Signals) -> None:
        """Signal the group. Its leader is not yet reaped, so the number cannot belong to anybody else."""
        try:
            os.killpg(self.popen.pid, number)
        except ProcessLookupError:
            pass

    def has_ended(self) -> bool:
        """Whether the process has exited; it stays unreaped."""
        state = os.waitid(os.P_PID, self.popen.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        return state is not None and state.si_pid == self.popen.pid


class Supervisor:
    """Runs a composition to its end.

    Args:
        processes: in start order.
        environment: the processes' whole environment, before their own additions.
        out: where their standard output goes.
        err: where their standard error and the supervisor's own messages go.
    """

    def __init__(self, processes: Sequence[Process], environment: Mapping[str, str], out: BinaryIO, err: BinaryIO):
        self._processes, self._environment = tuple(processes), dict(environment)
        self._out, self._err = out, err
        self._rules = ExitRules()
        self._running: dict[str, Running] = {}
        self._due: dict[str, tuple[float, Process]] = {}  # name -> (time of respawn, process)
        self._selector = selectors.DefaultSelector()
        self._splitters: dict[int, LineSplitter] = {}
        self._stage: int | None = None  # stop stage under way; None while running
        self._code = 0

    def run(self) -> int:
        """Start everything and return the run's status when nothing is left. Main thread only."""
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        old_wakeup = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        numbers = [number for number in STOP_SIGNALS if signal.getsignal(number) is not signal.SIG_IGN
                   or number is not signal.SIGHUP]
        old = {number: signal.signal(number, lambda *_: None) for number in (*numbers, signal.SIGCHLD)}
        self._selector.register(reader, selectors.EVENT_READ)
        try:
            for process in self._processes:
                if self._stage is None:
                    self._start(process)
                self._turn(reader, 0.0)
            while self._running or self._due:
                self._turn(reader, self._patience())
        finally:
            for running in self._running.values():
                running.send(signal.SIGKILL)
                running.popen.wait()
            for number, handler in old.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(old_wakeup)
            self._selector.close()
            os.close(reader)
            os.close(writer)
        return self._code

    def stop(self, reason: str, code: int) -> None:
        """Begin to stop everything; the run's status will be `code`. The first call counts."""
        if self._stage is not None:
            return
        self._say(f'stopping: {reason}')
        self._code = code
        self._due.clear()
        self._stage = -1
        self._next_stage()

    def _turn(self, reader: int, patience: float) -> None:
        for key, _ in self._selector.select(patience):
            if key.fd == reader:
                self._on_signals(os.read(reader, 4096))
            else:
                self._forward(key.fd)
        for running in list(self._running.values()):
            if running.has_ended():
                self._on_end(running)
        now = time.monotonic()
        for name, (due, process) in list(self._due.items()):
            if now >= due:
                del self._due[name]
                self._start(process)
        for running in self._running.values():
            if now >= running.deadline:
                self._say(f'{running.process.name} is still there, sending it {running.escalate(now).name}')
        if self._stage is not None:
            self._next_stage()

    def _patience(self) -> float:
        times = [running.deadline for running in self._running.values()] + [due for due, _ in self._due.values()]
        return min(max(min(times, default=1.0) - time.monotonic(), 0.0), 1.0)

    def _start(self, process: Process) -> None:
        popen = subprocess.Popen(
            process.argv, env={**self._environment, **process.environment}, process_group=0,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._running[process.name] = Running(process, popen, time.monotonic())
        prefix = f'[{process.name}] ' if process.prefixed else ''
        for pipe, sink in ((popen.stdout, self._out), (popen.stderr, self._err)):
            os.set_blocking(pipe.fileno(), False)
            self._splitters[pipe.fileno()] = LineSplitter(prefix, lambda data, sink=sink: self._write(sink, data))
            self._selector.register(pipe.fileno(), selectors.EVENT_READ)
        self._say(f'started {process.name} (process {popen.pid})')

    def _forward(self, descriptor: int) -> bool:
        """Pass on what a process wrote; returns whether there was anything."""
        try:
            data = os.read(descriptor, 65536)
        except BlockingIOError:
            return False
        if data:
            self._splitters[descriptor].feed(data)
        elif descriptor in self._selector.get_map():
            self._selector.unregister(descriptor)
        return bool(data)

    def _on_end(self, running: Running) -> None:
        running.send(signal.SIGKILL)  # what it left of its group
        status = running.popen.wait()
        del self._running[running.process.name]
        for pipe in (running.popen.stdout, running.popen.stderr):
            descriptor = pipe.fileno()
            while self._forward(descriptor):
                pass
            self._splitters.pop(descriptor).finish()
            if descriptor in self._selector.get_map():
                self._selector.unregister(descriptor)
            pipe.close()
        if self._stage is not None:
            self._say(f'{running.process.name} {ending(status)}')
            return
        now = time.monotonic()
        verdict = self._rules.decide(running.process, status, now - running.started)
        if verdict.leave:
            self._say(verdict.reason)
        elif verdict.respawn:
            self._say(verdict.reason)
            self._due[running.process.name] = (now + RESPAWN_DELAY, running.process)
        else:
            self.stop(verdict.reason, verdict.code)

    def _next_stage(self) -> None:
        """Signal the processes of the next stage once those before it have ended."""
        if any(running.step >= 0 for running in self._running.values()) or not self._running:
            return
        self._stage = min(running.process.stop_stage for running in self._running.values())
        now = time.monotonic()
        for running in self._running.values():
            if running.process.stop_stage == self._stage:
                running.escalate(now)

    def _on_signals(self, numbers: bytes) -> None:
        for number in numbers:
            if number in STOP_SIGNALS:
                self.stop(f'received {signal.Signals(number).name}', exit_code(-number))

    def _say(self, text: str) -> None:
        self._write(self._err, f'[kiwi] {text}\n'.encode())

    def _write(self, sink: BinaryIO, data: bytes) -> None:
        try:
            sink.write(data)
            sink.flush()
        except BrokenPipeError:
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sink.fileno())
            os.close(null)
            self.stop('nobody reads the output any more', exit_code(-signal.SIGPIPE))
