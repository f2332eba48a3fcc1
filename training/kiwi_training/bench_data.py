"""`python -m kiwi_training.bench_data DATASET`: kiwi-train beside lerobot-train, the same run on the same machine.

Both commands run as they are, alternately, with one config, seed and batch size; figures are read
from their own logs. data = time a step waits for its batch (including its conversion), step = data
+ update. The first steps, in which workers start, are left out. Ratios come from one benchmark and
survive other load on the machine; the times do not.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

WARM_UP = 5
_LINE = re.compile(r'step:(\S+).*?loss:(\S+).*?updt_s:(\S+).*?data_s:(\S+)')


@dataclass(frozen=True)
class Curve:
    """One run: loss, waiting for data (s) and whole step (s), each (steps,)."""

    loss: np.ndarray
    data: np.ndarray
    step: np.ndarray

    @classmethod
    def join(cls, runs: list['Curve']) -> 'Curve':
        """Times of several runs without their warm-ups; the loss of the first."""
        return cls(runs[0].loss, np.concatenate([run.data[WARM_UP:] for run in runs]),
                   np.concatenate([run.step[WARM_UP:] for run in runs]))


def run_lerobot_train(options: argparse.Namespace, folder: Path) -> Curve:
    """Runs lerobot-train and reads its log."""
    root = Path(options.dataset).resolve()
    words = ['-m', 'kiwi_training.train', '--via-lerobot', f'--policy.type={options.policy}', '--policy.device=cpu',
             f'--dataset.repo_id=local/{root.name}', f'--dataset.root={root}', '--dataset.video_backend=pyav',
             f'--output_dir={folder}', f'--steps={options.steps}', f'--batch_size={options.batch_size}',
             f'--num_workers={options.workers}', f'--seed={options.seed}', '--log_freq=1', '--save_checkpoint=false',
             *(f'--policy.{setting}' for setting in options.settings)]
    log = _run(words, options)
    rows = [tuple(map(float, found.groups()[1:])) for found in map(_LINE.search, log.splitlines()) if found]
    if len(rows) != options.steps:
        raise RuntimeError(f'lerobot-train logged {len(rows)} of {options.steps} steps:\n{log[-2000:]}')
    loss, update, data = np.array(rows).T
    return Curve(loss, data, update + data)


def run_kiwi_train(options: argparse.Namespace, folder: Path) -> Curve:
    """Runs kiwi-train and reads its log."""
    settings = [word for setting in options.settings for word in ('--set', f'policy.{setting}')]
    words = ['-m', 'kiwi_training.train', '--dataset', options.dataset, '--policy', options.policy, '--device', 'cpu',
             '--output', str(folder), '--steps', str(options.steps), '--batch-size', str(options.batch_size),
             '--seed', str(options.seed), '--log-every', '1', '--val-split', '0', '--precision', 'fp32', *settings]
    _run(words, options)
    rows = [json.loads(line) for line in (folder / 'log.jsonl').read_text().splitlines()]
    return Curve(*(np.array([row[key] for row in rows]) for key in ('loss', 'data_s', 'step_s')))


def _run(words: list[str], options: argparse.Namespace) -> str:
    environment = os.environ | {'OMP_NUM_THREADS': str(options.threads)}
    done = subprocess.run([sys.executable, *words], env=environment, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f'{" ".join(words)} failed:\n{done.stdout[-3000:]}')
    return done.stdout


def report(theirs: Curve, ours: Curve) -> dict:
    """The table's figures: times in s (means over steps), ratios, and the losses side by side."""
    def thirds(loss: np.ndarray) -> list[float]:
        return [float(f'{part.mean():.5g}') for part in np.array_split(loss, 3)]

    def quantiles(loss: np.ndarray) -> list[float]:
        return [float(f'{value:.5g}') for value in np.quantile(loss[len(loss) // 2:], (0.1, 0.5, 0.9))]

    update = ours.step.mean() - ours.data.mean()
    return {
        'data_s': {'lerobot-train': theirs.data.mean(), 'kiwi-train': ours.data.mean(),
                   'ratio': theirs.data.mean() / ours.data.mean()},
        'step_s': {'lerobot-train': theirs.step.mean(), 'kiwi-train': ours.step.mean(),
                   'ratio': theirs.step.mean() / ours.step.mean()},
        'update_s': {'lerobot-train': theirs.step.mean() - theirs.data.mean(), 'kiwi-train': update},
        'loss, mean of each third': {'lerobot-train': thirds(theirs.loss), 'kiwi-train': thirds(ours.loss)},
        'loss, 10/50/90 % of the second half': {'lerobot-train': quantiles(theirs.loss),
                                                'kiwi-train': quantiles(ours.loss)},
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser('bench_data', description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('dataset', help='folder of a LeRobotDataset v3')
    parser.add_argument('--policy', default='kiwi_bc')
    parser.add_argument('--set', action='append', default=[], dest='settings', metavar='KEY=VALUE',
                        help='field of the policy\'s config, given to both')
    parser.add_argument('--steps', type=int, default=30)
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--workers', type=int, default=2, help='of lerobot-train\'s loader')
    parser.add_argument('--rounds', type=int, default=1, help='how often the two take turns')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--seed', type=int, default=1000)
    parser.add_argument('--json', metavar='FILE', help='also write the figures here')
    options = parser.parse_args(argv)
    if options.steps <= WARM_UP:
        parser.error(f'--steps must be above {WARM_UP}, got {options.steps}')
    theirs, ours = [], []
    with tempfile.TemporaryDirectory() as scratch:
        for turn in range(options.rounds):
            theirs.append(run_lerobot_train(options, Path(scratch) / f'lerobot{turn}'))
            ours.append(run_kiwi_train(options, Path(scratch) / f'kiwi{turn}'))
    figures = report(Curve.join(theirs), Curve.join(ours))
    for name, values in figures.items():
        print(f'{name:38}', '  '.join(f'{who} {value:.4g}' if isinstance(value, float) else f'{who} {value}'
                                      for who, value in values.items()))
    if options.json:
        Path(options.json).write_text(json.dumps(figures | {'options': vars(options)}, indent=2, default=float))
    return 0


if __name__ == '__main__':
    sys.exit(main())
