"""What recording costs: the closed loop with and without it, by turns, from the same starts.

    scripts/with_env.sh python scripts/measure_recording.py --rollouts 5 --turns 3

Prints for each run the control loop's jitter and cycle, and for recorded runs MB per minute, the recorder's share of a
processor and messages lost. Leave the machine alone meanwhile.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from rosbags.highlevel import AnyReader


def main():
    """Run the turns; returns the status of the first run that failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rollouts', type=int, default=5, help='rollouts in each run (default 5)')
    parser.add_argument('--turns', type=int, default=3, help='runs with recording, and as many without (default 3)')
    parser.add_argument('--seed', type=int, default=1000, help='seed of the first start of every run (default 1000)')
    parser.add_argument('--output', help='folder for the runs (default: a temporary one, which is named and kept)')
    parser.add_argument('arguments', nargs='*', metavar='NAME:=VALUE', help='further arguments of the composition')
    given = parser.parse_args()
    output = Path(given.output or tempfile.mkdtemp(prefix='kiwi-recording-'))
    output.mkdir(parents=True, exist_ok=True)
    print(f'runs in {output}', flush=True)
    figures = {'true': [], 'false': []}
    for turn in range(2 * given.turns):
        record = 'false' if turn % 2 else 'true'
        folder = output / f'{turn:02d}_record_{record}'
        with open(output / f'{folder.name}.log', 'w') as log:
            status = subprocess.run(
                [sys.executable, '-m', 'kiwi_bringup.run', f'rollouts:={given.rollouts}', f'seed:={given.seed}',
                 f'output_dir:={folder}', f'record:={record}', *given.arguments],
                stdout=log, stderr=subprocess.STDOUT).returncode
        if status:
            print(f'run {turn + 1} ended with status {status}; its output is in {folder}.log', file=sys.stderr)
            return status
        found = measure(folder / 'latest')
        figures[record].append(found)
        print(f'run {turn + 1}/{2 * given.turns} record:={record}  {line(found)}', flush=True)
    for record, found in figures.items():
        if found:
            pooled = {key: np.concatenate([one[key] for one in found]) for key in found[0]}
            print(f'record:={record}, all runs  {line(pooled)}')
    return 0


def measure(run):
    """Name -> values of a run, one per rollout; the recorder's share one per second."""
    episodes = json.loads((run / 'rollouts.json').read_text())['episodes']
    found = {'success': [float(e['success']) for e in episodes],
             'jitter p99 (ms)': [1e3 * e['jitter_p99'] for e in episodes],
             'cycle p95 (ms)': [1e3 * e['cycle_p95'] for e in episodes],
             'realtime': [e['realtime_factor'] for e in episodes]}
    if any(episode['bag'] for episode in episodes):
        found |= {'MB/min': [], 'recorder (%)': [], 'lost': []}
    for bag in (run / episode['bag'] for episode in episodes if episode['bag']):
        size = sum(path.stat().st_size for path in bag.glob('*.mcap'))
        with AnyReader([bag]) as reader:
            found['MB/min'].append(size / 1e6 / (reader.duration / 60e9))
            connections = [c for c in reader.connections if c.topic.endswith('/diagnostics')]
            newest = {}
            for connection, _, data in reader.messages(connections=connections):
                for status in reader.deserialize(data, connection.msgtype).status:
                    if status.name == 'recorder_node: recording':
                        newest = {value.key: value.value for value in status.values}
                        found['recorder (%)'].append(float(newest['processor (%)']))
            found['lost'].append(float(newest.get('lost', 'nan')))
    return {key: np.array(values, dtype=float) for key, values in found.items()}


def line(found):
    """Mean and largest of every figure."""
    return '  '.join(f'{key} {np.mean(values):.2f} (max {np.max(values):.2f})'
                     for key, values in found.items() if len(values))


if __name__ == '__main__':
    sys.exit(main())
