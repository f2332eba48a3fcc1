"""The table of faults: how each is made, what must happen, how the robot gets going again."""

import os
import re
import signal
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from kiwi_msgs.msg import ExecutorStatus as S
from lifecycle_msgs.msg import Transition

from kiwi_bench.nodes import bad_chunks

AUTOMATIC = 'automatic'
RESET = 'ros2 service call /executor/reset std_srvs/srv/Trigger'
RESTART = 'make pickplace'
ACTIVATE = 'ros2 lifecycle set /chunk_executor_node activate'
CLOCK_STEP = -3600.0    # s


class Stop(Enum):
    """From when on the base has 0.3 s to stand."""

    NEVER = 'the base drives on'
    PAUSES = 'the base drives on, but for pauses'
    FAULT = 'from the fault'
    LAST_ACTION = 'from the last action that had been received'


@dataclass(frozen=True)
class Fault:
    """One row of the table.

    Args:
        name: as in --faults.
        made: what is done to the system.
        happens: what the system does about it.
        stop: `Stop`. Wheels that cannot be reached have until 0.3 s after contact.
        recovery: AUTOMATIC or the one command.
        inject: makes the fault, given (rig, number of the trial).
        said: returns what the operator can read of it, '' for nothing, given (rig, start in s).
        heal: takes the fault away, where it does not pass by itself.
        recover: does what `recovery` says, and begins an episode where the old one has ended.
        seconds: how long the fault lasts, at least.
        until_said: whether it lasts until it has been said, too.
        trials: by default.
    """

    name: str
    made: str
    happens: str
    stop: Stop
    recovery: str
    inject: Callable
    said: Callable
    heal: Callable = lambda rig: None
    recover: Callable = lambda rig: None
    seconds: float = 1.5
    until_said: bool = False
    trials: int = 5


# What the operator can read.

def status(*states):
    """The reason that executor/status gives for one of these states."""
    def said(rig, start):
        told = [message for message in rig.observer.since(rig.observer.statuses, start) if message.state in states]
        return f'executor/status: {told[-1].reason}' if told else ''
    return said


def refusal(reason):
    """The counter of executor/status for a reason of refusal."""
    def said(rig, start):
        for message in reversed(rig.observer.since(rig.observer.statuses, start)):
            counts = dict(zip(message.reject_reasons, message.reject_counts))
            if reason in counts:
                return f'executor/status: refused {reason}: {counts[reason]}'
        return ''
    return said


def line(process, pattern):
    """The first line of a process's output that holds a regular expression, without what varies."""
    def said(rig, start):
        found = re.search(rf'^.*?((?:{pattern}).*)$', rig.log(process), re.MULTILINE)
        return f'{process}: {found[1]}' if found else ''
    return said


def diagnostic(key, least):
    """A number of the executor's diagnostics, where it has grown by at least `least`."""
    def said(rig, start):
        rows = [{value.key: value.value for part in message.status for value in part.values}
                for message in (rig.observer.diagnostics[0].message,
                                *rig.observer.since(rig.observer.diagnostics, start))]
        grown = int(rows[-1].get(key, 0)) - int(rows[0].get(key, 0))
        return f'diagnostics: {key} +{grown}' if grown >= least else ''
    return said


def all_of(*parts):
    """Every one of these, '' where one is missing."""
    def said(rig, start):
        told = [part(rig, start) for part in parts]
        return '; '.join(told) if all(told) else ''
    return said


def heartbeat(rig, start):
    """Diagnostics that kept coming, once a second."""
    count = len(rig.observer.since(rig.observer.diagnostics, start))
    return f'diagnostics: {count} messages, nothing to report' if count >= 2 else ''


# Ways back.

def reset(rig):
    """Leave a latched fault and begin anew."""
    rig.until(lambda: rig.observer.call('reset').success, 'executor/reset to be granted')
    rig.begin()


