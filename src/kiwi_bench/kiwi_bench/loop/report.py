"""The measured runs of the control loop: kept in loop.json, shown in loop.md with a histogram of the jitter.

    python -m kiwi_bench.loop.report DOCS RUN.json      # adds the run and writes the page anew
"""

import json
import os
import sys
from pathlib import Path

BAR = 40        # characters of the longest bar

INTRODUCTION = """\
# The control loop in real time

Written by `make bench-loop` (`bench_loop` of kiwi_bench): the real `chunk_executor_node` drives the emulated servo bus
with wire time, a played policy answers every request after the inference time given, and arm and base move all the while.

- **jitter**: how much later than its due time a tick starts. Due times lie on a fixed grid, so a late tick counts once.
- **missed**: ticks left out because the one before lasted longer than a period.
- **cycle**: from the start of a tick to its end; **bus** is the part of it spent reading from and writing to the robot.
  Other work on the machine slows the emulated bus down even where it has priority itself: its pseudo-terminal seems to hand
  bytes over in kernel threads of ordinary priority. A reply later than reply_timeout counts as a bus error.
- **floor**: the same lateness of a process that does nothing but wake up, at the highest priority, beside the run:
  what the machine allows. **stolen** is the share of processor time that the host took away from a virtual machine.
- **skipped**: rows of chunks that were due before the chunk came (inference time times rate, for each chunk), or whose
  tick was missed.

Times in ms."""

COLUMNS = ('rate', 'load', 'executor', 'bus', 'min', 'ticks', 'jitter p50 / p95 / p99 / max', 'floor p99 / max',
           'missed', 'cycle p50 / p95 / max', 'bus p50 / p95', 'bus errors', 'underruns', 'skipped',
           'chunk p50 / p95', 'stolen')


def key(run):
    """What makes a run the same measurement as another."""
    return (run['rate'], bool(run['load']), run['scheduling'].startswith('real'), bool(run['bus_priority']),
            run['inference_ms'])


def add(runs, run):
    """The runs with `run` among them, in order, in place of an earlier one of the same kind."""
    return sorted([other for other in runs if key(other) != key(run)] + [run],
                  key=lambda run: (run['rate'], not run['load'], *(not flag for flag in key(run)[2:4])))


def page(runs):
    """The page as Markdown."""
    rows = [COLUMNS, ['---'] * len(COLUMNS), *map(row, runs)]
    table = '\n'.join(f'| {" | ".join(cells)} |' for cells in rows)
    return '\n\n'.join([INTRODUCTION, table, *map(section, runs)]) + '\n'


def row(run):
    """A run's cells."""
    jitter, cycle, bus, probe = run['jitter_ms'], run['cycle_ms'], run['bus_ms'], run['probe_ms']
    return [f'{run["rate"]:g} Hz', f'`{run["load"]}`' if run['load'] else 'none', run['scheduling'],
            f'real time, priority {run["bus_priority"]}' if run['bus_priority'] else 'ordinary', f'{run["minutes"]:g}',
            str(run['ticks']), several(jitter, 'p50', 'p95', 'p99', 'max'),
            several(probe, 'p99', 'max') if probe else '-', str(run['missed_ticks']), several(cycle, 'p50', 'p95', 'max'),
            several(bus, 'p50', 'p95'),
            str(run['bus_errors']), str(run['underruns']), str(run['skipped']),
            several(run['chunk_latency_ms'], 'p50', 'p95'), f'{run["stolen_percent"]:g} %']


def several(figures, *names):
    """Some figures, separated by slashes."""
    return ' / '.join(f'{figures[name]:.3g}' for name in names)


def section(run):
    """The histogram of one run's jitter, drawn in text."""
    load = 'loaded' if run['load'] else 'no load'
    title = (f'## {run["rate"]:g} Hz, {load}, executor {run["scheduling"]}, bus '
             f'{"in real time" if run["bus_priority"] else "ordinary"}')
    requests = ', '.join(f'{count} {cause}' for cause, count in run['requests'].items())
    facts = (f'{run["processors"]} processors, {run["busy_percent"]:g} % busy, Linux {run["kernel"]}. Requests by cause: '
             f'{requests}; one every {run["request_interval_ms"]:.0f} ms, {run["lost_requests"]} asked again.')
    return f'{title}\n\n{facts}\n\n```\n{histogram(run["jitter_histogram"])}\n```'


def histogram(counted):
    """Bars of the ticks per interval of lateness, each with its count."""
    edges, ticks = counted['upper_ms'], counted['ticks']
    names = [f'up to {edge:g} ms' for edge in edges] + [f'above {edges[-1]:g} ms']
    longest, most = max(map(len, names)), max(max(ticks), 1)
    lines = [f'{name:>{longest}} |{"#" * bar_length(count, most):<{BAR}} {count}' for name, count in zip(names, ticks)]
    return '\n'.join(lines)


def bar_length(count, most):
    """Characters of a bar: in proportion, and at least one where there is anything."""
    return max(round(BAR * count / most), 1 if count else 0)


def main(words=None):
    """Add a run to the report; returns the exit status."""
    words = sys.argv[1:] if words is None else words
    if len(words) != 2:
        print('usage: python -m kiwi_bench.loop.report DOCS RUN.json', file=sys.stderr)
        return 2
    folder, kept = Path(words[0]), Path(words[0]) / 'loop.json'
    try:
        runs = json.loads(kept.read_text()) if kept.exists() else []
        run = json.loads(Path(words[1]).read_text())
        runs = add(runs, run)
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in ((kept, json.dumps(runs, indent=1) + '\n'), (folder / 'loop.md', page(runs))):
            fresh = path.with_suffix('.new')
            fresh.write_text(text)
            os.replace(fresh, path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        print(f'bench_loop: cannot add {words[1]} to the report in {folder}: {type(error).__name__}: {error}',
              file=sys.stderr)
        return 1
    jitter = run['jitter_ms']
    print(f'{run["rate"]:g} Hz: jitter p99 {jitter["p99"]:.3g} ms, max {jitter["max"]:.3g} ms, '
          f'{run["missed_ticks"]} missed ticks, {run["underruns"]} underruns; report: {folder / "loop.md"}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
