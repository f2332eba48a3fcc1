"""`kiwi-bags info`: what is on record."""

import argparse
import json
import sys

from kiwi_training.bags.reader import Bag, BagError, find_bags

DESCRIPTION = """\
Show what bags hold: outcome, duration, size, whether the recording is whole and what was asked for.
One bag is shown topic by topic, several in a line each; --topics shows every one in full."""

EPILOG = """\
examples:
  kiwi-bags info rollouts/run1/bags/rollout_001
  kiwi-bags info rollouts/run1 rollouts/run2
  kiwi-bags info rollouts/run1 --json | jq '.[] | select(.success == false) | .folder'

exit status: 0 all are whole, 1 at least one is incomplete or cannot be read, 2 wrong usage"""


def add_parser(commands):
    """Add the subcommand to the command line."""
    parser = commands.add_parser('info', description=DESCRIPTION, epilog=EPILOG,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('bags', nargs='+', metavar='BAG', help='bag folders, or folders of bags')
    parser.add_argument('--topics', action='store_true', help='topics of every bag, also of several')
    parser.add_argument('--json', action='store_true', help='the same facts as a JSON list')


def run(arguments):
    """Show the bags; returns the exit status."""
    bags, broken = [], []
    for folder in find_bags(arguments.bags):
        try:
            bags.append(Bag(folder))
        except BagError as error:
            broken.append(str(error))
    if arguments.json:
        print(json.dumps([facts(bag) for bag in bags], indent=1))
    elif arguments.topics or len(bags) + len(broken) == 1:
        print('\n\n'.join(in_full(bag) for bag in bags))
    else:
        print(in_lines(bags))
    for problem in broken:
        print(f'kiwi-bags info: {problem}', file=sys.stderr)
    return 1 if broken or any(bag.complete not in ('true', 'unknown') for bag in bags) else 0


def facts(bag):
    """What a bag's metadata say, as plain values."""
    return {
        'folder': str(bag.folder), 'outcome': bag.outcome, 'success': bag.success, 'complete': bag.complete,
        'seconds': round(bag.seconds, 3), 'bytes': bag.size, 'namespace': bag.namespace, 'details': bag.details,
        'episode_id': bag.custom.get('episode_id', ''), 'checkpoint_digest': bag.custom.get('checkpoint_digest', ''),
        'topics': {topic: {'type': bag.types[topic], 'messages': count, 'rate': round(_rate(bag, count), 3)}
                   for topic, count in bag.topics.items()},
    }


def in_full(bag):
    """Text of one bag, topic by topic."""
    heads = [('outcome', judged(bag)), ('recording', wholeness(bag)),
             ('duration', f'{bag.seconds:.1f} s, {sum(bag.topics.values())} messages'), ('size', _size(bag)),
             ('episode', bag.custom.get('episode_id', '')), ('checkpoint', bag.custom.get('checkpoint_digest', '')),
             ('namespace', bag.namespace)]
    heads += [(name, value if isinstance(value, str) else json.dumps(value)) for name, value in bag.details.items()]
    rows = [(topic, str(count), f'{_rate(bag, count):.1f}' if count > 1 else '', bag.types[topic])
            for topic, count in sorted(bag.topics.items())]
    known = [(name, value) for name, value in heads if value != '']
    return '\n'.join([str(bag.folder), *aligned([(f'  {name}', value) for name, value in known]), '',
                      *aligned([('  topic', 'messages', 'Hz', 'type'), *(('  ' + row[0], *row[1:]) for row in rows)],
                               '<>><')])


def in_lines(bags):
    """Text of several bags, a line each, and their sum."""
    rows = [('bag', 'outcome', 's', 'MB', 'MB/min', 'chunks', 'recording', 'details')]
    for bag in bags:
        details = ', '.join(f'{name} {value}' for name, value in bag.details.items() if name != 'task')
        rows.append((str(bag.folder), judged(bag), f'{bag.seconds:.1f}', f'{bag.size / 1e6:.1f}',
                     f'{_per_minute(bag):.1f}', str(bag.topics.get('action_chunk', 0)), wholeness(bag), details))
    judged_bags = [bag for bag in bags if bag.success is not None]
    total = (f'{len(bags)} bag{"s" * (len(bags) != 1)}, {sum(bag.success for bag in judged_bags)} of '
             f'{len(judged_bags)} judged a success, '
             f'{sum(bag.seconds for bag in bags):.0f} s, {sum(bag.size for bag in bags) / 1e6:.1f} MB')
    return '\n'.join([*aligned(rows, '<<>>>><<'), '', total])


def judged(bag):
    """The outcome in a word or two."""
    verdict = {True: 'success', False: 'failure', None: 'not judged'}[bag.success]
    if bag.outcome in ('', verdict):
        return verdict
    return f'{bag.outcome}, {verdict}' if bag.success is None else f'{verdict} ({bag.outcome})'


def wholeness(bag):
    """Whether the recording is whole, in words."""
    return {'true': 'complete', 'unknown': 'not said'}.get(bag.complete, f'incomplete: {bag.complete}')


def aligned(rows, sides=None):
    """Lines of columns; `sides` has < or > per column."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    sides = sides or '<' * len(widths)
    return ['  '.join(f'{cell:{side}{width}}' for cell, side, width in zip(row, sides, widths)).rstrip()
            for row in rows]


def _size(bag):
    return f'{bag.size / 1e6:.1f} MB, {_per_minute(bag):.1f} MB/min'


def _per_minute(bag):
    return bag.size / 1e6 / (bag.seconds / 60) if bag.seconds else 0.0


def _rate(bag, count):
    return (count - 1) / bag.seconds if count > 1 and bag.seconds else 0.0