def restart(rig):
    """Start the executor again, as a new start of the system does."""
    rig.ended('executor')
    rig.observer.statuses.clear()
    rig.start_executor()
    rig.until(lambda: rig.observer.state() is not None, 'the new executor')
    rig.begin()


def activate(rig):
    """Activate the executor again."""
    rig.observer.call('transition', transition=Transition(id=Transition.TRANSITION_ACTIVATE))
    rig.begin()


def respawn(rig):
    """Start the policy again, as launch and kiwi_bringup.run do."""
    rig.ended('policy')
    rig.start_policy()


# What is done.

def _silence(rig, number):
    rig.plant.faults.silent.add((8, 3)[number % 2])


def _hear_again(rig):
    rig.plant.faults.silent.clear()


def _corrupt(share):
    def inject(rig, *_):
        rig.plant.faults.corrupt = share
    return inject


def _cameras(what):
    def inject(rig, *_):
        rig.observer.cameras = what
    return inject


def _kill(process, number):
    return lambda rig, _trial: rig.signal(process, number)


def _deactivate(rig, _trial):
    rig.observer.call('transition', transition=Transition(id=Transition.TRANSITION_DEACTIVATE))


def _bad_chunk(name, made, spoil, reason):
    return Fault(name, made, f'The chunk is refused and counted under `{reason}`; the plan in force runs on.',
                 Stop.NEVER, AUTOMATIC,
                 lambda rig, _trial: bad_chunks.inject(rig, spoil), refusal(reason), seconds=1.0)


STARVED = ('The actions that were received run to their end, then the base decays to rest within 0.2 s and the arm holds '
           '(`STARVED`). ')

