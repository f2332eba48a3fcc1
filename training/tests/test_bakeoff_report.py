import json
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import numpy as np
import pytest
from kiwi_training.bakeoff.report import (
    findings,
    markdown,
    table_markdown,
    write_docs,
    write_report,
)
from kiwi_training.bakeoff.report.contents import contents
from kiwi_training.bakeoff.report.source import Source, normalise
from kiwi_training.bakeoff.report.table import KEYS, flat_rows
from kiwi_training.report import palette
from kiwi_training.report.canvas import NARROW, WIDE, standalone
from report_fixture import HEADS, make_folder

FEW = tuple(head for head in HEADS if head[0] in ('bc mse', 'cvae z~N', 'diffusion DDPM 100', 'flow 10', 'act'))
TITLES = ('Decision', 'Goals', 'Heads', 'Success against latency', 'Smoothness', 'Latency', 'Rollouts from above',
          'Action chunks at the fork', 'Executor modes', "Asking again too early (the lab's gotcha)",
          'Noise kept or fresh', 'Forced fork', 'Latent collapse', 'Paired tests', 'How it was run')
NASTY = '<script>alert(1)</script> $x_1$ | `a` & "b"'


@pytest.fixture(scope='module')
def bakeoff(tmp_path_factory):
    """A folder with a small bake-off and its report."""
    folder = tmp_path_factory.mktemp('bakeoff')
    summary = make_folder(folder, FEW, trials=16)
    (folder / 'films').mkdir()
    (folder / 'films' / 'flow.mp4').write_bytes(b'no real film')
    summary['rows'][3]['film'] = 'flow.mp4'
    summary['config']['dataset'] = '/home/somebody/demos'
    (folder / 'summary.json').write_text(json.dumps(summary))
    assert write_report(folder) == folder / 'report' / 'index.html'
    return folder


