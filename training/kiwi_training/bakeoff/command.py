"""`kiwi-bakeoff`: trains heads on one dataset, rolls them out on the same seeds, says which to ship."""

import argparse
import os
import sys
from pathlib import Path

from kiwi_training.bakeoff.example import EXAMPLE
from kiwi_training.bakeoff.tables import ConfigError

DESCRIPTION = """\
Compare action heads: train each on the same demonstrations, measure its latency, roll it out on the
same seeds through the robot's own executor with that latency played back, tabulate, decide, report.

Everything is kept in the work folder. Start the command again after Ctrl-C, a crash or a change of the
configuration: what is done is not done again, unfinished trainings go on from their last checkpoint.
Heads and rows that fail are named at the end, and the others are compared all the same."""

EPILOG = """\
examples:
  print a configuration with every setting explained, and start from it
    kiwi-bakeoff --example > bakeoff.toml
    kiwi-bakeoff bakeoff.toml
  find mistakes in a configuration without training anything
    kiwi-bakeoff bakeoff.toml --until check
  train now, measure later on a quiet machine
    kiwi-bakeoff bakeoff.toml --until train
  two heads only; the others' results stay and are in the table
    kiwi-bakeoff bakeoff.toml --only flow cvae
  on a Ray cluster whose machines share the folders; without an address Ray is started here
    kiwi-bakeoff bakeoff.toml --ray auto
  the report again, into another folder; and the small version for a repository's docs/
    kiwi-bakeoff report bakeoff --output site
    kiwi-bakeoff report bakeoff --docs docs
  the same report of rollouts that rollout_node recorded, on a real robot for instance
    kiwi-bakeoff report --rollouts flow=rollouts/flow/rollouts.json act=rollouts/act/rollouts.json --output report

the work folder:
  trainings/<head>-seed<S>/         run folders of kiwi-train; output.log says what happened
  results/<kind>/<name>.json        one measurement or shard of rollouts each; remove one to have it done again
                                    (results/latency: all rows are then measured and rolled out anew)
  summary.json, traces/, films/     what the report is made from
  report/index.html, report.md      the report

exit status: 0 done, 1 something failed (the rest was done), 2 the configuration is wrong, 130 interrupted"""

REPORT = """\
Write the report of a bake-off again, or of rollouts that rollout_node recorded."""