FAULTS = {fault.name: fault for fault in (
    Fault('policy_killed', 'SIGKILL to policy_node.',
          STARVED + 'The front end starts the policy again; the executor takes its new run up.',
          Stop.LAST_ACTION, AUTOMATIC, _kill('policy', signal.SIGKILL), status(S.STARVED), heal=respawn),
    Fault('policy_stalled', 'SIGSTOP to policy_node, SIGCONT 5 s later.',
          STARVED + 'Chunks made before the pause are too old and are refused.',
          Stop.LAST_ACTION, AUTOMATIC, _kill('policy', signal.SIGSTOP), status(S.STARVED),
          heal=lambda rig: rig.signal('policy', signal.SIGCONT), seconds=5.0),
    Fault('policy_exception', 'Every inference raises for 2 s.',
          STARVED + 'The policy counts its failures and goes on.',
          Stop.LAST_ACTION, AUTOMATIC, lambda rig, _trial: rig.break_policy(True),
          all_of(status(S.STARVED), line('policy', 'no chunk, failure')),
          heal=lambda rig: rig.break_policy(False), seconds=2.0),
    _bad_chunk('nan_chunk', 'A chunk with NaN in it.', bad_chunks.nan, 'not_finite'),
    _bad_chunk('wrong_names', 'A chunk with other names.', bad_chunks.wrong_names, 'wrong_names'),
    _bad_chunk('wrong_shape', 'A chunk with a row less than it says.', bad_chunks.wrong_shape, 'wrong_shape'),
    _bad_chunk('duplicate', 'The newest chunk once more, with other actions.', bad_chunks.duplicate, 'duplicate'),
    _bad_chunk('out_of_order', 'A chunk that is older than the newest.', bad_chunks.out_of_order, 'older'),
    _bad_chunk('stale_stamp', 'A new chunk with a stamp of an hour ago.', bad_chunks.stale, 'older'),
    _bad_chunk('future_stamp', 'A new chunk with a stamp an hour ahead.', bad_chunks.future, 'future'),
    Fault('clock_step', 'The system clock, as executor, policy and cameras read it, goes an hour back, and 3 s later an '
          'hour forward.',
          'Nothing: due times, ages and timers rest on the monotonic clock.',
          Stop.NEVER, AUTOMATIC, lambda rig, _trial: rig.step_clocks(CLOCK_STEP), heartbeat,
          heal=lambda rig: rig.step_clocks(0.0), seconds=3.0),
    Fault('bus_checksums', '5 % of the servos\' replies with a flipped bit, for 3 s.',
          'A garbled reading is repeated where there is time; a tick without one goes on with the last, and is counted. '
          'After 0.15 s without one the base rests until there is one.',
          Stop.PAUSES, AUTOMATIC, _corrupt(0.05), diagnostic('bus errors', 1), heal=_corrupt(0.0), seconds=3.0),
    Fault('bus_unplugged', 'The plug of the servo bus is pulled and put back 2 s later.',
          'Nothing reaches the servos while it is out. `FAULT`, latched; the executor connects by itself and stops the '
          'wheels first.',
          Stop.FAULT, RESET, lambda rig, _trial: rig.plant.unplug(),
          all_of(status(S.FAULT), line('executor', 'lost the robot')), heal=lambda rig: rig.plant.plug(), recover=reset,
          seconds=2.0, until_said=True),
    Fault('servo_silent', 'One servo, a wheel or the elbow, neither answers nor obeys for 2 s.',
          'The base is stopped as far as it can be reached, the rest on contact. `FAULT`, latched.',
          Stop.FAULT, RESET, _silence, all_of(status(S.FAULT), line('executor', 'no answer on')), heal=_hear_again,
          recover=reset, seconds=2.0, until_said=True),
    Fault('camera_frozen', 'The cameras repeat one picture.',
          'The policy notices after 0.5 s (`frozen_after`) and makes no chunk. ' + STARVED.strip(),
          Stop.LAST_ACTION, AUTOMATIC, _cameras('frozen'), all_of(status(S.STARVED), line('policy', 'no chunk: camera')),
          heal=_cameras('on'), seconds=2.0),
    Fault('camera_gone', 'The cameras send nothing.',
          'The policy notices after 0.15 s (`max_image_age`) and makes no chunk. ' + STARVED.strip(),
          Stop.LAST_ACTION, AUTOMATIC, _cameras('gone'), all_of(status(S.STARVED), line('policy', 'no chunk: camera')),
          heal=_cameras('on'), seconds=2.0),
    Fault('executor_terminated', 'SIGTERM to chunk_executor_node.',
          'It stops the base, closes the bus with the torque on and ends with status 0.',
          Stop.FAULT, RESTART, _kill('executor', signal.SIGTERM), line('executor', 'ends on SIGTERM'), recover=restart),
    Fault('executor_killed', 'SIGKILL to chunk_executor_node.',
          'Its guardian stops the wheels until each confirms it. The arm holds its last goal.',
          Stop.FAULT, RESTART, _kill('executor', signal.SIGKILL), line('executor', 'guardian: '), recover=restart,
          trials=20),
    Fault('executor_hung', 'SIGSTOP to chunk_executor_node.',
          'Its guardian kills it after 0.2 s of silence and stops the wheels. The arm holds its last goal.',
          Stop.FAULT, RESTART, _kill('executor', signal.SIGSTOP), line('executor', 'guardian: '), recover=restart,
          trials=20),
    Fault('processors_busy', 'Two busy processes per processor for 5 s.',
          'The control loop keeps its rate where it may run before others, else late ticks are skipped and counted; '
          'where chunks come too late the base rests until they come.',
          Stop.PAUSES, AUTOMATIC, lambda rig, _trial: rig.burn(2 * (os.cpu_count() or 1)), heartbeat,
          heal=lambda rig: rig.burn(0), seconds=5.0),
    Fault('deactivated', 'lifecycle deactivate while it drives.',
          'The base stops, the arm holds, the episode is over.',
          Stop.FAULT, ACTIVATE, _deactivate, line('executor', 'deactivated'), recover=activate, seconds=1.0),
)}
