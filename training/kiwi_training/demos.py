"""kiwi-demos: record demonstrations of the fork task in simulation as a LeRobotDataset v3."""

import argparse
import itertools
import math
import os
import signal
import sys
import time
from pathlib import Path

from kiwi_training.arguments import image_size

_DESCRIPTION = """\
Record demonstrations of the simulated LeKiwi putting the cube on the disc behind the post.
With --task forced-fork only the way past the post, from the lifted cube on: 72 frames each, for the
control task in which one chunk decides between left and right. Seeds 2 n and 2 n + 1 pass on the left
and on the right from one and the same start.

A scripted expert passes the post on the left or on the right, drawn at random; nothing it sees before
the fork tells which. The result is a LeRobotDataset v3 with LeKiwi's feature names, as lerobot-record
would write it, and serves kiwi-train and lerobot-train alike.

The same seed gives the same demonstration. What is executed carries noise, what is recorded as the
action is the expert's clean one (see --action-noise), so a policy also learns to come back.
Seeds, sides and failures are listed in ROOT/meta/kiwi_demos.json.
"""
_EPILOG = """\
examples:
  kiwi-demos --root demos                                  400 demonstrations, seeds 10000 and up
  kiwi-demos --root demos --episodes 600 --resume          200 more for the same dataset
  kiwi-demos --root try --episodes 5 --images              five, as PNG instead of video
  kiwi-demos --root forced --task forced-fork --seed 20000 of the control task
  kiwi-train --help                                        what to do with them
"""
_GIVE_UP = 25
"""Failures in a row after which something must be wrong."""


def build_parser():
    """The command line of kiwi-demos."""
    parser = argparse.ArgumentParser(
        prog='kiwi-demos',
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add('--root', type=Path, required=True, metavar='DIR',
        help='folder of the dataset; must not exist, except with --resume')
    add('--repo-id', default='local/kiwi-fork', metavar='OWNER/NAME',
        help="the dataset's name; nothing is uploaded (default: %(default)s)")
    add('--task', choices=('fork', 'forced-fork'), default='fork',
        help='what is demonstrated (default: %(default)s)')
    add('--episodes', type=_positive, default=400, metavar='N',
        help='episodes the dataset shall hold in the end (default: %(default)s)')
    add('--seed', type=int, default=10000, metavar='N',
        help='seed of the first demonstration, the next ones count up; keep away from the seeds you '
             'evaluate on (default: %(default)s)')
    add('--image-size', type=image_size, default=(96, 96), metavar='HxW',
        help='height x width of both cameras in pixels (default: 96x96)')
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument('--video', dest='video', action='store_true', default=True,
                      help='store pictures as videos (default)')
    kind.add_argument('--images', dest='video', action='store_false',
                      help='store pictures as PNG: lossless, larger, slower to write and to read')
    add('--video-codec', default='h264', metavar='NAME',
        help='h264 is fast and plays anywhere; libsvtav1 is smaller (default: %(default)s)')
    add('--action-noise', type=_strength, default=1.0, metavar='X',
        help='strength of the noise on executed actions; 1 is about 1 degree per joint, 0 is none '
             '(default: %(default)s)')
    add('--keep-failures', action=argparse.BooleanOptionalAction, default=False,
        help='record demonstrations that failed, too (default: no)')
    add('--jobs', type=_positive, default=2, metavar='N',
        help='processes that simulate; the dataset is written by one more (default: %(default)s)')
    add('--resume', action='store_true', help='append to the dataset in --root')
    return parser


def main(argv=None):
    """Run kiwi-demos; returns the exit status."""
    args = build_parser().parse_args(argv)
    os.environ.setdefault('HF_HUB_OFFLINE', '1')
    from kiwi_training.demo_dataset import DatasetExistsError

    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return _run(args)
    except (DatasetExistsError, ValueError) as error:
        print(f'kiwi-demos: {error}', file=sys.stderr)
        return 2
    except (OSError, RuntimeError) as error:
        print(f'kiwi-demos: {error}', file=sys.stderr)
        return 1
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number, frame):
    """The first signal ends the recording; further ones must not cut short the completion of the files."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _run(args):
    from tqdm import tqdm

    from kiwi_training.demo_dataset import DemoWriter
    from kiwi_training.demo_pool import demonstrate
    from kiwi_training.demonstrations import check_image_size

    check_image_size(args.image_size)
    options = {
        'task': args.task,
        'image_size': list(args.image_size),
        'action_noise': args.action_noise,
        'video': args.video,
        'keep_failures': args.keep_failures,
    }
    started = time.monotonic()
    writer = DemoWriter(
        args.repo_id, args.root, options, args.seed, args.image_size, args.video, args.video_codec, args.resume
    )
    failures = 0
    interrupted = False
    with writer, tqdm(total=args.episodes, initial=len(writer.log.episodes), unit='demo') as bar:
        made = demonstrate(
            itertools.count(writer.log.next_seed),
            args.jobs,
            image_size=args.image_size,
            noise=args.action_noise,
            task=args.task,
        )
        try:
            while len(writer.log.episodes) < args.episodes:
                demonstration = next(made)
                failures = 0 if demonstration.success else failures + 1
                if failures == _GIVE_UP:
                    raise RuntimeError(f'{failures} demonstrations in a row failed; is --action-noise too strong?')
                if demonstration.success or args.keep_failures:
                    writer.add(demonstration)
                    bar.update()
                else:
                    writer.leave_out(demonstration)
                bar.set_postfix_str(_tally(writer.log), refresh=False)
        except KeyboardInterrupt:
            interrupted = True
        finally:
            made.close()
    log = writer.log
    print(f'{args.root}: {len(log.episodes)} demonstrations, {_tally(log)}, '
          f'{_megabytes(args.root):.1f} MB, {time.monotonic() - started:.0f} s')
    if interrupted:
        print('interrupted; what was recorded is whole. Continue with the same command and --resume')
        return 130
    return 0


def _tally(log):
    left = sum(episode['side'] == 'left' for episode in log.episodes)
    failed = len(log.left_out) + sum(not episode['success'] for episode in log.episodes)
    return f'left {left} right {len(log.episodes) - left} failed {failed}'


def _megabytes(root):
    return sum(path.stat().st_size for path in root.rglob('*') if path.is_file()) / 1e6


def _positive(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f'{value} is not at least 1')
    return value


def _strength(text):
    value = float(text)
    if not 0 <= value < math.inf:
        raise argparse.ArgumentTypeError(f'{text} is not a finite number of at least 0')
    return value


if __name__ == '__main__':
    sys.exit(main())
