"""kiwi-eval: success of a checkpoint in simulated time, through the executor of the robot."""

import argparse
import json
import math
import os
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path

from kiwi_policy.core.config import FAVORS, MODES, ExecutorConfig
from kiwi_policy.core.prefix import CONDITIONINGS
from kiwi_policy.core.sampling_seeds import NOISES
from kiwi_training.arguments import image_size
from kiwi_training.evaluation import (
    Evaluation,
    load_checkpoint,
    make_fork_env,
    rollout_record,
    run_all,
    summarize,
)
from kiwi_training.rollouts import MEASURED, RolloutSettings


def main(argv=None):
    """Run the command; returns its exit code."""
    arguments = parse(argv)
    os.environ.setdefault('OMP_NUM_THREADS', '1')
    os.environ.setdefault('HF_HUB_OFFLINE', '1')
    os.environ.setdefault('MUJOCO_GL', 'egl')
    if not Path(arguments.checkpoint).is_dir():
        print(f'kiwi-eval: no checkpoint folder at {arguments.checkpoint!r}; it holds config.json and '
              f'model.safetensors, e.g. <output_dir>/checkpoints/last/pretrained_model', file=sys.stderr)
        return 2
    try:
        evaluation = evaluation_from(
            arguments, partial(load_checkpoint, allow_short_action_steps=arguments.allow_short_action_steps),
            partial(make_fork_env, spread=arguments.spread))
    except ValueError as error:
        print(f'kiwi-eval: {error}', file=sys.stderr)
        return 2
    return evaluate(evaluation, arguments)


def evaluate(evaluation, arguments):
    """Run an `Evaluation`, print its table and write its JSON; returns the exit code."""
    bar = _Bar(len(evaluation.seeds))
    began = time.monotonic()
    try:
        rollouts = run_all(evaluation, bar.advance)
    except KeyboardInterrupt:
        print('\nkiwi-eval: interrupted', file=sys.stderr)
        return 130
    except (ValueError, OSError, RuntimeError) as error:
        print(f'kiwi-eval: {error}', file=sys.stderr)
        return 1
    bar.close()
    summary = summarize(rollouts)
    print(table(summary, evaluation, arguments.fixed_start, time.monotonic() - began))
    output = Path(arguments.output or default_output(evaluation))
    output.parent.mkdir(parents=True, exist_ok=True)
    record = {'checkpoint': str(evaluation.checkpoint), 'fixed_start': arguments.fixed_start,
              'spread': arguments.spread,
              'latency': evaluation.settings.latency, 'time_limit': evaluation.settings.time_limit,
              'image_delay': evaluation.settings.image_delay, 'jpeg': evaluation.settings.jpeg,
              'noise': evaluation.settings.noise,
              'executor': _finite(asdict(evaluation.settings.executor)), 'sampling': evaluation.sampling,
              'summary': summary, 'rollouts': [rollout_record(rollout) for rollout in rollouts]}
    output.write_text(json.dumps(record, indent=2, allow_nan=False) + '\n')
    print(f'written to {output}')
    return 0


