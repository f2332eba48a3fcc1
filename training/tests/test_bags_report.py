"""`kiwi-bags report`: what the pages say, that they stand alone, and that nothing recorded can break out of them."""

import io
import json
import re
from html.parser import HTMLParser

import av
import numpy as np
import pytest
from bag_fixture import make_rollout
from bag_report_fixture import DIGEST, EVERY, ROWS, rich_rollout
from kiwi_training.bags.command import main
from kiwi_training.bags.reader import Bag
from kiwi_training.bags.report.figures import figures
from kiwi_training.bags.report.film import KEY_EVERY, make_film
from kiwi_training.bags.report.index import index_page
from kiwi_training.bags.report.material import Material
from kiwi_training.bags.report.page import report_rollout
from kiwi_training.bags.rollout import RecordedRollout

from kiwi_policy.core.metrics import first_planned, smoothness, wilson_interval

NASTY = '</script><script>alert(1)</script><img src=x onerror=alert(2)> & "quoted" \'single\''
TICKS = 300


class Reader(HTMLParser):
    """Collects what a page refers to, its elements and its text."""

    def __init__(self, page):
        super().__init__()
        self.references, self.tags, self.attributes, self.words, self.scripts = [], [], [], [], []
        self._inside = ''
        self.feed(page)
        self.text = ' '.join(' '.join(self.words).split())

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += [name for name, _ in attributes]
        self.references += [value for name, value in attributes if name in ('src', 'href', 'srcset', 'xlink:href')]
        self._inside = tag
        if tag == 'script':
            self.scripts.append([dict(attributes).get('id', ''), ''])

    def handle_endtag(self, tag):
        self._inside = ''

    def handle_data(self, data):
        if self._inside == 'script':
            self.scripts[-1][1] += data
        elif self._inside != 'style':
            self.words.append(data)

    def script(self, name):
        """Text of the script element with this id."""
        return next(text for identity, text in self.scripts if identity == name)


def load(folder):
    return RecordedRollout.load(Bag(folder))


def report(folder):
    return report_rollout(load(folder))


@pytest.fixture(scope='module')
def rich(tmp_path_factory):
    return rich_rollout(tmp_path_factory.mktemp('bags') / 'rollout_001', ticks=TICKS)


@pytest.fixture(scope='module')
def read(rich):
    return Reader(report(rich).page)


@pytest.fixture(scope='module')
def recording(read):
    return json.loads(read.script('recording'))


def test_the_page_says_what_happened(read):
    for sentence in ('Failure: post hit at 8.7 s, 0.2 s after chunk 32 took over.', 'Cube lifted at 3.1 s.',
                     'Cube passes the post on the right at 7.7 s.', 'Starved 1 time, 0.50 s in all, first at 5.0 s.',
                     '3 chunks rejected: 2 as too_old and 1 as older.', '1 control tick did not happen.',
                     'the slowest, chunk 12,', '1 bus error, the last: no answer from servo 3',
                     'chunk_executor_node: servos: servo 3 is at 61 deg C'):
        assert sentence in read.text, sentence


def test_the_page_says_what_was_run(read):
    for name, value in (('Seed', '7'), ('Head', 'flow'), ('Checkpoint digest', DIGEST), ('Checkpoint', 'flow'),
                        ('Mode', 'latest'), ('Side', 'right'), ('Chunks', '38'), ('Rejected', '3'), ('Underruns', '1'),
                        ('Rows skipped', '4'), ('Evaluations per chunk', '10.0'), ('Ticks missed', '1'), ('Recording', 'complete')):
        assert f' {name} {value} ' in read.text, name
    assert 'Parameters of chunk_executor_node (3)' in read.text and 'speed_scale 1' in read.text


def test_events_are_listed_in_the_order_of_time(recording):
    times = [event['t'] for event in recording['events']]
    assert times == sorted(times) and {event['lane'] for event in recording['events']} == {
        'task', 'chunks', 'executor', 'timing', 'health'}
    starved = next(event for event in recording['events'] if event['text'].startswith('starved'))
    assert starved['level'] == 'bad' and starved['until'] - starved['t'] == pytest.approx(0.5, abs=1e-3)


