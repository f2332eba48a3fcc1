"""`kiwi-bench-executor`: success, smoothness and seams of several executors under the same faults."""

import argparse
import os
import sys
from pathlib import Path

from kiwi_training.executor_bench.plan import Plan
from kiwi_training.executor_bench.profiles import PROFILES
from kiwi_training.executor_bench.variants import VARIANTS
from kiwi_training.overrides import suggestion

DESCRIPTION = """\
Compare executors side by side: each runs the same policy from the same starts, in simulated time, while chunks come
late, get lost, come twice, overtake each other or stop coming for a second.

Every piece that is finished is kept: start the command again after Ctrl-C, or with more trials, and it goes on. The
report has what is there, also of executors and profiles that were run before and are not named this time."""

EXECUTORS = '\n'.join(f'  {name:<18} {variant.about}' for name, variant in VARIANTS.items())
LINKS = '\n'.join(f'  {name:<18} {profile.about}' for name, profile in PROFILES.items())
EPILOG = f"""\
executors:
{EXECUTORS}

profiles:
{LINKS}

exit status: 0 done, 1 something failed (the rest was done), 2 wrong arguments, 130 interrupted"""


class ArgumentError(ValueError):
    """An argument that cannot be used; the text names the valid choices."""


def main(argv=None):
    """Run the command; returns its exit status."""
    from kiwi_training.bakeoff.command import prepare_environment
    arguments = build_parser().parse_args(argv)
    prepare_environment()
    try:
        return run(arguments)
    except ArgumentError as error:
        print(f'kiwi-bench-executor: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('\nkiwi-bench-executor: interrupted; start it again to go on', file=sys.stderr)
        return 130
    except (OSError, RuntimeError, ValueError) as error:
        print(f'kiwi-bench-executor: {error}', file=sys.stderr)
        return 1


def build_parser():
    """The command line."""
    parser = argparse.ArgumentParser('kiwi-bench-executor', description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--checkpoint', metavar='DIR', help='folder of a checkpoint (default: the flow checkpoint that ships)')
    add('--trials', type=int, default=Plan.trials, metavar='N', help=f'rollouts per cell (default {Plan.trials})')
    add('--executors', nargs='+', default=list(VARIANTS), metavar='NAME', help='which of those below (default: all)')
    add('--profiles', nargs='+', default=list(PROFILES), metavar='NAME', help='which of those below (default: all)')
    add('--seed', type=int, default=Plan.seed, metavar='N',
        help=f'of the first rollout; rollout i uses seed + i (default {Plan.seed})')
    add('--jobs', type=int, default=2, metavar='N',
        help='worker processes (default 2; 0: all in this process, to find errors)')
    add('--output', metavar='DIR', default='evaluations/bench-executor',
        help='work folder, in which rollouts are kept (default %(default)s)')
    add('--docs', metavar='DIR', help='where the report goes (default: report in the work folder)')
    return parser


def run(arguments):
    """Do what the arguments say; returns the exit status."""
    from kiwi_training.bakeoff.local_pool import LocalPool
    from kiwi_training.bakeoff.lock import FolderInUse, only_one
    from kiwi_training.bakeoff.pools import Here
    from kiwi_training.bakeoff.store import Store
    from kiwi_training.executor_bench.report import write_report
    wanted = plan_of(arguments)
    output = Path(arguments.output)
    store = Store(output)
    try:
        with only_one(output):
            failures = work_off(wanted.tasks(), store, LocalPool(arguments.jobs) if arguments.jobs else Here(),
                                arguments.jobs)
    except FolderInUse:
        raise ArgumentError(f'another benchmark works in {output}: wait for it, or choose another --output') from None
    everything = Plan(wanted.checkpoint, wanted.digest, wanted.trials, wanted.seed)
    try:
        print(f'report: {write_report(everything, store, arguments.docs or output / "report")}')
    except ValueError as error:
        failures.append(str(error))
    for failure in failures:
        print(f'kiwi-bench-executor: failed: {failure}', file=sys.stderr)
    return 1 if failures else 0


def plan_of(arguments):
    """The `Plan` that the arguments describe.

    Raises:
        ArgumentError: an argument that cannot be used.
    """
    from kiwi_training.bakeoff.inspection import inspect
    for name, least in (('trials', 1), ('jobs', 0), ('seed', 0)):
        if getattr(arguments, name) < least:
            raise ArgumentError(f'--{name} must be at least {least}, got {getattr(arguments, name)}')
    for option, known in (('executors', VARIANTS), ('profiles', PROFILES)):
        for name in getattr(arguments, option):
            if name not in known:
                raise ArgumentError(f'--{option} {name!r} is not known{suggestion(name, known)}')
    try:
        found = inspect(arguments.checkpoint or shipped_checkpoint())
    except ValueError as error:
        raise ArgumentError(str(error)) from error
    return Plan(found.folder, found.digest, arguments.trials, arguments.seed,
                tuple(name for name in VARIANTS if name in arguments.executors),
                tuple(name for name in PROFILES if name in arguments.profiles))


def shipped_checkpoint(name='flow'):
    """Folder of a checkpoint that ships with kiwi_policy: in its sources, or where it is installed.

    Raises:
        ArgumentError: it is in neither.
    """
    import kiwi_policy
    places = [Path(kiwi_policy.__file__).resolve().parents[1] / 'checkpoints' / name]
    places += [Path(prefix) / 'share' / 'kiwi_policy' / 'checkpoints' / name
               for prefix in os.environ.get('AMENT_PREFIX_PATH', '').split(os.pathsep) if prefix]
    for place in places:
        if place.is_dir():
            return place
    raise ArgumentError(f'the checkpoint {name!r} that ships is in none of {", ".join(map(str, places))}: '
                        'name one with --checkpoint')


def work_off(tasks, store, pool, jobs):
    """Do the tasks that a store lacks; returns what failed, as sentences."""
    from kiwi_training.bakeoff.progress import Progress
    missing = [task for task in tasks if not store.has(task)]
    print(f'executor benchmark: {len(tasks) - len(missing)} of {len(tasks)} pieces are there', file=sys.stderr)
    failures = []
    if not missing:
        return failures
    progress = Progress(sum(task.seconds for task in missing), jobs)
    try:
        for done in pool.run(missing, progress):
            if done.result is not None:
                store.save(done.task, done.result)
            else:
                progress.say(f'{done.task.label}: {done.error}')
                failures.append(f'{done.task.label}: {done.error}')
            progress.finished(done.task)
    finally:
        progress.close()
        pool.close()
    return failures
