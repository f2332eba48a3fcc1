"""`kiwi-bags from-dataset`: an episode of a LeRobotDataset as a bag."""

import argparse
import os
import re
import sys
import time
from pathlib import Path

DESCRIPTION = """\
Make a bag of one episode of a LeRobotDataset of a LeKiwi: a demonstration of kiwi-demos, a recording of
lerobot-record, or what kiwi-bags to-dataset made. It holds joint_states, base_velocity, the images as JPEG
and executor/action with the dataset's actions, with true message definitions and qualities of service, and
can be played into a running graph (ros2 bag play) to see what a policy makes of it, or shown in any viewer."""

EPILOG = """\
examples:
  kiwi-bags from-dataset demos --episode 3 --output bags/demo3
  kiwi-bags from-dataset owner/name --episode 0 --output bags/first --camera top:=front --namespace kiwi
  ros2 bag play bags/demo3

exit status: 0 done, 1 the dataset is not a LeKiwi's, or something failed, 2 wrong usage, 130 interrupted"""


def add_parser(commands):
    """Add the subcommand to the command line."""
    parser = commands.add_parser('from-dataset', description=DESCRIPTION, epilog=EPILOG,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('dataset', metavar='ROOT', help='folder of a LeRobotDataset v3, or a Hub id owner/name')
    add('--episode', type=int, required=True, metavar='N', help='number of the episode, from 0')
    add('--output', type=Path, required=True, metavar='BAG', help='folder of the bag; must not exist')
    add('--camera', action='append', default=[], type=_renaming, metavar='OLD:=NEW',
        help='give a camera of the dataset another name; may be repeated')
    add('--namespace', default='', help='of the topics (default: none)')
    add('--quality', type=_quality, default=95, metavar='Q', help='of the JPEG images, 1 to 100 (default: %(default)s)')


def run(arguments):
    """Make the bag; returns the exit status."""
    os.environ.setdefault('HF_HUB_OFFLINE', '1')
    if arguments.output.exists():
        print(f'kiwi-bags from-dataset: {arguments.output} exists already: choose another --output', file=sys.stderr)
        return 1
    from tqdm import tqdm

    from kiwi_training.bags.dataset_bag import find_episode, write_bag
    from kiwi_training.dataset_source import open_dataset

    episode = find_episode(open_dataset(arguments.dataset), arguments.episode, dict(arguments.camera))
    inner = arguments.namespace.strip('/')
    with tqdm(total=episode.frames, unit='frame', file=sys.stderr, dynamic_ncols=sys.stderr.isatty()) as bar:
        def counted(rows):
            for row in rows:
                yield row
                bar.update()

        frames = write_bag(episode, arguments.output, time.time_ns(), f'/{inner}' if inner else '',
                           arguments.quality, counted)
    print(f'{arguments.output}: {frames} frames of episode {episode.number} of {episode.meta.repo_id}')
    return 0


def _renaming(text):
    match = re.fullmatch(r'([^:=\s]+):=([a-zA-Z][a-zA-Z0-9_]*)', text)
    if not match:
        raise argparse.ArgumentTypeError(f'{text!r} is not OLD:=NEW, e.g. top:=front')
    return match[1], match[2]


def _quality(text):
    value = int(text)
    if not 1 <= value <= 100:
        raise argparse.ArgumentTypeError(f'{value} is not in 1 to 100')
    return value
