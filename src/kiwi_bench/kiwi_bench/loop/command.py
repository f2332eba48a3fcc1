"""Measures the control loop in real time: the real executor on the emulated bus, a played policy, a loaded machine.

    python -m kiwi_bench.loop.command [--rate 30 50] [--minutes 10] [--no-load] [--no-priority] ...
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from ament_index_python.packages import PackageNotFoundError

from kiwi_bringup.domain import claim
from kiwi_bringup.environment import environment
from kiwi_bringup.process import OnExit, Process, node_command
from kiwi_bringup.run import locate
from kiwi_bringup.supervisor import Supervisor

PROGRAM = 'bench_loop'
BUS_PRIORITY = 20
READY_TIMEOUT = 180.0  # s; a busy machine imports torch slowly

DESCRIPTION = """\
Measure the control loop in real time. Each run starts the real chunk_executor_node on the emulated servo bus (wire
time included) and a played policy that answers every request after a given time with chunks that move arm and base,
keeps the processors busy, and reports how late the ticks start (jitter), how long they take, and what went wrong:
missed ticks, bus errors, underruns, skipped rows.

A run of the same rate, load and priorities replaces the one before in DOCS/loop.json; DOCS/loop.md shows them all."""

EPILOG = """\
examples:
  bench_loop                              30 Hz and 50 Hz, 10 minutes each, all processors loaded
  bench_loop --rate 30 --no-priority      the executor as an ordinary process
  bench_loop --minutes 1 --no-load --docs /tmp/loop

Real-time priorities need root, or rtprio in /etc/security/limits.conf. A short run says little about rare events.

exit status: 0 done, 1 a run failed, 2 wrong arguments, 130 interrupted"""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(PROGRAM, description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add, switch = parser.add_argument, argparse.BooleanOptionalAction
    add('--rate', type=between(1.0, 200.0), nargs='+', default=[30.0, 50.0], metavar='HZ',
        help='control rates, one run each (default: 30 50)')
    add('--minutes', type=between(0.05, 600.0), default=10.0, metavar='N',
        help='how long each run measures (default: 10)')
    add('--inference', type=between(0.0, 5.0), default=0.3, metavar='S',
        help='s that the played policy takes for a chunk (default: 0.3)')
    add('--load', action=switch, default=True, help='keep every processor busy with stress-ng, stress or, where '
        'neither is installed, processes of ours (default: yes)')
    add('--priority', action=switch, default=True, help='give the executor real-time priority (default: yes)')
    add('--bus-priority', action=switch, default=True, help='give the emulated bus real-time priority, since a real '
        'servo does not wait for a processor (default: yes)')
    add('--docs', default='docs/executor', metavar='DIR', help='where the report goes (default: %(default)s)')
    return parser


def between(low: float, high: float) -> Callable[[str], float]:
    """Reads a number within bounds."""
    def number(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = float('nan')
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(f'{text!r} is no number from {low:g} to {high:g}')
        return value
    return number


def load_command(processors: int, which: Callable[[str], str | None] = shutil.which) -> tuple[str, ...]:
    """What keeps that many processors busy."""
    for program in ('stress-ng', 'stress'):
        if which(program):
            return program, '--cpu', str(processors)
    return sys.executable, '-m', 'kiwi_bench.loop.busy', str(processors)


def in_real_time(command: Sequence[str], permitted: bool) -> tuple[str, ...]:
    """The command with the bus's real-time priority, where that is permitted."""
    return ('chrt', '--rr', str(BUS_PRIORITY), *command) if permitted else tuple(command)


def may_run_in_real_time() -> bool:
    """Whether this user may ask for the bus's priority."""
    try:
        return subprocess.run(['chrt', '--rr', str(BUS_PRIORITY), 'true'], capture_output=True).returncode == 0
    except OSError:
        return False


def processes(arguments: argparse.Namespace, rate: float, link: Path, output: Path, bus_permitted: bool,
              where: Callable[[str], Path] = locate) -> tuple[Process, ...]:
    """The processes of one run, in start order.

    Args:
        arguments: of the command line.
        rate: Hz.
        link: where the simulation puts the link to its servo bus.
        output: JSON file that the run writes.
        bus_permitted: whether the emulated bus may run in real time.
        where: finds a package's install prefix.
    """
    calibration = where('kiwi_sim') / 'share' / 'kiwi_sim' / 'calibration' / 'lekiwi_sim.json'
    load = load_command(os.cpu_count() or 1) if arguments.load else ()
    world = node_command(where('kiwi_sim') / 'lib' / 'kiwi_sim' / 'sim_node', parameters={
        'port_link': str(link), 'camera_rate': 0.0, 'overview_rate': 0.0, 'wire_time': True})
    executor = node_command(where('kiwi_policy') / 'lib' / 'kiwi_policy' / 'chunk_executor_node', parameters={
        'robot_port': str(link), 'calibration': str(calibration), 'connect_timeout': READY_TIMEOUT, 'rate': rate,
        'priority': 10 if arguments.priority else 0})
    bench = node_command(where('kiwi_bench') / 'lib' / 'kiwi_bench' / 'loop_bench_node', parameters={
        'rate': rate, 'minutes': arguments.minutes, 'inference': arguments.inference, 'output': str(output),
        'load': ' '.join(Path(word).name if index == 0 else word for index, word in enumerate(load)),
        'bus_priority': BUS_PRIORITY if bus_permitted else 0, 'ready_timeout': READY_TIMEOUT})
    made = (Process('sim_node', in_real_time(world, bus_permitted), OnExit.FAILS, stop_stage=1),
            Process('chunk_executor_node', executor, OnExit.FAILS),
            Process('loop_bench_node', bench, OnExit.ENDS, prefixed=False))
    return (*made, Process('load', load, OnExit.FAILS)) if load else made


def measure(arguments: argparse.Namespace, rate: float, output: Path, bus_permitted: bool,
            base: Mapping[str, str] = os.environ) -> int:
    """One run; returns its status."""
    domain = claim()
    profile = locate('kiwi_bringup') / 'share' / 'kiwi_bringup' / 'config' / 'loopback_fastdds.xml'
    made = processes(arguments, rate, domain.bus_link, output, bus_permitted)
    added = environment(True, domain.number, profile)
    try:
        return Supervisor(made, {**base, **added}, sys.stdout.buffer, sys.stderr.buffer).run()
    finally:
        if domain.lock is not None:
            os.close(domain.lock)


def main(words: list[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    arguments = build_parser().parse_args(words)
    bus_permitted = arguments.bus_priority and may_run_in_real_time()
    if arguments.bus_priority and not bus_permitted:
        print(f'{PROGRAM}: no real-time priority for the emulated bus: root, or rtprio in /etc/security/limits.conf, '
              'is needed', file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix='kiwi-bench-loop-') as folder:
        for rate in dict.fromkeys(arguments.rate):
            output = Path(folder) / 'run.json'
            try:
                status = measure(arguments, rate, output, bus_permitted)
            except (PackageNotFoundError, RuntimeError, ValueError, OSError) as error:
                print(f'{PROGRAM}: error: {error}', file=sys.stderr)
                return 1
            if status:
                how = 'was interrupted' if status == 130 else 'failed'
                print(f'{PROGRAM}: the run at {rate:g} Hz {how}; nothing is written of it', file=sys.stderr)
                return status if status == 130 else 1
            report = [sys.executable, '-m', 'kiwi_bench.loop.report', arguments.docs, str(output)]
            if subprocess.run(report).returncode:
                return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
