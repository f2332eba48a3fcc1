"""`bench_faults`: makes faults in the running graph, measures on the emulated bus what becomes of the robot."""

import argparse
import difflib
import sys
import tempfile
from pathlib import Path

from tqdm import tqdm

from kiwi_bench import report
from kiwi_bench.nodes import trial
from kiwi_bench.nodes.faults import FAULTS, RESTART
from kiwi_bench.nodes.observer import Unanswered
from kiwi_bench.nodes.rig import Rig

NAME = 'bench_faults'
DESCRIPTION = """\
Make one fault after the other while the simulated robot drives, and measure on its emulated servo bus when the base was
told to stand, whether the arm held, and whether the robot came back. The executor and its guardian are the real ones,
LeRobot's driver included. A whole run takes some 20 minutes; the machine should have nothing else to do."""
EPILOG = ('faults:\n' + '\n'.join(f'  {fault.name:<20} {fault.made}' for fault in FAULTS.values())
          + '\n\nexit status: 0 every trial survived, 1 some did not, 2 wrong arguments, 130 interrupted')


def main(argv=None):
    """Run the command; returns its exit status."""
    arguments = build_parser().parse_args(argv)
    complaint = check(arguments)
    if complaint:
        print(f'{NAME}: error: {complaint}', file=sys.stderr)
        return 2
    rows = []
    try:
        with tempfile.TemporaryDirectory(prefix='kiwi-faults-') as scratch:
            for fault, outcomes in run(arguments, Path(arguments.logs or scratch)):
                rows.append(report.summary(fault, outcomes))
    except KeyboardInterrupt:
        print(f'\n{NAME}: interrupted; nothing is written', file=sys.stderr)
        return 130
    except (Unanswered, OSError) as error:
        print(f'{NAME}: error: {error}', file=sys.stderr)
        return 1
    print(f'report: {report.write(arguments.output, FAULTS, rows, trial.BASE_STOP, RESTART)}')
    lost = [row['fault'] for row in rows if row['survived'] < row['trials']]
    if lost:
        print(f'{NAME}: not always survived: {", ".join(lost)}', file=sys.stderr)
    return 1 if lost else 0


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser(NAME, description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--faults', nargs='+', default=list(FAULTS), metavar='NAME', help='which of those below (default: all)')
    add('--trials', type=int, metavar='N', help='of each fault (default: 5, 20 of executor_killed and executor_hung)')
    add('--output', default='docs/executor', metavar='DIR',
        help=f'where {report.JSON} and {report.PAGE} go (default %(default)s)')
    add('--logs', metavar='DIR', help='keep the logs of executor and policy here (default: they are thrown away)')
    return parser


def check(arguments):
    """What is wrong with the arguments, '' where nothing is."""
    for name in arguments.faults:
        if name not in FAULTS:
            near = difflib.get_close_matches(name, FAULTS, 1)
            return (f'--faults {name!r} is not known' + (f'; did you mean {near[0]}?' if near else '')
                    + f' It is one of {", ".join(FAULTS)}')
    if arguments.trials is not None and arguments.trials < 1:
        return f'--trials must be at least 1, got {arguments.trials}'
    return ''


def run(arguments, folder):
    """Yields each `Fault` with the `Outcome`s of its trials. One graph serves all."""
    plan = [(fault, arguments.trials or fault.trials) for name, fault in FAULTS.items() if name in arguments.faults]
    bar = tqdm(total=sum(trials for _, trials in plan), unit='trial', dynamic_ncols=True)
    rig = Rig(folder)
    try:
        for fault, trials in plan:
            bar.set_postfix_str(fault.name)
            outcomes = []
            for number in range(trials):
                outcome = trial.run(rig, fault, number, trial.BASE_STOP)
                outcomes.append(outcome)
                for text in outcome.wrong:
                    bar.write(f'{fault.name}, trial {number + 1}: {text}', file=sys.stderr)
                if outcome.wrong:
                    rig = _renewed(rig, folder)
                bar.update()
            yield fault, outcomes
    finally:
        bar.close()
        rig.close()


def _renewed(rig, folder):
    """A new graph, so that a trial that went wrong spoils no other."""
    rig.close()
    return Rig(folder)


if __name__ == '__main__':
    sys.exit(main())
