"""Both front ends treat the same processes alike: start, respawn, crash, stop, and nothing left behind."""
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
HAS_LAUNCH = getattr(importlib.util.find_spec('launch'), 'origin', None) is not None  # a mere folder has no origin
FRONT_ENDS = ['run', pytest.param('launch', marks=pytest.mark.skipif(
    not HAS_LAUNCH, reason='launch is not installed: ROS 2 from apt has it, the wheels do not'))]
pytestmark = pytest.mark.parametrize('kind', FRONT_ENDS)


class Bench:
    """A front end with fake processes and the log they write."""

    def __init__(self, kind, folder):
        self.kind, self.log = kind, folder / 'events'
        self.rows = []
        self.out, self.err = folder / 'out', folder / 'err'
        self.front_end = None

    def add(self, name, *options, on_exit='respawn', stop_stage=1, prefixed=True):
        self.rows.append({'name': name, 'words': [str(self.log), *options], 'on_exit': on_exit,
                          'stop_stage': stop_stage, 'prefixed': prefixed})

    def system(self, sim=(), policy=(), executor=(), rollout=()):
        """The processes of the real composition, faked, with options of their own."""
        self.add('sim', *sim, on_exit='fails')
        self.add('policy', *policy)
        self.add('executor', *executor, on_exit='fails', stop_stage=0)
        self.add('rollout', *rollout, on_exit='ends', stop_stage=0, prefixed=False)

    def start(self):
        with open(self.out, 'wb') as out, open(self.err, 'wb') as err:
            self.front_end = subprocess.Popen(
                [sys.executable, str(HERE / 'fake_front_end.py'), self.kind, json.dumps(self.rows)],
                stdout=out, stderr=err, stdin=subprocess.DEVNULL, start_new_session=True)

    def finish(self, timeout=40):
        return self.front_end.wait(timeout)

    def events(self):
        """(name, event, process id) of all that happened so far."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [(name, event, int(pid)) for name, event, pid in map(str.split, lines)]

    def happened(self, event):
        return [name for name, what, _ in self.events() if what == event]

    def wait_for(self, condition, timeout=40):
        deadline = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < deadline, (self.events(), self.err.read_text(), self.out.read_text())
            time.sleep(0.05)

    def alive(self):
        return [pid for pid in {pid for _, _, pid in self.events()} if is_alive(pid)]

    def position(self, name, event):
        return [(who, what) for who, what, _ in self.events()].index((name, event))


def is_alive(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False


@pytest.fixture
def bench(kind, tmp_path):
    made = Bench(kind, tmp_path)
    yield made
    if made.front_end is not None and made.front_end.poll() is None:
        made.front_end.kill()
        made.front_end.wait()
    for pid in made.alive():
        os.kill(pid, signal.SIGKILL)


def test_end_of_the_rollouts_ends_all_in_order_and_their_result_stands_last(bench):
    bench.system(executor=['linger=0.5'], rollout=['live=1', 'print=success 3/5'])
    bench.start()
    assert bench.finish() == 0
    assert sorted(bench.happened('start')) == ['executor', 'policy', 'rollout', 'sim']
    assert sorted(bench.happened('SIGINT')) == ['executor', 'policy', 'sim']
    for later in ('policy', 'sim'):
        assert bench.position('executor', 'end') < bench.position(later, 'SIGINT')
    assert bench.out.read_text().splitlines()[-1] == 'success 3/5'
    assert not bench.alive()


def test_rollouts_that_fail_make_the_run_fail(bench):
    bench.system(rollout=['live=0.5', 'exit=3'])
    bench.start()
    assert bench.finish() == (3 if bench.kind == 'run' else 1)
    assert not bench.alive()


def test_killed_policy_is_started_again(bench):
    bench.system(policy=['kill=once'], rollout=['live=5'])
    bench.start()
    assert bench.finish() == 0
    assert bench.happened('start').count('policy') == 2
    assert bench.happened('start').count('sim') == bench.happened('start').count('executor') == 1
    assert not bench.alive()


def test_a_viewer_that_ends_is_left_and_the_run_goes_on(bench):
    bench.system(rollout=['live=2', 'print=success 1/1'])
    bench.add('view', 'live=0.2', 'exit=2', on_exit='left')
    bench.start()
    assert bench.finish() == 0
    assert bench.happened('start').count('view') == 1
    assert 'view ended with status 2' in bench.out.read_text() + bench.err.read_text()
    assert not bench.alive()


def test_policy_that_cannot_run_as_configured_ends_the_run(bench):
    bench.system(policy=['live=0.2', 'exit=2'])
    bench.start()
    assert bench.finish() == 1
    assert bench.happened('start').count('policy') == 1
    assert 'policy cannot run as configured' in bench.out.read_text() + bench.err.read_text()
    assert not bench.alive()


def test_policy_that_dies_again_and_again_ends_the_run(bench):
    bench.system(policy=['live=0.1', 'exit=1'])
    bench.start()
    assert bench.finish() == 1
    assert bench.happened('start').count('policy') == 3
    assert not bench.alive()


@pytest.mark.parametrize('fatal', ['executor', 'sim'])
def test_process_that_nothing_can_go_on_without_ends_the_run(bench, fatal):
    bench.system(**{fatal: ['live=1', 'exit=0']})
    bench.start()
    assert bench.finish() == 1
    assert bench.happened('start').count(fatal) == 1
    assert f'{fatal} ended with status 0' in bench.out.read_text() + bench.err.read_text()
    assert not bench.alive()


def test_interrupt_stops_executor_before_policy_and_sim(bench):
    bench.system(executor=['linger=0.5'])
    bench.start()
    bench.wait_for(lambda: len(bench.happened('start')) == 4)
    bench.front_end.send_signal(signal.SIGINT)
    status = bench.finish()
    assert status == (130 if bench.kind == 'run' else status)
    assert sorted(bench.happened('SIGINT')) == ['executor', 'policy', 'rollout', 'sim']
    assert bench.position('executor', 'end') < bench.position('sim', 'SIGINT')
    assert not bench.happened('SIGTERM')
    assert not bench.alive()


def test_interrupt_of_the_whole_terminal_reaches_processes_once(bench):
    bench.system()
    bench.start()
    bench.wait_for(lambda: len(bench.happened('start')) == 4)
    os.killpg(bench.front_end.pid, signal.SIGINT)
    bench.finish()
    assert sorted(bench.happened('SIGINT')) == ['executor', 'policy', 'rollout', 'sim']
    assert not bench.alive()


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGKILL], ids=['SIGTERM', 'SIGKILL'])
def test_death_of_the_front_end_leaves_nothing(bench, number):
    bench.system()
    bench.start()
    bench.wait_for(lambda: len(bench.happened('start')) == 4)
    bench.front_end.send_signal(number)
    bench.finish()
    bench.wait_for(lambda: not bench.alive())
    assert sorted(bench.happened('end')) == ['executor', 'policy', 'rollout', 'sim']


def test_stubborn_process_is_terminated_then_killed(bench):
    bench.system(sim=['ignore=both'], executor=['ignore=int'], rollout=['live=1'])
    bench.start()
    assert bench.finish() == 0
    assert bench.happened('SIGTERM').count('executor') == 1
    assert 'executor' in bench.happened('end')
    assert [event for name, event, _ in bench.events() if name == 'sim'] == ['start', 'SIGINT', 'SIGTERM']
    assert not bench.alive()
