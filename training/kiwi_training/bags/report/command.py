"""`kiwi-bags report`: an HTML page per recorded rollout, and one over them all."""

import os
import re
import sys
import time
from pathlib import Path

DESCRIPTION = '''\
Make a self-contained HTML page of each recorded rollout, with its cameras, joints, plans and events on one time
axis, and index.html over them all. The pages need nothing beside them and can be sent by mail.'''
EXAMPLES = '''\
examples:
  kiwi-bags report rollouts/latest/bags/* --output rollouts/latest/report
  kiwi-bags report rollouts/latest --output report        every bag below a folder

exit status: 0 done, 1 a bag is unreadable or something failed, 2 wrong usage'''
INDEX = 'index.html'


def add_parser(subparsers):
    """Add the subcommand."""
    from argparse import RawDescriptionHelpFormatter

    parser = subparsers.add_parser('report', help='HTML pages that show why a rollout ended as it did',
                                   description=DESCRIPTION, epilog=EXAMPLES,
                                   formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument('bags', nargs='+', metavar='BAG', help='bag folder, or a folder with bags below it')
    parser.add_argument('--output', required=True, type=Path, metavar='DIR',
                        help='folder for the pages; made where it does not exist, pages of the same name are replaced')
    parser.add_argument('--title', default='Rollouts', help='heading of the index page (default: %(default)s)')
    parser.add_argument('--quiet', action='store_true', help='no summary; a terminal still shows the progress of many')
    parser.set_defaults(run=run)
    return parser


def run(arguments):
    """Write the pages. Returns 0, or 1 where a bag could not be reported.

    Raises:
        BagError: there is no bag.
        OSError: the pages cannot be written.
    """
    from tqdm import tqdm

    from kiwi_training.bags.reader import BagError, find_bags

    folders = find_bags(arguments.bags)
    arguments.output.mkdir(parents=True, exist_ok=True)
    names = page_names(folders)
    pages = [names[folder] for folder in folders]
    reported, failed, started = [], [], time.monotonic()
    terminal = sys.stderr.isatty()
    bar = tqdm(list(enumerate(folders)), desc='report', unit='rollout', dynamic_ncols=terminal,
               leave=not arguments.quiet, disable=len(folders) < 2 or arguments.quiet and not terminal)
    for at, folder in bar:
        bar.set_postfix_str(folder.name, refresh=False)
        try:
            one = _report(folder, pages, at)
        except BagError as error:
            failed.append(str(error))
            bar.write(f'kiwi-bags report: {error}', file=sys.stderr)
            continue
        write_page(arguments.output / pages[at], one.page)
        reported.append((without_page(one), pages[at]))
    write_page(arguments.output / INDEX, _index(reported, failed, arguments.title))
    if not arguments.quiet:
        size = sum((arguments.output / page).stat().st_size for _, page in reported) / 1e6
        print(f'{len(reported)} of {len(folders)} rollouts reported in {time.monotonic() - started:.1f} s, '
              f'{size:.1f} MB', file=sys.stderr)
    print(arguments.output / INDEX)
    return 1 if failed else 0


def page_names(folders):
    """Folder -> file name of its page: its name, with as many parents as it takes to tell it from the others."""
    depth = 1
    while depth < 8 and len({folder.absolute().parts[-depth:] for folder in folders}) < len(set(folders)):
        depth += 1
    names = {}
    for folder in folders:
        text = '-'.join(part.strip('/') for part in folder.absolute().parts[-depth:] if part.strip('/'))
        safe = re.sub(r'[^A-Za-z0-9._-]', '_', text).lstrip('.')
        name, number = f'{safe or "rollout"}.html', 2
        while name in names.values() or name == INDEX:
            name, number = f'{safe or "rollout"}-{number}.html', number + 1
        names[folder] = name
    return names


def write_page(path, text):
    """Write a page so that a reader sees the old one or the new one."""
    fresh = path.with_name(f'.{path.name}.{os.getpid()}')
    try:
        fresh.write_text(text, encoding='utf-8')
        os.replace(fresh, path)
    finally:
        fresh.unlink(missing_ok=True)


def without_page(reported):
    """The `Reported` without its HTML: many of them are kept for the index."""
    from dataclasses import replace

    return replace(reported, page='')


def _report(folder, pages, at):
    from kiwi_training.bags.reader import Bag
    from kiwi_training.bags.report.page import report_rollout
    from kiwi_training.bags.rollout import RecordedRollout

    several = len(pages) > 1
    return report_rollout(RecordedRollout.load(Bag(folder)), index=INDEX,
                          title=pages[at].removesuffix('.html') if several else None,
                          before=pages[at - 1] if at else '', after=pages[at + 1] if at + 1 < len(pages) else '')


def _index(reported, failed, title):
    from kiwi_training.bags.report.index import index_page

    return index_page(reported, failed, title)
