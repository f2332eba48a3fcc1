"""The parts of `kiwi-bags report`: dead reckoning, spans, names of pages, sentences."""

from pathlib import Path

import numpy as np
import pytest
from bag_report_fixture import rich_rollout
from kiwi_training.bags.reader import Bag
from kiwi_training.bags.report.command import page_names
from kiwi_training.bags.report.events import events, missed_events, spans
from kiwi_training.bags.report.figures import figures
from kiwi_training.bags.report.film import LARGEST, FilmError, Reel, make_film
from kiwi_training.bags.report.material import Material
from kiwi_training.bags.report.scene import dead_reckoning
from kiwi_training.bags.report.story import headline, story
from kiwi_training.bags.rollout import RecordedRollout

from kiwi_policy.nodes.images import encode_rgb


def material_of(folder, **options):
    return Material(RecordedRollout.load(Bag(rich_rollout(folder, **options))))


def test_a_circle_of_constant_speed_closes():
    seconds = np.arange(0, 4.0005, 0.001)
    path = dead_reckoning(np.tile([0.2, 0.0, 90.0], (len(seconds), 1)), seconds)
    radius = 0.2 / (np.pi / 2)
    assert path[-1] == pytest.approx([0, 0, 2 * np.pi], abs=2e-3)
    assert np.hypot(path[:, 0], path[:, 1] - radius) == pytest.approx(np.full(len(path), radius), abs=1e-3)


def test_sideways_is_to_the_left_and_unknown_speed_is_rest():
    velocity = np.array([[0, 0.1, 0]] * 11 + [[np.nan] * 3] * 5, dtype=float)
    path = dead_reckoning(velocity, np.arange(16) * 0.1)
    assert path[-1] == pytest.approx([0, 0.1, 0])


def test_spans_of_flags():
    seconds = np.arange(6) * 0.1
    found = spans([True, False, True, True, False, True], seconds, 0.1)
    assert [value for span in found for value in span] == pytest.approx([0, 0.1, 0.2, 0.4, 0.5, 0.6])
    assert spans([False] * 6, seconds, 0.1) == []


def test_missed_ticks_are_counted():
    found = missed_events(np.array([0.0, 0.1, 0.2, 0.5, 0.6, 0.8]), 0.1)
    assert [(event.seconds, event.text.partition(' (')[0]) for event in found] == [
        (0.2, '2 control ticks missed'), (0.6, '1 control tick missed')]


def test_pages_of_bags_with_one_name_are_told_apart():
    names = page_names([Path('/a/run1/bags/rollout_001'), Path('/a/run2/bags/rollout_001'), Path('/b/index')])
    assert list(names.values()) == ['run1-bags-rollout_001.html', 'run2-bags-rollout_001.html', 'b-index.html']
    assert page_names([Path('/a/index')]) == {Path('/a/index'): 'index-2.html'}
    assert list(page_names([Path('/a/<b> "c"')]).values()) == ['_b___c_.html']


def test_a_rollout_that_went_well_says_so(tmp_path):
    material = material_of(tmp_path / 'bag', ticks=300, success=True, outcome='success', starved=(), rejected=(),
                           missed=())
    said = headline(material)
    assert said.text == 'Success: cube at rest on the disc at 8.7 s.' and said.level == 'good'
    texts = [point.text for point in story(material, figures(material), events(material))]
    assert 'No starvation: there was always an action to execute.' in texts and 'No chunk was rejected.' in texts
    assert not any('did not happen' in text for text in texts)


def test_a_timeout_says_how_far_the_cube_came(tmp_path):
    carried = material_of(tmp_path / 'carried', ticks=150, outcome='timeout', hit=1000)
    assert headline(carried).text.startswith('Failure: time ran out at 5.0 s, the cube was lifted and ended ')
    left = material_of(tmp_path / 'left', ticks=60, outcome='timeout', hit=1000)
    assert headline(left).text == ('Failure: time ran out at 2.0 s, the cube was never lifted and lies 22 cm from the '
                                   'disc.')


def test_the_worst_is_said_before_the_rest(tmp_path):
    material = material_of(tmp_path / 'bag', ticks=300)
    levels = [point.level for point in story(material, figures(material), events(material))]
    order = ['bad', 'warn', 'note', 'good']
    after_the_task = [order.index(level) for level in levels[2:]]
    assert after_the_task == sorted(after_the_task)


def test_pictures_are_handed_out_by_time_and_bad_ones_are_counted():
    def picture(value):
        return encode_rgb(np.full((600, 800, 3), value, np.uint8))

    reel = Reel('front', [(0.1, b'no picture'), (0.2, picture(50)), (0.3, picture(100)), (0.4, b'no picture')])
    assert reel.size == LARGEST and reel.at(0.15)[0] is None
    shown, age = reel.at(0.25)
    assert abs(int(shown.mean()) - 50) <= 2 and age == pytest.approx(0.05)
    assert shown.shape == (LARGEST[1], LARGEST[0], 3)
    shown, age = reel.at(0.6)
    assert abs(int(shown.mean()) - 100) <= 2 and age == pytest.approx(0.3)
    assert reel.unreadable == 2


def test_no_film_without_a_readable_picture():
    assert make_film(['front'], lambda camera: [(0.0, b'no picture')], np.arange(3) / 30) is None
    with pytest.raises(FilmError, match='the disk went away'):
        make_film(['front'], lambda camera: _broken(), np.arange(3) / 30)


def _broken():
    yield 0.0, encode_rgb(np.zeros((16, 16, 3), np.uint8))
    raise OSError('the disk went away')


def test_a_long_recording_shows_every_second_tick(monkeypatch):
    monkeypatch.setattr('kiwi_training.bags.report.film.MOST_FRAMES', 30)
    still = encode_rgb(np.zeros((16, 16, 3), np.uint8))
    film = make_film(['front'], lambda camera: [(0.0, still)], np.arange(50) / 30)
    assert film.ticks.tolist() == list(range(0, 50, 2)) and film.rate == 15
