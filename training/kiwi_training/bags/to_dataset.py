"""`kiwi-bags to-dataset`: recorded rollouts as a LeRobotDataset v3."""

import argparse
import os
import sys
from pathlib import Path

from kiwi_training.bags.reader import Bag, BagError, find_bags

DESCRIPTION = """\
Turn recorded rollouts into a LeRobotDataset v3 with LeKiwi's feature names, to train on, to look at with
LeRobot's tools, or to add to demonstrations (kiwi-train --dataset demos --dataset rollouts).

One frame per control tick, from the first planned action to the last: the state and the images as the
policy saw them, the action as it was executed. Frames also carry outcome.success, outcome.judged and
takeover (an operator drove), which training ignores. An existing dataset of the same rate and features is
appended to; rollouts it already holds are passed over, so the same command can follow a growing run folder.
Which episode came from which bag is in ROOT/meta/kiwi_bags.json."""

EPILOG = """\
examples:
  every rollout of a run
    kiwi-bags to-dataset rollouts/run1 --output dataset
  those that succeeded, of two runs
    kiwi-bags to-dataset rollouts/run1 rollouts/run2 --output good --only success
  only what the operator drove, an episode per intervention, to correct the policy (DAgger)
    kiwi-bags to-dataset rollouts/run1 --output corrections --only takeover
    kiwi-train --dataset demos --dataset corrections --output runs/corrected --steps 20000

exit status: 0 done, 1 nothing was converted, or a bag was left out because it cannot be read, 2 wrong usage,
130 interrupted (what was written is whole)"""

VERDICTS = ('success', 'failure')
ONLY = ('all', *VERDICTS, 'takeover')