def test_the_plots_get_every_tick_and_every_plan(rich, recording):
    ticks = load(rich).ticks
    assert recording['t'] == pytest.approx(np.asarray(ticks.seconds), abs=1e-4)
    for dim in range(9):
        assert recording['command'][dim] == pytest.approx(ticks.commands[:, dim], abs=0.051)
        assert recording['measured'][dim] == pytest.approx(ticks.measured[:, dim], abs=0.051)
    assert recording['takeovers'] == np.flatnonzero(ticks.takeover).tolist()
    assert len(recording['plans']) == len(range(1, TICKS, EVERY))
    plan = recording['plans'][4]
    assert len(plan['rows']) == 9 and len(plan['rows'][0]) == ROWS and plan['id'] == 5
    assert plan['t'] == pytest.approx((1 + 4 * EVERY) / 30, abs=1e-3)
    ran = {int(chunk) for chunk, index in zip(ticks.chunk_ids, ticks.indices, strict=True) if index >= 0}
    assert {each['id'] for each in recording['plans'] if each['used']} == ran
    assert all(recording['plans'][place]['id'] == chunk
               for place, chunk in zip(recording['chunk'], ticks.chunk_ids, strict=True) if place >= 0)


def test_strips_cover_the_rollout_without_a_gap(recording):
    for strip in (recording['sources'], recording['states']):
        assert [ended for _, _, ended in strip[:-1]] == pytest.approx([began for _, began, _ in strip[1:]], abs=1e-3)
    assert [name for name, *_ in recording['sources']] == ['HOLD', 'CHUNK', 'HOLD', 'CHUNK']
    assert [name for name, *_ in recording['states']] == ['IDLE', 'WAITING', 'RUNNING', 'STARVED', 'RUNNING']


