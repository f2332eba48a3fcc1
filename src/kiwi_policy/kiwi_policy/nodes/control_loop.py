"""The control thread: read, step, write, publish, at absolute deadlines, waiting for nobody.

Only this thread touches the executor core and, while it runs, the hardware. Other threads hand it
functions with `submit`; they run between two ticks.
"""

import logging
import threading
import time
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass

import numpy as np

from kiwi_policy.core.executor import Command, Request, Source, State
from kiwi_policy.core.states import LATCHED
from kiwi_policy.hardware.interface import HardwareError
from kiwi_policy.nodes import realtime
from kiwi_policy.nodes.jitter import Histogram
from kiwi_policy.nodes.reconnect import Reconnector

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tick:
    """What happened at one control tick.

    Attributes:
        stamp: ns, ROS stamp of the tick.
        now: s, its monotonic time.
        measured: (9,) read at this tick, None where the robot did not answer.
        command: what was sent.
        request: to be sent to the policy, or None.
        state: the executor's state.
        missed: ticks that the loop was too late for, just before this one.
    """

    stamp: int
    now: float
    measured: np.ndarray | None
    command: Command
    request: Request | None
    state: State
    missed: int = 0


class ControlLoop:
    """Runs a `ChunkExecutor` on a `Hardware` until stopped; the last thing sent is a base at rest.

    A robot that falls silent is a fault, latched where an episode ran; in IDLE the fault passes when the
    robot answers again.

    Args:
        core: the `ChunkExecutor`.
        hardware: connected `Hardware`.
        clock: `TickClock`; tick 0 is the first.
        on_tick: called with every `Tick` in the control thread; must be quick.
        bus_timeout: s without an answer from the robot after which the executor is at fault.
        reconnect_interval: s between attempts to reach the robot again.
        aside: called with the tick's index and time where the robot has answered and half of the period is left,
            for what may be skipped on a busy tick.
        tell: called with (level, text) for what the log should say; must be quick.

    Attributes:
        jitter: `Histogram` of s by which ticks start later than their due times. A tick that is left out because the
            one before it lasted too long has no lateness: it counts in `missed_ticks`.
        cycle: of s from the start of a tick to its end.
        bus: of s of it that reading from and writing to the robot took.
        scheduling: in words, how the control thread is scheduled.
    """

    def __init__(self, core, hardware, clock, on_tick, bus_timeout=0.5, reconnect_interval=0.05, aside=None,
                 tell=lambda level, text: None):
        self._core, self._hardware, self._clock, self._on_tick = core, hardware, clock, on_tick
        self._aside, self._tell = aside, tell
        self._bus_timeout = bus_timeout
        self._reconnector = Reconnector(hardware, reconnect_interval)
        self._mailbox = deque()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name='control', daemon=True)
        self._measured = None
        self._answered, self._silent_since = True, None
        self._fault_passes = False
        self.jitter, self.cycle, self.bus = Histogram(), Histogram(), Histogram()
        self.bus_errors, self.missed_ticks = 0, 0
        self.last_error, self.crash, self.scheduling = '', '', ''

    def start(self):
        """Start the control thread."""
        self._thread.start()

    @property
    def running(self):
        """True while the control thread lives."""
        return self._thread.is_alive()

    @property
    def blind_stops(self):
        """How often the base was stopped because the robot was silent."""
        return self._core.blind.stops

    @property
    def connected(self):
        """False while the robot is being reached again."""
        return not self._reconnector.busy

    def stop(self, timeout=3.0):
        """End the thread; it sends a base at rest as its last act. Returns whether it ended."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout)
        self._reconnector.close()
        return not self._thread.is_alive()

    def submit(self, function):
        """Run `function(now, measured)` in the control thread before the next tick; returns a Future.

        `measured` is (9,) read at that tick, None where the robot did not answer.
        """
        future = Future()
        self._mailbox.append((function, future))
        if not self._thread.is_alive():
            future.cancel()
        return future

    def clear_timing(self):
        """Forget jitter, cycle and bus times. In the control thread only."""
        for histogram in (self.jitter, self.cycle, self.bus):
            histogram.clear()

    def _run(self):
        self.scheduling = realtime.prefer_thread_to_others()
        realtime.fine_timers()
        index = missed = 0
        try:
            while not self._stopping.is_set():
                deadline = self._clock.time(index)
                time.sleep(max(deadline - time.monotonic(), 0.0))
                started = time.monotonic()
                self.jitter.add(started - deadline)
                self._tick(index, missed)
                self.cycle.add(time.monotonic() - started)
                following = max(self._clock.index_at(time.monotonic()), index + 1)
                missed = following - index - 1
                self.missed_ticks += missed
                index = following
        except Exception as error:
            self.crash = f'{type(error).__name__}: {error}'
            logger.exception('the control loop failed')
        finally:
            self._come_to_rest()

    def _tick(self, index, missed):
        now, stamp = self._clock.time(index), self._clock.stamp(index)
        self._answered, started = not self._reconnector.busy, time.monotonic()
        fresh = self._read()
        reading = time.monotonic() - started
        self._drain(now, fresh)
        state = self._measured if self._measured is not None else np.full(9, np.nan)
        command = self._step(now, state, started)
        request = self._core.request(now)
        commanded = time.monotonic()
        self._write(command)
        self.bus.add(reading + time.monotonic() - commanded)
        self._watch_bus(started)
        self._on_tick(Tick(stamp, now, fresh, command, request, self._core.state, missed))
        if self._aside is not None and self._answered and time.monotonic() - started < 0.5 * self._clock.period:
            self._aside(index, now)

    def _step(self, now, state, started):
        blind = self._core.blind
        silent, stops = 0.0, blind.stops
        if not self._answered and self._silent_since is not None:
            silent = started - self._silent_since
            blind.silence(silent)
        command = self._core.step(now, state)
        if blind.stops > stops:
            self._tell('warning', f'no answer from the robot for {silent:.2f} s: the base rests until there is one: '
                                  f'{self.last_error}')
        return command

    def _read(self):
        if self._reconnector.busy:
            return None
        try:
            self._measured = np.asarray(self._hardware.read(), np.float32).astype(float)   # as it is recorded
        except HardwareError as error:
            self._note(error)
            return None
        return self._measured

    def _write(self, command):
        if self._reconnector.busy or self._core.state is State.LIMP:
            return
        try:
            if command.source is Source.IDLE or self._core.state in LATCHED:
                self._hardware.hold()
            else:
                self._hardware.write(command.values)
        except HardwareError as error:
            self._note(error)

    def _watch_bus(self, started):
        if self._answered:
            self._silent_since = None
            if self._fault_passes:
                self._fault_passes = False
                self._core.reset()
            return
        if self._reconnector.busy:
            return
        self._silent_since = self._silent_since or started
        silent = time.monotonic() - self._silent_since
        if silent > self._bus_timeout:
            self._fault_passes = self._core.state is State.IDLE     # nothing ran, so nothing can resume
            if self._core.state is not State.LIMP:
                self._core.fault(f'the robot has not answered for {silent:.2f} s: {self.last_error}')
            self._silent_since = None
            self._reconnector.begin()

    def _drain(self, now, fresh):
        while self._mailbox:
            function, future = self._mailbox.popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function(now, fresh))
            except Exception as error:
                future.set_exception(error)

    def _note(self, error):
        self._answered = False
        self.bus_errors += 1
        self.last_error = str(error)

    def _come_to_rest(self):
        self._reconnector.close()
        for attempt in range(3):
            try:
                self._hardware.hold()
                break
            except HardwareError as error:
                self._note(error)
        while self._mailbox:
            self._mailbox.popleft()[1].cancel()
