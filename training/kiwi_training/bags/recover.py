"""`kiwi-bags recover`: completes bags whose recording was cut off."""

import argparse
import sys

from kiwi_training.bags.reader import METADATA, find_bags

DESCRIPTION = """\
Complete bags whose recording was cut off: the machine lost power, the recorder was killed, the disk was full.
Everything that reached the disk is kept; the file gets its index and the folder its metadata.yaml, which says
that the recording is not whole. The old file is replaced only when the new one is on the disk.
Bags that are complete are left alone."""

EPILOG = """\
examples:
  kiwi-bags recover rollouts/run1/bags/rollout_007
  kiwi-bags recover rollouts                         every incomplete bag below

exit status: 0 all are complete now, 1 at least one cannot be recovered, 2 wrong usage"""


def add_parser(commands):
    """Add the subcommand to the command line."""
    parser = commands.add_parser('recover', description=DESCRIPTION, epilog=EPILOG,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('bags', nargs='+', metavar='FOLDER', help='bag folders, or folders of bags')


def run(arguments):
    """Recover the bags; returns the exit status."""
    from tqdm import tqdm

    from kiwi_policy.bags.recovery import RecoveryError, recover

    folders = find_bags(arguments.bags)
    cut_off = [folder for folder in folders if not (folder / METADATA).exists()]
    if not cut_off:
        print(f'nothing to recover: {len(folders)} bag{"s" * (len(folders) != 1)}, all with {METADATA}')
        return 0
    failed = False
    for folder in cut_off:
        with tqdm(unit='B', unit_scale=True, desc=folder.name, file=sys.stderr, leave=False,
                  dynamic_ncols=sys.stderr.isatty()) as bar:
            def show(done, total, bar=bar):
                bar.total = total
                bar.update(done - bar.n)

            try:
                found = recover(folder, show)
            except (RecoveryError, OSError) as error:
                failed = True
                print(f'kiwi-bags recover: {error}', file=sys.stderr)
                continue
        lost = [f'{found.bad_chunks} damaged chunks left out'] * bool(found.bad_chunks) + [
            f'{found.unknown} messages of unknown topics left out'] * bool(found.unknown)
        print(f'{folder}: {found.messages} messages, {found.seconds:.1f} s' + ''.join(f', {each}' for each in lost))
    return 1 if failed else 0