def main(argv=None):
    """Run the command; returns its exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] == ['report']:
        return report_again(argv[1:])
    arguments = build_parser().parse_args(argv)
    if arguments.example:
        print(EXAMPLE, end='')
        return 0
    if arguments.config is None:
        build_parser().error('a configuration is needed: kiwi-bakeoff --example > bakeoff.toml writes one')
    prepare_environment()
    try:
        return run(arguments)
    except ConfigError as error:
        print(f'kiwi-bakeoff: {arguments.config} cannot be used:', file=sys.stderr)
        for line in str(error).splitlines():
            print(f'  {line}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('\nkiwi-bakeoff: interrupted; start it again to go on', file=sys.stderr)
        return 130
    except (OSError, RuntimeError) as error:
        if os.environ.get('KIWI_TRACEBACK'):
            raise
        print(f'kiwi-bakeoff: {error}', file=sys.stderr)
        return 1


def build_parser():
    """The command line of `kiwi-bakeoff CONFIG`."""
    parser = argparse.ArgumentParser('kiwi-bakeoff', description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('config', nargs='?', metavar='CONFIG.toml', help="what to compare (or 'report', see below)")
    add('--example', action='store_true', help='print a configuration with every setting, and exit')
    add('--output', metavar='DIR', help="work folder (default: the configuration's `output`)")
    add('--jobs', type=int, default=2, metavar='N',
        help='trainings or shards of rollouts at a time (default 2; 0: all in this process, to find errors)')
    add('--only', nargs='+', default=[], metavar='NAME', help='work on these heads or rows only; the results of others stay')
    add('--until', choices=('check', 'train', 'latency', 'rollouts', 'report'), default='report',
        help='stop after this stage (default: report)')
    add('--ray', nargs='?', const='local', metavar='ADDRESS',
        help='run trainings and rollouts on a Ray cluster; without an address Ray is started on this machine')
    return parser


def prepare_environment():
    """Settings that worker processes inherit: one thread each, no downloads, a renderer without threads."""
    for name, value in (('OMP_NUM_THREADS', '1'), ('LP_NUM_THREADS', '0'), ('MUJOCO_GL', 'egl'),
                        ('HF_HUB_OFFLINE', '1')):
        os.environ.setdefault(name, value)


def run(arguments):
    """Do what the arguments say; returns the exit status."""
    from kiwi_training.bakeoff.config import read_config
    from kiwi_training.bakeoff.local_pool import LocalPool
    from kiwi_training.bakeoff.pools import Here
    from kiwi_training.bakeoff.runner import Bakeoff, Options, report, say
    config, table = read_config(arguments.config)
    if arguments.jobs < 0:
        raise ConfigError(f'--jobs must be at least 0, got {arguments.jobs}')
    _check_only(arguments.only, config)
    output = Path(arguments.output or config.output)
    options = Options(output, arguments.jobs, frozenset(arguments.only), arguments.until)

    def make_pool():
        if arguments.ray is not None:
            from kiwi_training.bakeoff.ray_pool import RayPool
            return RayPool(arguments.ray, max(arguments.jobs, 1))
        return LocalPool(arguments.jobs) if arguments.jobs else Here()

    bakeoff = Bakeoff(config, table, options, make_pool,
                      (lambda: LocalPool(1)) if arguments.jobs else Here, say)
    summary = bakeoff.run()
    if summary is not None:
        page, why = report(output)
        if page is None:
            bakeoff.failures.append(f'the report of {output / "summary.json"}: {why}')
        if summary['decision']['sentence']:
            print(summary['decision']['sentence'])
        if page is not None:
            print(f'report: {page}')
    for failure in bakeoff.failures:
        print(f'kiwi-bakeoff: failed: {failure}', file=sys.stderr)
    return 1 if bakeoff.failures else 0


def _check_only(only, config):
    from kiwi_training.overrides import suggestion
    names = {head.name for head in config.heads} | {row.name for _, row in config.rows}
    problems = [f'--only {name!r} is neither a head nor a row{suggestion(name, names)}'
                for name in only if name not in names]
    if problems:
        raise ConfigError('\n'.join(problems))


def report_again(argv):
    """`kiwi-bakeoff report ...`; returns the exit status."""
    parser = argparse.ArgumentParser('kiwi-bakeoff report', description=REPORT, allow_abbrev=False)
    parser.add_argument('folder', nargs='?', metavar='FOLDER', help='work folder of a bake-off')
    parser.add_argument('--rollouts', nargs='+', type=_named_path, metavar='NAME=FILE',
                        help="rollouts.json of rollout_node, named as the report shall call them")
    parser.add_argument('--output', metavar='DIR', help='where the report goes (default: FOLDER/report)')
    parser.add_argument('--docs', metavar='DIR', help='write the small version, with table.json, to DIR/bakeoff')
    arguments = parser.parse_args(argv)
    if (arguments.folder is None) == (arguments.rollouts is None):
        parser.error('give either the work folder of a bake-off or --rollouts NAME=FILE ...')
    if arguments.rollouts and arguments.output is None:
        parser.error('--rollouts needs --output DIR')
    from kiwi_training.bakeoff.report import report_rollouts, write_docs, write_report
    try:
        if arguments.rollouts:
            page, folder = report_rollouts(dict(arguments.rollouts), arguments.output), arguments.output
        else:
            page, folder = write_report(arguments.folder, arguments.output), arguments.folder
        if arguments.docs:
            print(f'docs: {write_docs(folder, arguments.docs)}')
    except (OSError, ValueError) as error:
        print(f'kiwi-bakeoff report: {error}', file=sys.stderr)
        return 1
    print(f'report: {page}')
    return 0


def _named_path(text):
    name, equals, path = text.partition('=')
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f'{text!r} is not NAME=FILE')
    return name, path


if __name__ == '__main__':
    sys.exit(main())