def parse(argv=None):
    """The command line's arguments."""
    parser = argparse.ArgumentParser(prog='kiwi-eval', description=__doc__,
                                     formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add('checkpoint', help='folder with config.json and model.safetensors')
    add('--rollouts', type=int, help='number of rollouts (200, or 50 with --fixed-start)')
    add('--seed', type=int, default=100000, help='seed of the first start; rollout i uses seed + i')
    add('--fixed-start', action='store_true', help='every rollout from the start of --seed, other sampling seeds')
    add('--spread', type=float, default=1.0, metavar='X',
        help="scatter of the starts, as a multiple of the demonstrations'")
    add('--jobs', type=int, default=2, help='worker processes')
    add('--executor', choices=MODES, default='latest', help='how chunks are executed')
    add('--latency', type=_latency, default=0.0,
        help="s from a request to its chunk, or 'measured' to play back the time inference took")
    add('--time-limit', type=float, default=RolloutSettings.time_limit, help='simulated s per rollout')
    add('--task', default=RolloutSettings.task, help='task text for language-conditioned heads')
    add('--image-size', type=image_size, default='96x96', metavar='HxW', help='height x width of the pictures')
    add('--image-delay', type=int, default=RolloutSettings.image_delay, metavar='TICKS',
        help='control periods by which pictures are older than the state beside them')
    add('--jpeg', action=argparse.BooleanOptionalAction, default=RolloutSettings.jpeg,
        help='pictures pass through JPEG as on the wire')
    add('--allow-short-action-steps', action='store_true',
        help='load a checkpoint whose n_action_steps is below half its chunk')
    add('--output', help='JSON file to write (evaluations/<time>.json)')
    executor = parser.add_argument_group('executor')
    executor.add_argument('--n-action-steps', type=int, help="rows per chunk in sync (the checkpoint's)")
    executor.add_argument('--replan-interval', type=float, help='s between requests in latest (a quarter of a chunk)')
    executor.add_argument('--ensemble-interval', type=float, help='s between requests in ensemble (an eighth)')
    executor.add_argument('--ensemble-coeff', type=float, default=ExecutorConfig.ensemble_coeff,
                          help='m of the weights exp(-m i)')
    executor.add_argument('--favor', choices=FAVORS, default=ExecutorConfig.favor, help='where i counts from')
    executor.add_argument('--gate', type=float, default=ExecutorConfig.gate,
                          help='disagreement in action spreads beyond which predictions are not mixed; inf for none')
    executor.add_argument('--gate-latest', action=argparse.BooleanOptionalAction,
                          default=ExecutorConfig.gate_latest, help='apply the gate in latest too')
    executor.add_argument('--seam-ticks', type=int, default=ExecutorConfig.seam_ticks,
                          help='ticks over which a takeover is faded')
    sampling = parser.add_argument_group("sampling (the checkpoint's where not given)")
    sampling.add_argument('--noise', choices=NOISES, default=RolloutSettings.noise,
                          help='a sampling seed for every chunk, or one for a whole episode')
    sampling.add_argument('--prefix-conditioning', choices=CONDITIONINGS,
                          help='how chunks continue the plan that runs while they are made')
    sampling.add_argument('--sampling', type=_pair, action='append', default=[], metavar='NAME=VALUE',
                          help='override of the head, e.g. num_inference_steps=4')
    return parser.parse_args(argv)


def evaluation_from(arguments, make_policy=load_checkpoint, make_env=make_fork_env):
    """The `Evaluation` that the arguments describe.

    Raises:
        ValueError: for a setting out of bounds.
    """
    count = arguments.rollouts if arguments.rollouts is not None else 50 if arguments.fixed_start else 200
    if count < 1:
        raise ValueError(f'--rollouts must be at least 1, got {count}')
    if not 0 <= arguments.spread < math.inf:
        raise ValueError(f'--spread must be finite and at least 0, got {arguments.spread}')
    if arguments.jobs < 1:
        raise ValueError(f'--jobs must be at least 1, got {arguments.jobs}')
    if arguments.fixed_start:
        seeds = tuple((arguments.seed, i) for i in range(count))
    else:
        seeds = tuple((arguments.seed + i, arguments.seed + i) for i in range(count))
    executor = ExecutorConfig(
        mode=arguments.executor, n_action_steps=arguments.n_action_steps,
        replan_interval=arguments.replan_interval, ensemble_interval=arguments.ensemble_interval,
        ensemble_coeff=arguments.ensemble_coeff, favor=arguments.favor, gate=arguments.gate,
        gate_latest=arguments.gate_latest, seam_ticks=arguments.seam_ticks,
        initial_latency=0.0 if arguments.latency == MEASURED else arguments.latency)
    settings = RolloutSettings(executor, arguments.latency, arguments.time_limit, arguments.task,
                               arguments.image_delay, arguments.jpeg, arguments.noise)
    sampling = dict(arguments.sampling)
    if arguments.prefix_conditioning is not None:
        sampling['prefix_conditioning'] = arguments.prefix_conditioning
    return Evaluation(arguments.checkpoint, settings, seeds, sampling, arguments.image_size,
                      min(arguments.jobs, count), make_policy, make_env)


def table(summary, evaluation, fixed_start, wall):
    """The summary as text, one figure per line."""
    executor = evaluation.settings.executor
    latency = evaluation.settings.latency
    rows = [
        ('success', f"{summary['successes']}/{summary['rollouts']}  {100 * summary['success_rate']:.1f} %  "
                    f"(95 % Wilson {100 * summary['success_low']:.1f} .. {100 * summary['success_high']:.1f} %)"),
        ('failures', _counts(summary['failures'])),
        ('sides', f"left {summary['sides']['left']}, right {summary['sides']['right']}, none "
                  f"{summary['sides']['none']}  (left {_number(summary['left_share'], '.0%')}, entropy "
                  f"{_number(summary['side_entropy'], '.2f')} bit)" + ('  from one start' if fixed_start else '')),
        ('seconds to success', _number(summary['seconds'], '.2f')),
        ('smoothness, deg', f"{_number(summary['smoothness'], '.3f')} all, "
                            f"{_number(summary['smoothness_successes'], '.3f')} successes"),
        ('seam ratio', _number(summary['seam_ratio'], '.2f')),
        ('evaluations/chunk', f"{_number(summary['evaluations_per_chunk'], '.2f')} over {summary['chunks']} chunks"),
        ('inference, ms', f"p50 {_number(summary['latency_p50'], '.1f', 1e3)}, "
                          f"p95 {_number(summary['latency_p95'], '.1f', 1e3)}"),
        ('latency played back', latency if latency == MEASURED else f'{1e3 * latency:.0f} ms'),
        ('pictures', f"{evaluation.settings.image_delay} ticks old"
                     f"{', through JPEG' if evaluation.settings.jpeg else ''}"),
        ('underruns', f"{summary['underruns']}  ({summary['starved_seconds']:.1f} s without actions)"),
        ('rows skipped', summary['skipped']),
        ('chunks rejected', _counts(summary['rejected'])),
        ('chunks that disagreed', summary['dissents']),
        ('ticks clamped', summary['clamped']),
        ('overlap', f"{_number(summary['overlap'], '.2f')}  (executor {executor.mode})"),
        ('wall clock', f'{wall:.0f} s'),
    ]
    return '\n'.join(f'{name:<22} {value}' for name, value in rows)


def default_output(evaluation):
    """Where the JSON goes unless said otherwise."""
    return Path('evaluations') / time.strftime(f'%Y%m%d-%H%M%S-{evaluation.settings.executor.mode}.json')


class _Bar:
    """One progress line on stderr."""

    def __init__(self, total):
        self._total, self._done, self._successes = total, 0, 0
        self._began = time.monotonic()

    def advance(self, rollout):
        self._done += 1
        self._successes += rollout.success
        pace = (time.monotonic() - self._began) / self._done
        filled = round(24 * self._done / self._total)
        end = '\r' if sys.stderr.isatty() else '\n'
        if end == '\r' or self._done % max(self._total // 10, 1) == 0:
            print(f"[{'#' * filled}{'.' * (24 - filled)}] {self._done}/{self._total}  success "
                  f'{self._successes}/{self._done}  {pace:.1f} s each, {pace * (self._total - self._done):.0f} s left ',
                  end=end, file=sys.stderr, flush=True)

    def close(self):
        if sys.stderr.isatty():
            print(file=sys.stderr)


def _latency(text):
    if text == MEASURED:
        return text
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected s or '{MEASURED}', got {text!r}") from None


def _pair(text):
    name, sign, value = text.partition('=')
    if not sign or not name:
        raise argparse.ArgumentTypeError(f'expected NAME=VALUE, got {text!r}')
    for kind in (int, float):
        try:
            return name, kind(value)
        except ValueError:
            pass
    return name, value


def _counts(counts):
    return ', '.join(f'{name} {count}' for name, count in sorted(counts.items())) or 'none'


def _number(value, form, factor=1.0):
    return '-' if value is None else format(factor * value, form)


def _finite(value):
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    return value


if __name__ == '__main__':
    sys.exit(main())