class Page(HTMLParser):
    """Collects what a page refers to, its ids and its text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.ids, self.text = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        for name, value in attributes:
            if name in ('src', 'href', 'xlink:href', 'poster', 'srcset', 'data'):
                self.links.append(value)
            if name == 'id':
                self.ids.append(value)

    def handle_data(self, data):
        self.text.append(data)


def words_of(summary, tmp_path):
    """The Markdown of a summary without traces; the plots are not drawn."""
    (tmp_path / 'summary.json').write_text(json.dumps(summary))
    sections, absent = contents(Source(tmp_path))
    return markdown.page('title', [], sections, absent)


def bare(**fields):
    return {'rows': [{'head': 'flow', 'trials': 10, 'successes': 9, 'success': 0.9, **fields}]}


def test_the_report_has_every_section_in_both_forms(bakeoff):
    page = Page((bakeoff / 'report' / 'index.html').read_text())
    text = (bakeoff / 'report' / 'report.md').read_text()
    headings = re.findall(r'^## (.*)$', text, re.MULTILINE)
    assert headings == list(TITLES)
    assert all(any(title == data.strip() for data in page.text) for title in (*TITLES, 'Films'))
    assert text.index('Ship flow 10') < text.index('## Heads')
    for name in re.findall(r'\]\((.*?\.svg)\)', text):
        assert (bakeoff / 'report' / name).is_file()


def test_the_page_needs_nothing_beside_it(bakeoff):
    content = (bakeoff / 'report' / 'index.html').read_text()
    page = Page(content)
    assert all(link.startswith(('#', 'data:')) for link in page.links)
    assert 'script' not in page.tags and 'link' not in page.tags and 'img' not in page.tags
    assert not re.search(r'@import|url\((?!#)', content)
    assert len(set(page.ids)) == len(page.ids)
    inner = {link[1:] for link in page.links if link.startswith('#')} | set(re.findall(r'url\(#(.*?)\)', content))
    assert inner <= set(page.ids)
    assert 'data:video/mp4;base64,' in content and 'prefers-color-scheme: dark' in content


def test_colours_of_the_page_follow_its_mode(bakeoff):
    content = (bakeoff / 'report' / 'index.html').read_text()
    drawings = ''.join(re.findall(r'<svg.*?</svg>', content, re.DOTALL))
    assert 'var(--flow)' in drawings and 'var(--left)' in drawings
    assert not set(re.findall(r'#[0-9a-f]{6}\b', drawings)) & set(palette.LIGHT.values())


def test_plots_are_well_formed_files_that_show_every_head(bakeoff):
    plots = sorted((bakeoff / 'report').glob('*.svg'))
    assert len(plots) == 9
    for plot in plots:
        root = ElementTree.fromstring(plot.read_text())
        assert root.tag.endswith('svg') and 'width' in root.attrib
    for name in ('success-latency', 'smoothness', 'latency', 'rollouts', 'chunks', 'executors'):
        text = (bakeoff / 'report' / f'{name}.svg').read_text()
        assert all(f'>{head[0]}</text>' in text for head in FEW), name


def test_a_small_version_for_a_repository(bakeoff, tmp_path):
    folder = write_docs(bakeoff, tmp_path)
    assert folder == tmp_path / 'bakeoff'
    assert {path.suffix for path in folder.iterdir()} == {'.md', '.svg', '.json'}
    text = (folder / 'README.md').read_text()
    assert all(f'## {title}' in text for title in TITLES) and 'Films' not in text
    assert '/home/somebody' not in text and '…/demos' in text
    table = json.loads((folder / 'table.json').read_text())
    assert all(tuple(row) == KEYS for row in table)
    assert len(table) == len(FEW) + 4 * len(FEW) + 4
    first = {(row['head'], row['executor'], row['task']): row for row in table}['flow 10', 'latest', 'forced fork']
    assert first['latency_p50_ms'] == 66.5 and first['evals_per_chunk'] == 10


def test_plots_of_an_earlier_report_do_not_stay(bakeoff, tmp_path):
    (tmp_path / 'bakeoff').mkdir()
    (tmp_path / 'bakeoff' / 'requery.svg').write_text('old')
    (tmp_path / 'bakeoff' / 'photo.svg').write_text('of somebody else')
    (tmp_path / 'summary.json').write_text(json.dumps(bare()))
    write_docs(tmp_path, tmp_path)
    assert {path.name for path in (tmp_path / 'bakeoff').glob('*.svg')} == {'photo.svg'}


def test_200_rollouts_of_a_head_are_drawn_in_less_than_100_kilobytes(tmp_path):
    make_folder(tmp_path, HEADS[8:9], trials=200)
    figure = next(section for section in contents(Source(tmp_path))[0] if section.key == 'rollouts').blocks[0]
    drawn = standalone(figure.draw(WIDE), 'rollouts')
    assert len(drawn) < 100_000
    assert drawn.count('M') > 150, 'every rollout is a stroke'


def test_the_table_has_the_labs_columns_first(bakeoff):
    lines = table_markdown(json.loads((bakeoff / 'summary.json').read_text())).splitlines()
    assert lines[0].startswith('| head | success | smoothness (jerk) | evals/chunk | latency | 95 % interval |')
    assert len(lines) == 2 + len(FEW) + 2 and lines[-1].startswith('†: too slow for its chunk')
    assert lines[-3].startswith('| act (stock) |')
    assert [line.split('|')[1].strip() for line in lines[2:-2] if '†' in line] == ['diffusion DDPM 100 †']
    flow = next(line for line in lines if 'flow 10' in line)
    cells = [cell.strip() for cell in flow.strip('|').split('|')]
    assert cells[0] == '**flow 10**' and cells[2:5] == ['**0.260 deg**', '**10**', '**66 ms**']
    assert cells[-2:] == ['**2.25 M**', '**31 min**']


def test_the_range_over_training_seeds_stands_beside_the_interval():
    rows = [{'head': 'flow', 'success_seeds': [0.9, 0.955]}, {'head': 'act', 'success_seeds': None}]
    lines = [[cell.strip() for cell in line.strip('|').split('|')] for line in table_markdown({'rows': rows}).splitlines()]
    assert lines[0][5:7] == ['95 % interval', 'over seeds']
    assert [line[6] for line in lines[2:]] == ['90.0 to 95.5 %', '–']


def test_the_report_says_of_which_training_seed_its_figures_are(bakeoff):
    text = (bakeoff / 'report' / 'report.md').read_text()
    assert '16 rollouts per head, of training seed 7.' in text and 'Over seeds: the lowest and the highest' in text
    assert 'over 3 training seeds: only flow 10 succeeds in 30, only diffusion DDPM 100 in 24 of 48 pairs' in text
    alone = bare(train_seeds=[7], per_seed=[{'seed': 7}])
    assert 'training seed' not in table_markdown(alone)


def test_smoothness_is_that_of_the_successes():
    rows = [{'head': 'waits', 'smoothness': 0.1, 'smoothness_successes': 0.4},
            {'head': 'fails', 'smoothness': 0.2, 'smoothness_successes': None},
            {'head': 'moves', 'smoothness': 0.3, 'smoothness_successes': 0.3}]
    summary = normalise({'rows': rows})
    assert [row['smoothness'] for row in flat_rows(summary)] == [0.4, 0.2, 0.3]
    assert [line.split('|')[3].strip() for line in table_markdown(summary).splitlines()[2:]] == [
        '0.400 deg', '0.200 deg', '0.300 deg']
    assert findings.smoothness(summary['rows'])[0].startswith('moves is smoothest (0.300 deg), waits roughest')


def test_a_pause_of_mode_sync_is_no_underrun(tmp_path):
    modes = [{'head': 'flow', 'executor': mode, 'successes': 1, 'trials': 1, 'underruns': 31} for mode in ('sync', 'latest')]
    text = words_of({'rows': [], 'executors': modes}, tmp_path)
    shown = {cells[2].strip(): cells[7].strip() for cells in (line.split('|') for line in text.splitlines())
             if len(cells) > 8 and cells[1].strip() == 'flow'}
    assert shown == {'sync': '–', 'latest': '31'}
    rows = normalise({'rows': [{'head': 'flow', 'executor': 'sync', 'underruns': 31, 'latency_p50_ms': 5.0},
                               {'head': 'bc', 'underruns': 0, 'latency_p50_ms': 4.0}]})['rows']
    assert findings.latency(rows)[-1] == 'The executor never ran out of actions.'


def test_rows_too_slow_for_their_chunk_are_marked():
    fits = {'head': 'fits', 'latency_p95_ms': 533.0, 'period': 1 / 30, 'horizon': 32, 'replan_rows': 8}
    text = table_markdown({'rows': [fits, fits | {'head': 'slow', 'latency_p95_ms': 534.0}, {'head': 'who knows'}]})
    assert '| slow † |' in text and text.count('†') == 2 and '| fits |' in text
    assert '†' not in table_markdown({'rows': [fits]})


def test_the_latent_at_the_fork_is_told_apart(tmp_path):
    entry = {'head': 'cvae', 'task': 'forced fork', 'kl_nats': 0.1, 'active_dims': 1, 'latent_dim': 32}
    text = words_of({'latent': [entry | {'kl_nats_fork': 0.65, 'error_zero_fork': 0.31}]}, tmp_path)
    assert 'At the fork KL 0.65 nats, where one bit, the side, would be 0.69.' in text
    assert re.search(r'\| cvae \| forced fork, first frames \|.* 0.65 nats \|.* 0.31 \|', text)
    assert 'At the fork' not in words_of({'latent': [entry]}, tmp_path)


def test_what_is_unknown_is_a_dash_in_the_table():
    line = table_markdown({'rows': [{'head': 'flow', 'latency_p50_ms': None, 'success': float('nan')}]}).splitlines()[2]
    assert [cell.strip() for cell in line.strip('|').split('|')] == ['flow'] + ['–'] * 11


def test_a_report_without_most_fields_says_what_was_not_measured(tmp_path):
    (tmp_path / 'summary.json').write_text(json.dumps(bare()))
    write_report(tmp_path, tmp_path / 'out')
    text = (tmp_path / 'out' / 'report.md').read_text()
    assert '90 %' in text
    missing = text[text.index('## Not measured'):]
    assert all(title in missing for title in TITLES if title not in ('Heads',))
    assert not list((tmp_path / 'out').glob('*.svg'))
    page = Page((tmp_path / 'out' / 'index.html').read_text())
    assert 'absent' in page.ids and 'svg' not in page.tags


@pytest.mark.parametrize('part', ['rows', 'executors', 'requery', 'noise', 'control', 'latent', 'pairs', 'decision',
                                  'scene', 'config', 'versions', 'machine', 'title', 'created'])
@pytest.mark.parametrize('value', ['absent', None])
def test_any_part_may_be_missing(bakeoff, tmp_path, part, value):
    summary = json.loads((bakeoff / 'summary.json').read_text())
    summary.pop(part) if value == 'absent' else summary.update({part: value})
    assert words_of(summary, tmp_path)


@pytest.mark.parametrize('seed', range(12))
def test_any_figure_may_be_null(bakeoff, tmp_path, seed):
    rng = np.random.default_rng(seed)
    summary = json.loads((bakeoff / 'summary.json').read_text())
    for part in ('rows', 'executors', 'requery', 'noise', 'control', 'latent', 'pairs'):
        for entry in summary[part]:
            for key in rng.choice(sorted(entry), min(6, len(entry)), replace=False):
                entry[key] = None
    text = words_of(summary, tmp_path)
    assert not re.search(r'\bNone\b|\bnan\b', text.split('<details><summary>Configuration')[0])


def test_figures_with_gaps_are_drawn(bakeoff, tmp_path):
    summary = json.loads((bakeoff / 'summary.json').read_text())
    gaps = ('success_low', 'latency_p95_ms', 'left_share', 'left', 'smoothness_successes', 'evals_per_chunk', 'per_seed', 'seam_ratio',
            'mode_switches', 'post_hits')
    for part in ('rows', 'executors', 'requery', 'control'):
        for index, entry in enumerate(summary[part]):
            entry |= dict.fromkeys(gaps)
            if index % 2:
                entry |= {'smoothness': None, 'latency_p50_ms': None}
    summary['scene'] = None
    for file in (bakeoff / 'traces').iterdir():
        (tmp_path / 'traces').mkdir(exist_ok=True)
        (tmp_path / 'traces' / file.name).write_bytes(file.read_bytes())
    (tmp_path / 'summary.json').write_text(json.dumps(summary))
    figures = [block for section in contents(Source(tmp_path))[0] for block in section.blocks if hasattr(block, 'draw')]
    assert len(figures) == 9
    for figure in figures:
        ElementTree.fromstring(standalone(figure.draw(NARROW), figure.alt))


def test_nothing_in_a_summary_becomes_markup(bakeoff, tmp_path):
    summary = json.loads((bakeoff / 'summary.json').read_text())
    summary |= {'title': NASTY, 'created': NASTY, 'versions': {NASTY: NASTY}, 'control': [], 'executors': [],
                'config': {'fence': '```\n</details><b>bold</b>'}}
    summary['decision'] |= {'sentence': NASTY, 'rule': [NASTY], 'head': NASTY}
    summary['rows'] = summary['rows'][:1]
    summary['rows'][0] |= {'head': NASTY, 'note': NASTY, 'digest': NASTY, 'policy': NASTY, 'failures': {NASTY: 1},
                           'sampling': {NASTY: NASTY}, 'family': '"><b>'}
    (tmp_path / 'summary.json').write_text(json.dumps(summary))
    page = write_report(tmp_path).read_text()
    assert 'script' not in Page(page).tags and '<b>bold' not in page and NASTY in ''.join(Page(page).text)
    text = (tmp_path / 'report' / 'report.md').read_text()
    outside = re.sub(r'^````\n.*?^````$', '', text, flags=re.DOTALL | re.MULTILINE)
    assert '<script>' not in outside and '<b>' not in outside
    row = next(line for line in table_markdown(summary).splitlines() if 'script' in line)
    assert len(re.findall(r'(?<!\\)\|', row)) == 13
    ElementTree.fromstring((tmp_path / 'report' / 'success-latency.svg').read_text())


def test_files_outside_the_folder_are_not_read(bakeoff, tmp_path):
    (tmp_path / 'secret.mp4').write_bytes(b'secret')
    folder = tmp_path / 'bakeoff'
    (folder / 'films').mkdir(parents=True)
    (folder / 'summary.json').write_text(json.dumps(bare(film='../../secret.mp4', path_key='../../secret')))
    source = Source(folder)
    assert source.film('../../secret.mp4') is None and source.film(str(tmp_path / 'secret.mp4')) is None
    assert source.trace('../../secret', 'xy') is None


@pytest.mark.parametrize('content, message', [
    (None, 'no summary.json'), ('{', 'no JSON'), ('[]', 'must be an object'), ('{"rows": {}}', 'rows must be a list'),
    ('{"rows": ["flow"]}', 'rows must be a list'), ('{"decision": "flow"}', 'decision must be an object'),
])
def test_what_is_no_summary_is_refused(tmp_path, content, message):
    if content is not None:
        (tmp_path / 'summary.json').write_text(content)
    with pytest.raises((FileNotFoundError, ValueError), match=message):
        write_report(tmp_path)


def test_traces_are_never_unpickled(tmp_path):
    (tmp_path / 'traces').mkdir()
    np.savez(tmp_path / 'traces' / 'flow.npz', xy=np.array([{'a': 1}], dtype=object), side=[1], success=[True])
    (tmp_path / 'summary.json').write_text(json.dumps(bare(path_key='flow')))
    with pytest.raises(ValueError, match='[Pp]ickle'):
        Source(tmp_path).trace('flow', 'xy', 'side', 'success')