def test_the_film_shows_the_picture_of_the_very_tick(rich):
    material = Material(load(rich))
    film = make_film(material.cameras, material.images, material.seconds)
    assert [view.camera for view in film.views] == ['overview', 'front', 'wrist']
    with av.open(io.BytesIO(film.content)) as container:
        stream = container.streams.video[0]
        assert float(stream.average_rate) == film.rate == 30
        frames = list(container.decode(stream))
    assert len(frames) == len(material.seconds) == len(film.ticks)
    assert all(round(float(frame.time) * film.rate) == index for index, frame in enumerate(frames))
    assert max(np.diff([index for index, frame in enumerate(frames) if frame.key_frame])) <= KEY_EVERY
    view = film.views[0]
    for index in (0, 1, 89, 90, 91, 200, len(frames) - 1):
        pixels = frames[index].to_ndarray(format='rgb24')[10, view.x:view.x + view.width].min(axis=-1)
        tick = round(material.seconds[index] * 30)              # number 90 did not happen
        bar = np.flatnonzero(pixels > 190)
        assert abs(bar.mean() / 2 - (tick % (view.width // 2) + 1.5)) < 0.8, index      # small pictures are doubled
    assert np.nanmax(np.abs(film.ages['front'] - 0.009)) < 1e-6


def test_a_camera_with_another_clock_is_placed_by_the_recorders_time(tmp_path):
    folder = rich_rollout(tmp_path / 'bag', ticks=60, cameras=('front',), camera_offset=1000.0, missed=(), starved=())
    read = Reader(report(folder).page)
    assert 'The stamps of front are of another clock' in read.text
    ages = json.loads(read.script('recording'))['film']['ages']['front']
    assert all(age is not None and abs(age) < 0.04 for age in ages[1:])


def test_figures_are_those_of_the_metrics_module(rich):
    material = Material(load(rich))
    ticks = material.ticks
    own = np.array([bool(name) for name in ticks.episode_ids])
    start = first_planned(ticks.sources[own])
    assert figures(material).smoothness == smoothness(ticks.commands[own][start:])
    assert figures(material).takeovers == ticks.takeover.sum()


def test_nothing_recorded_breaks_out_of_the_page(tmp_path):
    folder = rich_rollout(tmp_path / 'bag', ticks=60, outcome=NASTY, task=NASTY, complete=NASTY, head=NASTY,
                          simulated=False, rejected=((20, NASTY, 1),))
    plain = Reader(report(rich_rollout(tmp_path / 'plain', ticks=60, simulated=False, complete='cut off')).page)
    reported = report(folder)
    for page in (reported.page, index_page([(reported, 'bag.html')], [NASTY])):
        read = Reader(page)
        assert 'alert(1)' in read.text and 'onerror' not in read.attributes
        assert read.tags.count('script') <= plain.tags.count('script')
        assert '<img src=x' not in page and '</script><script>alert' not in page
    found = json.loads(Reader(reported.page).script('recording'))
    assert any(NASTY in event['text'] for event in found['events'])


def test_pages_need_nothing_beside_them(rich):
    reported = report(rich)
    for page in (reported.page, index_page([(reported, 'rollout_001.html')], [])):
        read = Reader(page)
        assert all(reference.startswith(('data:', '#')) or re.fullmatch(r'[\w.-]+\.html', reference)
                   for reference in read.references), read.references
        without = re.sub(r'\sxmlns(:\w+)?="[^"]*"', '', page)
        assert not re.search(r'(https?:)?//[a-z0-9-]+\.[a-z]', without)
        assert '@import' not in page and 'link' not in read.tags and 'iframe' not in read.tags
    assert len(reported.page) < 5e6


def test_an_incomplete_recording_says_so(tmp_path):
    why = 'the disk is full: 12 messages were lost'
    folder = rich_rollout(tmp_path / 'bag', ticks=60, complete=why, judged=False)
    reported = report(folder)
    assert f'The recording is not known to be complete: {why}.' in Reader(reported.page).text
    assert reported.success is None


def test_a_real_robots_recording_needs_no_task_and_no_overview(tmp_path):
    folder = rich_rollout(tmp_path / 'bag', ticks=120, simulated=False, cameras=('front', 'wrist'), operator=(60, 80),
                          outcome='slipped')
    read = Reader(report(folder).page)
    found = json.loads(read.script('recording'))
    assert 'Failure: slipped.' in read.text and 'judged a failure: slipped' in read.text
    assert [view['camera'] for view in found['film']['views']] == ['front', 'wrist']
    assert found['scene']['post'] is None and 'added up from the measured base velocity' in read.text
    assert 'Operator drives for 0.7 s' in read.text and 'OPERATOR' in [name for name, *_ in found['sources']]


def test_a_recording_without_chunks_or_cameras_is_reported(tmp_path):
    folder = rich_rollout(tmp_path / 'bag', ticks=60, chunks=False, cameras=(), starved=(), rejected=(),
                          simulated=False)
    read = Reader(report(folder).page)
    found = json.loads(read.script('recording'))
    assert 'No action chunk is on record.' in read.text and 'No camera is on record.' in read.text
    assert found['film'] is None and found['plans'] == [] and set(found['chunk']) == {-1}


def test_the_shortest_recording_is_reported(tmp_path):
    reported = report(make_rollout(tmp_path / 'bag', ticks=1))
    assert json.loads(Reader(reported.page).script('recording'))['t'] == [0.0]


def test_the_command_writes_pages_and_an_index(tmp_path, capsys):
    bags = tmp_path / 'bags'
    rich_rollout(bags / 'rollout_001', ticks=90, hit=60)
    rich_rollout(bags / 'rollout_002', ticks=90, success=True, outcome='success', hit=60, starved=(), rejected=())
    assert main(['report', str(bags), '--output', str(tmp_path / 'report'), '--quiet']) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / 'report' / 'index.html')
    assert {path.name for path in (tmp_path / 'report').iterdir()} == {
        'index.html', 'rollout_001.html', 'rollout_002.html'}
    index = Reader((tmp_path / 'report' / 'index.html').read_text())
    low, high = wilson_interval(1, 2)
    assert f'1/2, 50 % ({100 * low:.0f} to {100 * high:.0f} %)' in index.text
    assert index.tags.count('img') == 2 and 'rollout_002.html' in index.references
    page = Reader((tmp_path / 'report' / 'rollout_001.html').read_text())
    assert {'index.html', 'rollout_002.html'} <= set(page.references)


def test_a_bag_that_cannot_be_read_is_named_and_the_others_are_reported(tmp_path, capsys):
    bags = tmp_path / 'bags'
    rich_rollout(bags / 'good', ticks=60)
    (rich_rollout(bags / 'cut', ticks=40) / 'metadata.yaml').unlink()
    assert main(['report', str(bags), '--output', str(tmp_path / 'report')]) == 1
    assert 'kiwi-bags recover' in capsys.readouterr().err
    text = Reader((tmp_path / 'report' / 'index.html').read_text()).text
    assert 'Not reported' in text and 'cut' in text and 'good' in text
    assert (tmp_path / 'report' / 'good.html').exists()


def test_a_folder_without_bags_is_an_error(tmp_path, capsys):
    assert main(['report', str(tmp_path), '--output', str(tmp_path / 'report')]) == 1
    assert str(tmp_path) in capsys.readouterr().err and not (tmp_path / 'report').exists()
