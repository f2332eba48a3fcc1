"""What a process asks of Linux so that its threads run on time. What is not permitted is left as it was."""

import contextlib
import ctypes
import os
import resource

_PR_SET_TIMERSLACK = 29
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4


def prefer_thread(priority):
    """Run the calling thread, and those that it will start, before ordinary processes: SCHED_RR at 1..99."""
    _prefer(0, priority)


def prefer_process(priority):
    """The same for every thread of this process: one that waits for the interpreter waits for them all."""
    for thread in os.listdir('/proc/self/task'):
        _prefer(int(thread), priority)


def prefer_thread_to_others():
    """Where this process runs in real time, run the calling thread before its others.

    Returns:
        how the thread is scheduled, in words.
    """
    priority = os.sched_getparam(0).sched_priority
    if not priority:
        return 'ordinary'
    _prefer(0, priority + 1)
    return f'real time, priority {os.sched_getparam(0).sched_priority}'


def fine_timers():
    """Let the calling thread wake up at the time it asked for; Linux may otherwise take 50 us longer."""
    with contextlib.suppress(AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)


def lock_memory():
    """Keep in memory what this process touches, so that no tick waits for a disk. Returns whether it was permitted."""
    if os.geteuid() and resource.getrlimit(resource.RLIMIT_MEMLOCK)[0] != resource.RLIM_INFINITY:
        return False        # below a limit, later allocations would fail
    with contextlib.suppress(AttributeError):
        return not ctypes.CDLL(None).mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)
    return False


def _prefer(thread, priority):
    with contextlib.suppress(OSError):
        os.sched_setscheduler(thread, os.SCHED_RR, os.sched_param(priority))