def add_parser(commands):
    """Add the subcommand to the command line."""
    parser = commands.add_parser('to-dataset', description=DESCRIPTION, epilog=EPILOG,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('bags', nargs='+', metavar='BAG', help='bag folders, or folders of bags')
    add('--output', type=Path, required=True, metavar='ROOT', help='folder of the dataset, new or to append to')
    add('--repo-id', default='local/rollouts', metavar='OWNER/NAME',
        help="a new dataset's name; nothing is uploaded (default: %(default)s)")
    add('--only', nargs='+', choices=ONLY, default=['all'], metavar='WHICH',
        help='all; success or failure: rollouts judged so; takeover: only frames an operator drove, an episode per '
             'stretch; several narrow down (default: all)')
    add('--camera', nargs='+', metavar='NAME', help='cameras to take (default: those the policy used)')
    add('--task', help='task text of rollouts that have none on record')
    add('--max-gap', type=_whole, default=2, metavar='TICKS',
        help='missing ticks in a row that are closed up; more of them end the episode (default: %(default)s)')
    add('--min-frames', type=_whole, default=15, metavar='N', help='leave shorter episodes out (default: %(default)s)')
    add('--max-image-age', type=float, default=0.5, metavar='S',
        help='make no frame where a camera has been silent for longer (default: %(default)s s)')
    add('--images', action='store_true', help='store a new dataset as PNG: lossless, larger, slower to read')
    add('--video-codec', default='h264', metavar='NAME', help='of the videos, as for kiwi-demos (default: %(default)s)')


def run(arguments):
    """Convert; returns the exit status."""
    os.environ.setdefault('HF_HUB_OFFLINE', '1')
    wanted = set(arguments.only)
    if set(VERDICTS) <= wanted:
        wanted -= set(VERDICTS)
    conversion = Conversion(arguments, wanted)
    try:
        conversion.convert(find_bags(arguments.bags))
    finally:
        conversion.close()
    return conversion.report()


class Conversion:
    """From bags to one dataset, with the tally of what became of them."""

    def __init__(self, arguments, wanted):
        from kiwi_training.bags.frames import Choice, Counts

        self._arguments, self._wanted = arguments, wanted
        self._choice = Choice('takeover' in wanted, arguments.max_gap, arguments.min_frames, arguments.max_image_age)
        self._writer, self._cameras, self._fps = None, None, None
        self.counts, self.rollouts, self.episodes, self.passed_over, self.broken = Counts(), 0, 0, {}, []

    def convert(self, folders):
        """Convert the bags in these folders, one after the other."""
        from tqdm import tqdm

        with tqdm(folders, unit='bag', file=sys.stderr, dynamic_ncols=sys.stderr.isatty()) as bar:
            for folder in bar:
                bar.set_postfix_str(folder.name, refresh=sys.stderr.isatty())
                try:
                    reason = self._convert(Bag(folder))
                except BagError as error:
                    self.broken.append(str(error))
                    continue
                if reason:
                    self.passed_over.setdefault(reason, []).append(folder)

    def close(self):
        """Complete the dataset's files."""
        if self._writer is not None:
            self._writer.close()

    def report(self):
        """Say what was done; returns the exit status."""
        counts, root = self.counts, self._arguments.output
        print(f'{root}: {self.episodes} episodes, {counts.frames} frames from {self.rollouts} rollouts')
        for text in told(counts, self._choice):
            print(f'  {text}')
        for reason, folders in self.passed_over.items():
            print(f'  {len(folders)} rollouts passed over: {reason}')
        if self._writer is not None and self._writer.left_out:
            print(f'  {root} has no {", ".join(self._writer.left_out)}: left out')
        for problem in self.broken:
            print(f'kiwi-bags to-dataset: {problem}', file=sys.stderr)
        known = self.passed_over.get(KNOWN)
        return 1 if self.broken or not (self.episodes or known) else 0

    def _convert(self, bag):
        """Add a bag's episodes; returns why it gave none, or ''."""
        from kiwi_training.bags.frames import FrameSource
        from kiwi_training.bags.rollout import RecordedRollout

        for verdict, success in zip(VERDICTS, (True, False)):
            if verdict in self._wanted and bag.success is not success:
                return f'not judged a {verdict}'
        rollout = RecordedRollout.load(bag)
        source = FrameSource(rollout, self._chosen_cameras(rollout))
        episodes, counts = source.episodes(self._choice)
        if self._writer is not None or self._arguments.output.exists():
            episodes = self._unknown(episodes, rollout)
            if episodes is None:
                return KNOWN
        self.counts += counts
        if not episodes:
            return 'no frames of the kind asked for' if counts.other else 'too few driven ticks'
        task = rollout.task or self._arguments.task
        if not task:
            raise BagError(f'{bag.folder}: no task text is on record: give one with --task')
        self._open(source, episodes, rollout)
        for frames in episodes:
            self._writer.add(source.decoded(frames), task, bag.success, self._origin(rollout, frames))
            self.episodes += 1
        self.rollouts += 1
        return ''

    def _unknown(self, episodes, rollout):
        """The episodes that the dataset does not hold; None where it holds all there are."""
        from kiwi_training.bags.rollout_dataset import BagLog

        log = self._writer.log if self._writer is not None else BagLog.load(self._arguments.output)
        stamps, key = rollout.ticks.stamps, _key(rollout.bag)
        new = [frames for frames in episodes
               if not log.holds(key, int(stamps[frames[0].tick]), int(stamps[frames[-1].tick]))]
        return None if episodes and not new else new

    def _chosen_cameras(self, rollout):
        if self._arguments.camera:
            return self._arguments.camera
        if self._cameras is None:
            used = {name for chunk in rollout.chunks for name in chunk.image_names}
            there = rollout.bag.cameras
            self._cameras = tuple(name for name in there if name in used) or there
        return self._cameras

    def _open(self, source, episodes, rollout):
        period = rollout.ticks.period
        fps = round(1 / period)
        if fps < 1 or abs(period * fps - 1) > 0.01:
            raise BagError(f'{rollout.bag.folder}: ticks every {period:.5f} s are no whole number of frames per second')
        if self._fps not in (None, fps):
            raise BagError(f'{rollout.bag.folder}: {fps} ticks per second, the rollouts before it had {self._fps}')
        _, pictures = next(iter(source.decoded(episodes[0][:1])))
        sizes = {camera: pixels.shape[:2] for camera, pixels in pictures.items()}
        if self._writer is None:
            from kiwi_training.bags.rollout_dataset import RolloutWriter

            self._writer = RolloutWriter(self._arguments.output, self._arguments.repo_id, fps, sizes,
                                         not self._arguments.images, self._arguments.video_codec)
            self._fps, self._sizes = fps, sizes
        elif sizes != self._sizes:
            raise BagError(f'{rollout.bag.folder}: images of {sizes} (height, width), the rollouts before it had '
                           f'{self._sizes}')

    def _origin(self, rollout, frames):
        bag, stamps = rollout.bag, rollout.ticks.stamps
        return {'bag': str(bag.folder), 'episode_id': _key(bag), 'outcome': bag.outcome, 'success': bag.success,
                'only': sorted(self._wanted), 'first': int(stamps[frames[0].tick]),
                'last': int(stamps[frames[-1].tick]), 'frames': len(frames),
                'takeover_frames': sum(frame.operator for frame in frames),
                'checkpoint_digest': bag.custom.get('checkpoint_digest', '')}


KNOWN = 'the dataset holds them already'


def told(counts, choice):
    """What became of the ticks that gave no frame, a line per kind that occurred."""
    texts = {
        'other': 'ticks that no operator drove',
        'no_image': 'ticks before every camera had shown something',
        'old_image': f'ticks at which a camera had been silent for over {choice.max_image_age:g} s',
        'no_state': 'ticks without a state',
        'missed': f'control ticks missed; more than {choice.max_gap} in a row end an episode',
        'short': f'frames in stretches of fewer than {choice.min_frames}',
        'measured': 'frames whose state is from executor/action, joint_states being missing',
    }
    return [f'{getattr(counts, name)} {text}' for name, text in texts.items() if getattr(counts, name)]


def _key(bag):
    return bag.custom.get('episode_id') or f'{bag.folder.resolve()}:{bag.start}'


def _whole(text):
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f'{value} is below 0')
    return value
