"""The pieces of the control loop's benchmark that need no graph: load, probe, composition, figures, report."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from kiwi_bench.loop import command, report, wake_probe
from kiwi_bringup.process import OnExit


def run(**changes):
    """A run as loop_bench_node writes it."""
    times = {'p50': 0.04, 'p95': 0.06, 'p99': 0.1, 'max': 3.0}
    return {'rate': 30.0, 'minutes': 1.0, 'load': 'stress --cpu 2', 'bus_priority': 20, 'inference_ms': 300.0,
            'scheduling': 'real time, priority 11', 'ticks': 1800, 'missed_ticks': 1, 'bus_errors': 0, 'underruns': 0,
            'skipped': 9, 'rejected': 0, 'accepted': 90, 'lost_requests': 0, 'jitter_ms': times, 'cycle_ms': times,
            'bus_ms': times, 'jitter_histogram': {'upper_ms': [0.1, 1.0], 'ticks': [1790, 9, 1]},
            'requests': {'interval': 80, 'just in time': 9, 'no actions': 1}, 'request_interval_ms': 333.0,
            'chunk_latency_ms': {'p50': 333.0, 'p95': 333.0}, 'processors': 2, 'busy_percent': 100.0,
            'stolen_percent': 0.0, 'kernel': '6', 'probe_ms': times | {'priority': 98, 'wakes': 1800}} | changes


def test_a_run_replaces_the_one_of_the_same_kind_only():
    runs = report.add([], run())
    runs = report.add(runs, run(ticks=5))
    assert [kept['ticks'] for kept in runs] == [5]
    for other in (run(rate=50.0), run(load=''), run(scheduling='ordinary'), run(bus_priority=0), run(inference_ms=80.0)):
        runs = report.add(runs, other)
    assert len(runs) == 6 and [kept['rate'] for kept in runs] == [30.0] * 5 + [50.0]


def test_the_report_shows_every_run_and_keeps_the_figures(tmp_path, capsys):
    for number, made in enumerate((run(), run(rate=50.0, probe_ms=None, load=''))):
        (tmp_path / 'run.json').write_text(json.dumps(made))
        assert report.main([str(tmp_path / 'docs'), str(tmp_path / 'run.json')]) == 0
        assert len(json.loads((tmp_path / 'docs' / 'loop.json').read_text())) == number + 1
    page = (tmp_path / 'docs' / 'loop.md').read_text()
    table = [line for line in page.splitlines() if line.startswith('|')]
    assert len({line.count('|') for line in table}) == 1 and len(table) == 4
    assert '| 30 Hz | `stress --cpu 2` | real time, priority 11 |' in page and '0.04 / 0.06 / 0.1 / 3' in page
    assert '## 50 Hz, no load' in page
    bars = [line for line in page.splitlines() if line.startswith('up to 0.1 ms')]
    assert bars[0].count('#') == report.BAR and bars[0].endswith('1790')
    assert 'jitter p99 0.1 ms' in capsys.readouterr().out


def test_a_report_that_cannot_be_read_is_an_error_in_one_line(tmp_path, capsys):
    (tmp_path / 'loop.json').write_text('{')
    (tmp_path / 'run.json').write_text(json.dumps(run()))
    assert report.main([str(tmp_path), str(tmp_path / 'run.json')]) == 1
    assert capsys.readouterr().err.count('\n') == 1


@pytest.mark.parametrize(('count', 'bar'), [(0, 0), (1, 1), (500, report.BAR // 2), (1000, report.BAR)])
def test_a_bar_is_in_proportion_and_never_hides_a_tick(count, bar):
    assert report.bar_length(count, 1000) == bar


def test_the_probe_counts_a_late_wake_once():
    clock = SimpleNamespace(now=0.0)
    delays = iter([0.0, 0.35, 0.0, 0.0])

    def sleep(seconds):
        clock.now += seconds + next(delays)

    wakes = iter([False] * 4 + [True])
    late = wake_probe.probe(10.0, lambda: next(wakes), lambda: clock.now, sleep)
    assert late.count == 4 and late.largest == pytest.approx(0.35)
    assert late.percentile(50) < 1e-5


def running(pid):
    try:
        return Path(f'/proc/{pid}/stat').read_text().rsplit(')', 1)[1].split()[0] != 'Z'
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_busy_processes_end_with_their_parent():
    process = subprocess.Popen([sys.executable, '-m', 'kiwi_bench.loop.busy', '2'], stdin=subprocess.DEVNULL)
    try:
        children = Path(f'/proc/{process.pid}/task/{process.pid}/children')
        while len(children.read_text().split()) < 2:
            assert process.poll() is None
        started = [int(word) for word in children.read_text().split()]
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
        until = time.monotonic() + 60.0
        while any(map(running, started)):
            assert time.monotonic() < until
            time.sleep(0.02)
    finally:
        process.kill()


def composed(*words, permitted=True):
    arguments = command.build_parser().parse_args(words)
    made = command.processes(arguments, 30.0, Path('/run/bus'), Path('/run/run.json'), permitted,
                             lambda package: Path('/opt') / package)
    return {process.name: process for process in made}


def test_a_run_is_the_real_nodes_a_played_policy_and_load():
    made = composed('--rate', '30', '--minutes', '2')
    assert list(made) == ['sim_node', 'chunk_executor_node', 'loop_bench_node', 'load']
    assert made['sim_node'].command[:3] == ('chrt', '--rr', '20') and 'wire_time:=true' in made['sim_node'].command
    assert 'priority:=10' in made['chunk_executor_node'].command
    assert made['loop_bench_node'].on_exit is OnExit.ENDS and 'minutes:=2.0' in made['loop_bench_node'].command


def test_without_load_priority_or_permission():
    made = composed('--no-load', '--no-priority', permitted=False)
    assert list(made) == ['sim_node', 'chunk_executor_node', 'loop_bench_node']
    assert 'priority:=0' in made['chunk_executor_node'].command and made['sim_node'].command[0] != 'chrt'


def test_the_load_is_stress_where_it_is_installed():
    assert command.load_command(2, lambda program: program == 'stress') == ('stress', '--cpu', '2')
    assert command.load_command(3, lambda program: None)[1:] == ('-m', 'kiwi_bench.loop.busy', '3')


@pytest.mark.parametrize('words', [['--rate', '0'], ['--minutes', 'nan'], ['--rate', 'fast'], ['--inference', '9']])
def test_an_argument_out_of_bounds_names_the_bounds(words, capsys):
    with pytest.raises(SystemExit) as ending:
        command.build_parser().parse_args(words)
    assert ending.value.code == 2 and 'is no number from' in capsys.readouterr().err


def test_the_played_motion_begins_at_rest_and_is_smooth():
    pytest.importorskip('rclpy')
    from kiwi_bench.nodes.played_motion import swing

    centre = np.arange(9.0)
    actions = swing(centre, np.arange(0.0, 10.0, 1 / 30))
    assert np.array_equal(actions[0], [*centre[:6], 0.0, 0.0, 0.0])
    assert np.abs(np.diff(actions[:, :6], axis=0)).max() < 2.0 and np.ptp(actions[:, 6]) > 0.1


def test_figures_come_from_the_executors_own_diagnostics():
    pytest.importorskip('kiwi_msgs')
    from builtin_interfaces.msg import Time
    from kiwi_bench.nodes.loop_figures import control_values, figures
    from kiwi_msgs.msg import ExecutorStatus

    from kiwi_policy.core.executor import ChunkExecutor
    from kiwi_policy.nodes.executor_diagnostics import JITTER_EDGES, diagnostics
    from kiwi_policy.nodes.jitter import Histogram

    loop = SimpleNamespace(bus_errors=5, last_error='', missed_ticks=3, scheduling='ordinary', jitter=Histogram(),
                           cycle=Histogram(), bus=Histogram(), blind_stops=0)
    for late in (0.00005, 0.0015, 0.3):
        loop.jitter.add(late)
    board = SimpleNamespace(status=ChunkExecutor().status(0.0))
    session = SimpleNamespace(board=board, loop=loop, health=SimpleNamespace(readings={}, warnings=[], errors=0))
    after = control_values(diagnostics(session, Time()))
    before = {'bus errors': '1', 'missed ticks': '3'}
    made = figures(ExecutorStatus(ticks=3), before, after, ((0, 0, 0), (200, 100, 20)), None)
    assert (made['bus_errors'], made['missed_ticks'], made['ticks']) == (4, 0, 3)
    assert made['jitter_ms']['max'] == 300.0 and made['stolen_percent'] == 10.0
    assert made['jitter_histogram']['upper_ms'] == list(JITTER_EDGES)
    assert made['jitter_histogram']['ticks'] == [1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 1]
    json.dumps(made, allow_nan=False)
