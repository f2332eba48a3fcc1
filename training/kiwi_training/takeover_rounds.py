"""kiwi-takeovers: roll a checkpoint out in simulated time with the scripted expert as its operator."""

import argparse
import collections
import os
import sys
import time
from pathlib import Path

from kiwi_training.arguments import image_size

DESCRIPTION = """\
Roll a checkpoint out in simulated time, the scripted expert as its operator: it takes over where the policy is about
to hit the post, moves on without the cube, drops it or makes no progress, and hands back when all is well. What
the expert drove becomes a LeRobotDataset v3, an episode per takeover, with the schema of kiwi-bags to-dataset --only
takeover: the data of one DAgger round. The executor is the robot's, takeovers go through it as live ones do."""

EPILOG = """\
one round:
  kiwi-takeovers CHECKPOINT --root corrections --rollouts 150 --spread 3
  kiwi-train --init CHECKPOINT --dataset demos --dataset corrections --output runs/round1 --steps 2000
  kiwi-eval runs/round1/checkpoints/last/pretrained_model --spread 3

exit status: 0 done, 1 failed, 2 wrong usage, 130 interrupted (what was written is whole)"""


def build_parser():
    """The command line of kiwi-takeovers."""
    parser = argparse.ArgumentParser('kiwi-takeovers', description=DESCRIPTION, epilog=EPILOG,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('checkpoint', help='folder with config.json and model.safetensors')
    add('--root', type=Path, required=True, metavar='DIR', help='folder of the dataset, new or to append to')
    add('--repo-id', default='local/takeovers', metavar='OWNER/NAME', help="a new dataset's name (default: %(default)s)")
    add('--rollouts', type=int, default=100, metavar='N', help='rollouts (default: %(default)s)')
    add('--seed', type=int, default=30000, metavar='N',
        help='seed of the first start; keep away from those of kiwi-demos and kiwi-eval (default: %(default)s)')
    add('--spread', type=float, default=1.0, metavar='X',
        help="scatter of the starts, as a multiple of the demonstrations' (default: %(default)s)")
    add('--latency', type=float, default=0.0, metavar='S', help='from a request to its chunk (default: %(default)s s)')
    add('--time-limit', type=float, default=25.0, metavar='S', help='simulated s per rollout (default: %(default)s)')
    add('--patience', type=float, default=5.0, metavar='S',
        help='time for the next stage (lifted, past the post, on the disc) before the expert takes over (default: %(default)s s)')
    add('--margin', type=float, default=0.06, metavar='M',
        help='distance from the axis of the post at which it does (default: %(default)s m)')
    add('--random-rate', type=float, default=0.0, metavar='HZ', help='takeovers at random beside (default: %(default)s per s)')
    add('--min-frames', type=int, default=15, metavar='N', help='leave shorter takeovers out (default: %(default)s)')
    add('--image-size', type=image_size, default=(96, 96), metavar='HxW', help='of the pictures (default: 96x96)')
    add('--images', action='store_true', help='store a new dataset as PNG instead of video')
    add('--video-codec', default='h264', metavar='NAME', help='as for kiwi-demos (default: %(default)s)')
    return parser


def main(argv=None):
    """Run the command; returns the exit status."""
    arguments = build_parser().parse_args(argv)
    for name, value in (('OMP_NUM_THREADS', '1'), ('HF_HUB_OFFLINE', '1'), ('MUJOCO_GL', 'egl')):
        os.environ.setdefault(name, value)
    if not Path(arguments.checkpoint).is_dir():
        print(f'kiwi-takeovers: no checkpoint folder at {arguments.checkpoint!r}; it holds config.json and '
              'model.safetensors', file=sys.stderr)
        return 2
    try:
        return _collect(arguments)
    except KeyboardInterrupt:
        print('\nkiwi-takeovers: interrupted; what was written is whole', file=sys.stderr)
        return 130
    except ValueError as error:
        print(f'kiwi-takeovers: {error}', file=sys.stderr)
        return 2
    except (OSError, RuntimeError) as error:
        print(f'kiwi-takeovers: {error}', file=sys.stderr)
        return 1


def _collect(arguments):
    from tqdm import tqdm

    from kiwi_policy.core import features
    from kiwi_policy.core.config import ExecutorConfig
    from kiwi_sim.expert_operator import Rules
    from kiwi_training.bags.rollout_dataset import RolloutWriter
    from kiwi_training.evaluation import check_fit, load_checkpoint
    from kiwi_training.frugal_env import environment_for
    from kiwi_training.rollouts import RolloutSettings, run_rollout
    from kiwi_training.takeovers import SimulatedOperator

    if arguments.rollouts < 1:
        raise ValueError(f'--rollouts must be at least 1, got {arguments.rollouts}')
    settings = RolloutSettings(ExecutorConfig(initial_latency=arguments.latency), arguments.latency, arguments.time_limit)
    operator = SimulatedOperator(Rules(arguments.margin, arguments.patience, arguments.random_rate))
    policy = load_checkpoint(arguments.checkpoint, {})
    check_fit(policy, settings)
    env = environment_for(policy.info, arguments.image_size, spread=arguments.spread)
    cameras = tuple(policy.info.cameras)
    tally = collections.Counter()
    began = time.monotonic()
    writer = RolloutWriter(arguments.root, arguments.repo_id, int(features.RATE_HZ),
                           dict.fromkeys(cameras, tuple(arguments.image_size)), not arguments.images,
                           arguments.video_codec)
    with writer, tqdm(total=arguments.rollouts, unit='rollout',
                      mininterval=0.5 if sys.stderr.isatty() else 20) as bar:
        for seed in range(arguments.seed, arguments.seed + arguments.rollouts):
            rollout = run_rollout(env, policy, settings, seed, operator=operator)
            _write(writer, operator.stretches, rollout, arguments, tally, settings.task)
            bar.update()
            bar.set_postfix_str(f'{tally["takeovers"]} takeovers, success {tally["success"]}', refresh=False)
    reasons = ', '.join(f'{name.removeprefix("because ")} {count}' for name, count in sorted(tally.items())
                        if name.startswith('because '))
    outcomes = ', '.join(f'{name} {tally[name]}' for name in ('success', 'post_hit', 'timeout', 'not_lifted', 'fault')
                         if tally[name])
    print(f'{arguments.rollouts} rollouts in {time.monotonic() - began:.0f} s: {outcomes}; {tally["alone"]} needed nobody\n'
          f'{tally["takeovers"]} takeovers ({reasons or "none"}), {tally["frames"]} frames written to {arguments.root}, '
          f'{tally["left out"]} takeovers left out')
    return 0


def _write(writer, stretches, rollout, arguments, tally, task):
    """Append a rollout's takeovers to the dataset, except short ones and one that ended at the post."""
    tally[rollout.outcome] += 1
    tally['alone'] += not stretches
    for number, stretch in enumerate(stretches):
        tally['takeovers'] += 1
        tally[f'because {stretch.reason or "unknown"}'] += 1
        last = number == len(stretches) - 1
        hit = rollout.outcome == 'post_hit' and last and stretch.first + len(stretch.frames) == len(rollout.actions)
        if hit or len(stretch.frames) < arguments.min_frames:
            tally['left out'] += 1
            continue
        tally['frames'] += len(stretch.frames)
        origin = {'bag': '', 'episode_id': f'simulated-{arguments.spread:g}-{rollout.seed}', 'outcome': rollout.outcome,
                  'success': rollout.success, 'only': 'takeover', 'first': stretch.first,
                  'last': stretch.first + len(stretch.frames) - 1, 'frames': len(stretch.frames),
                  'takeover_frames': len(stretch.frames), 'reason': stretch.reason,
                  'checkpoint': str(arguments.checkpoint)}
        writer.add(((frame, frame.pictures) for frame in stretch.frames), task, rollout.success, origin)


if __name__ == '__main__':
    sys.exit(main())
