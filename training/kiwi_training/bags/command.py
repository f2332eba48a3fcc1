"""`kiwi-bags`: recorded rollouts, from the bag to the dataset and back."""

import argparse
import os
import sys
from importlib import import_module

COMMANDS = {
    'info': ('kiwi_training.bags.info', 'show what is on record in bags'),
    'to-dataset': ('kiwi_training.bags.to_dataset', 'turn bags into a LeRobotDataset to train on'),
    'from-dataset': ('kiwi_training.bags.from_dataset', 'make a bag of an episode of a LeRobotDataset'),
    'recover': ('kiwi_training.bags.recover', 'complete a bag whose recording was cut off'),
    'replay': ('kiwi_training.bags.replay', 'run recorded chunks through other executor configurations'),
    'report': ('kiwi_training.bags.report.command', 'HTML pages that show why a rollout ended as it did'),
}
"""Subcommand -> (module with add_parser and run, what it is for)."""

DESCRIPTION = """\
Work with recorded rollouts: one rosbag2 folder (MCAP) each, as recorder_node writes them under
<run folder>/bags/. No ROS is needed. Wherever BAG stands, a folder of bags does, too."""

EPILOG = """\
examples:
  kiwi-bags info rollouts/run1                          every bag of a run, a line each
  kiwi-bags info rollouts/run1/bags/rollout_001         one bag, topic by topic
  kiwi-bags to-dataset rollouts/run1 --output dataset   train on what the robot did
  kiwi-bags replay rollouts/run1 --set mode=ensemble    what another executor would have made of the same chunks
  kiwi-bags report rollouts/run1 --output report        pages that show why a rollout ended as it did
  kiwi-bags COMMAND --help                              what a command does, with examples

exit status: 0 done, 1 a bag is unreadable or something failed, 2 wrong usage, 130 interrupted"""


def main(argv=None):
    """Run the command; returns its exit status."""
    from kiwi_training.bags.reader import BagError

    argv = sys.argv[1:] if argv is None else list(argv)
    parser, module = build_parser(argv[0] if argv else '')
    arguments = parser.parse_args(argv)
    try:
        return module.run(arguments)
    except BagError as error:
        print(f'kiwi-bags {argv[0]}: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f'\nkiwi-bags {argv[0]}: interrupted', file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (OSError, RuntimeError, ValueError) as error:
        if os.environ.get('KIWI_TRACEBACK'):
            raise
        print(f'kiwi-bags {argv[0]}: {error}', file=sys.stderr)
        return 1


def build_parser(wanted):
    """The command line, with the arguments of the subcommand `wanted`; returns it and that command's module."""
    parser = argparse.ArgumentParser('kiwi-bags', description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar='COMMAND', title='commands')
    module = None
    for name, (path, purpose) in COMMANDS.items():
        if name == wanted:
            module = import_module(path)
            module.add_parser(commands)
        else:
            commands.add_parser(name, help=purpose)
    return parser, module


if __name__ == '__main__':
    sys.exit(main())
