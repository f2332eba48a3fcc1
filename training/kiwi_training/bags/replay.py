"""`kiwi-bags replay`: recorded chunks through other executor configurations, without the robot."""

import argparse
import sys

from kiwi_policy.core.parameters import ParameterError
from kiwi_training.bags.reader import Bag, BagError, find_bags

NODE = 'chunk_executor_node'

DESCRIPTION = """\
Execute the chunks of recorded rollouts again, in simulated time, through any configuration of the executor: tune
mode, ensembling, gate, seams and limits without the robot.

The first row of the table is what the robot did, `live` the same executor replayed: it must repeat every command
exactly, or a warning says what the recording lacks. Every other row is another configuration, fed with the same
chunks at the same ticks and with the measured states on record."""

EPILOG = """\
What a replay can tell and what not: the recorded chunks were made for what the robot did. Another configuration would
have moved otherwise, seen otherwise and got other chunks, so the table shows how it aligns, blends, smooths and limits
these chunks, not whether the task would have succeeded. A configuration that asks at other times gets only the chunks
that exist: `sync` refuses what comes while a chunk still runs, and has gaps where the robot had none. What an
operator drove, set or stopped and what servos were slowed down is replayed as it was; only a configuration that tells
speed_scale keeps to its own.

columns:
  smoothness           mean absolute second difference of the arm's commands, mean over episodes
  seam ratio           p95 step at takeovers over p95 step inside chunks, arm, pooled over all episodes
  takeovers            ticks at which a new chunk took over        accepted, rejected   chunks
  skipped              rows never executed because they were late  underruns            times actions ran out
  clamped              ticks at which a limit changed the command
  arm deg ... deg/s    greatest difference from the robot's commands at any tick

examples:
  kiwi-bags replay rollouts/latest                                  does the recording repeat exactly?
  kiwi-bags replay rollouts/latest --set mode=ensemble --set mode=ensemble favor=oldest ensemble_coeff=0.01
  kiwi-bags replay rollouts/latest --executor live src/kiwi_policy/config/executor.yaml
  kiwi-bags replay rollouts/latest --executor mine.yaml --set seam_ticks=0 gate=0.0 --json replay.json

exit status: 0 done, 1 a bag cannot be replayed or live does not repeat it exactly, 2 wrong usage, 130 interrupted"""


def add_parser(commands):
    """Add the subcommand to the command line."""
    parser = commands.add_parser('replay', description=DESCRIPTION, epilog=EPILOG,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('bags', nargs='+', metavar='BAG', help='bag folders, or folders of bags')
    parser.add_argument('--executor', nargs='+', default=['live'], metavar='CONFIG',
                        help='configurations to replay, a row each: live, as recorded (default), or a ROS parameter '
                        'file like config/executor.yaml')
    parser.add_argument('--set', nargs='+', action='append', default=[], metavar='NAME=VALUE', dest='settings',
                        help='one more row: the first --executor with these parameters changed; may be repeated')
    parser.add_argument('--json', metavar='FILE', help='write the figures there, per bag and over all')


def run(arguments):
    """Replay the bags; returns the exit status."""
    from kiwi_training.bags.executor_settings import LIVE, Choice, choices
    from kiwi_training.bags.replay_figures import figures, table

    try:
        wanted = choices(arguments.executor, arguments.settings)
    except ParameterError as error:
        print(f'kiwi-bags replay: {error}', file=sys.stderr)
        return 2
    wanted = [Choice(LIVE), *(choice for choice in wanted if choice != Choice(LIVE))]
    folders = find_bags(arguments.bags)
    bags, broken, names = [], [], _distinct([choice.name for choice in wanted])
    for number, folder in enumerate(folders, start=1):
        if len(folders) > 1:
            print(f'kiwi-bags replay: {number}/{len(folders)} {folder}', file=sys.stderr)
        try:
            bags.append((folder, *_replay(folder, wanted)))
        except BagError as error:
            broken.append(str(error))
        except ParameterError as error:
            print(f'kiwi-bags replay: {folder}: {error}', file=sys.stderr)
            return 2
    for problem in broken:
        print(f'kiwi-bags replay: {problem}', file=sys.stderr)
    if not bags:
        return 1
    columns = [[run for _, _, lives, _ in bags for run in lives],
               *([run for _, _, _, runs in bags for run in runs[number]] for number in range(len(wanted)))]
    rows = [figures(name, column, columns[0]) for name, column in zip(('robot', *names), columns)]
    print(table(rows))
    exact = not broken and not any(gaps for _, gaps, _, _ in bags) and not rows[1]['differing_ticks']
    print('\n'.join(('', *_remarks(bags, rows))))
    if arguments.json:
        _write(arguments.json, bags, rows, names)
    return 0 if exact else 1


def _replay(folder, wanted):
    """(gaps, the robot's runs, per choice the runs) of a bag, an entry per episode."""
    from kiwi_training.bags.reexecution import Recording
    from kiwi_training.bags.rollout import RecordedRollout

    rollout = RecordedRollout.load(Bag(folder))
    if NODE not in rollout.parameters:
        raise BagError(f'{folder}: no parameters of {NODE} on record; there are those of '
                       f'{", ".join(rollout.parameters) or "no node"}')
    recording = Recording(rollout)
    makers = [choice.maker(rollout.parameters[NODE]) for choice in wanted]
    lives = [recording.live(episode) for episode in recording.episodes]
    return recording.gaps, lives, [[recording.run(episode, maker, choice.fixes_speed) for episode in recording.episodes]
                                   for choice, maker in zip(wanted, makers)]


def _remarks(bags, rows):
    """What has to be said under the table, sentences."""
    from kiwi_training.bags.reexecution import differences

    live, count, ticks = rows[1], len(bags), rows[1]['ticks']
    remarks = [f'{live["episodes"]} episode{"s" * (live["episodes"] != 1)} of {count} bag{"s" * (count != 1)}; '
               f'live repeats {ticks - live["differing_ticks"]} of {ticks} ticks exactly']
    for folder, gaps, lives, runs in bags:
        differing = sum(differences(run, robot)[1] for run, robot in zip(runs[0], lives))
        remarks += [f'warning: {folder}: {gap}' for gap in gaps]
        if differing and not gaps:
            remarks.append(f'warning: {folder}: {differing} ticks differ though nothing is missing: was it recorded '
                           'with another version of kiwi?')
    for row in rows[1:]:
        remarks += [f'{row["executor"]}: the executor would refuse to begin: {text}' for text in row['infeasible']]
        remarks += [f'{row["executor"]}: {text}' for text in dict.fromkeys(row['refused'])]
    return remarks


def _write(path, bags, rows, names):
    from kiwi_training.bags.replay_figures import figures
    from kiwi_training.bakeoff.store import write_json

    write_json(path, {'executors': rows, 'bags': [
        {'folder': str(folder), 'gaps': gaps,
         'executors': [figures('robot', lives, lives), *(figures(name, run, lives) for name, run in zip(names, runs))]}
        for folder, gaps, lives, runs in bags]})
    print(f'figures: {path}')


def _distinct(names):
    """The names, those that were there before numbered."""
    return [name if names.index(name) == number else f'{name} ({names[:number].count(name) + 1})'
            for number, name in enumerate(names)]
