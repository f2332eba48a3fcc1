"""Real-time priority is asked for per thread and process, and done without where it is not permitted."""

import os
import shutil
import subprocess
import sys
import threading

import pytest

from kiwi_policy.nodes import realtime

PROGRAM = """
import os, threading
from kiwi_policy.nodes import realtime
before = threading.Event(), threading.Event()
found = {}

def early():
    before[0].set(), before[1].wait()
    found['early'] = os.sched_getparam(0).sched_priority

thread = threading.Thread(target=early)
thread.start(), before[0].wait()
realtime.prefer_process(10)
before[1].set(), thread.join()
later = threading.Thread(target=lambda: found.update(later=realtime.prefer_thread_to_others()))
later.start(), later.join()
realtime.fine_timers()
realtime.lock_memory()
print(found['early'], os.sched_getparam(0).sched_priority, found['later'], sep=', ')
"""


def permitted():
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(11))
    except OSError:
        return False
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    return True


def said_by(*wrapper):
    return subprocess.run([*wrapper, sys.executable, '-c', PROGRAM], capture_output=True, text=True, check=True).stdout.strip()


def test_every_thread_of_a_process_and_one_before_the_others():
    if not permitted():
        pytest.skip('this user may not ask for real-time priority')
    assert said_by() == '10, 10, real time, priority 11'


def test_a_user_without_the_privilege_runs_as_before():
    wrapper = ()
    if permitted():
        if os.geteuid() or not shutil.which('setpriv'):
            pytest.skip('there is no way to give the privilege up')
        wrapper = ('setpriv', '--bounding-set=-sys_nice', 'prlimit', '--rtprio=0')
    assert said_by(*wrapper) == '0, 0, ordinary'


def test_a_thread_is_preferred_alone():
    found = {}

    def work():
        realtime.prefer_thread(1)
        found['inside'] = os.sched_getparam(0).sched_priority

    thread = threading.Thread(target=work)
    may = permitted()
    thread.start()
    thread.join()
    assert found['inside'] == (1 if may else 0) and os.sched_getparam(0).sched_priority == 0
