"""What the view writes into a recording, read back from the file."""

import numpy as np
import pytest
from view_support import record, values

from kiwi_policy.core.arm_kinematics import lekiwi
from kiwi_policy.core.features import from_ros, to_ros
from kiwi_policy.core.plan_path import place, tip_path
from kiwi_policy.view import names
from kiwi_policy.view.layout import layout
from kiwi_policy.view.live_view import LiveView

PERIOD = 1.0 / 30.0
START = 1_700_000_000.0
HOME = np.array([0.0, -68.8, 57.3, 68.8, -90.0, 40.0, 0.1, 0.0, 5.0])
JPEG = b'\xff\xd8\xff\xe0 not a picture, but its bytes \xff\xd9'


@pytest.fixture(autouse=True)
def strict(monkeypatch):
    monkeypatch.setenv('RERUN_STRICT', '1')


@pytest.fixture
def viewed(tmp_path):
    """Called with a function of a `LiveView`; returns what was recorded."""
    def run(act, **rates):
        def log(stream):
            view = LiveView(stream, lekiwi(), **rates)
            act(view)
            view.close()

        return record(tmp_path / 'view.rrd', log)

    return run


def ticks(view, count, start=START, step=None):
    for index in range(count):
        measured = HOME + (0 if step is None else index * step)
        view.on_tick(start + index * PERIOD, measured, measured + 1.0)


def test_every_tick_is_plotted_measured_and_commanded(viewed):
    step = np.arange(9) * 0.1
    found = viewed(lambda view: ticks(view, 31, step=step), state_rate=5.0)
    for dimension, entity in enumerate(names.SERIES):
        times, rows = values(found, entity, 'Scalars:scalars')
        np.testing.assert_allclose(times, START + np.arange(31) * PERIOD, atol=1e-5)
        expected = HOME[dimension] + np.arange(31) * step[dimension]
        np.testing.assert_allclose(rows, np.stack([expected, expected + 1.0], axis=1))


def test_the_robot_is_drawn_where_its_joints_are_and_not_more_often_than_asked(viewed):
    found = viewed(lambda view: ticks(view, 61, step=np.eye(9)[0]), state_rate=10.0)
    times, moves = values(found, f'{names.ROBOT}/gripper', 'Transform3D:translation')
    assert len(times) in range(19, 23)
    last = HOME + round((times[-1] - START) / PERIOD) * np.eye(9)[0]
    np.testing.assert_allclose(moves[-1][0], lekiwi().poses(to_ros(last)[0])['gripper'][:3, 3], atol=1e-6)
    assert found[f'{names.ROBOT}/base_link']['Transform3D:translation'][0][0] is None, 'a fixed link is sent once'
    shapes = [entity for entity in found if entity.startswith(names.ROBOT) and entity.count('/') == 3]
    assert len(shapes) == len(lekiwi().shapes)


def test_a_silent_robot_leaves_a_gap_and_stays_where_it_was(viewed):
    def act(view):
        ticks(view, 3)
        view.on_tick(START + 1.0, np.full(9, np.nan), HOME)

    found = viewed(act)
    _, rows = values(found, names.SERIES[0], 'Scalars:scalars')
    assert np.isnan(rows[-1, 0]) and np.isfinite(rows[-1, 1])
    times, _ = values(found, f'{names.ROBOT}/gripper', 'Transform3D:translation')
    assert times.max() < START + 0.5


def chunk(rows=32):
    joints = np.linspace([0.0, -1.2, 1.0, 1.2, -1.57, 0.6], [0.4, -0.5, 0.5, 0.8, 0.0, 0.0], rows)
    return from_ros(joints, np.tile([0.1, 0.0, 0.2], (rows, 1)))


def test_a_chunk_is_drawn_by_kinematics_from_where_the_base_was(viewed):
    base = (1.0, 2.0, 0.5)

    def act(view):
        view.on_world(START, base, (0.1, 0.2, 0.3), (0.4, 0.5, 0.0))
        view.on_world(START + 5.0, (9.0, 9.0, 0.0), (0.1, 0.2, 0.3), (0.4, 0.5, 0.0))
        view.on_chunk(START + 0.1, PERIOD, chunk(), 0.02)

    found = viewed(act)
    _, points = values(found, f'{names.PLAN}/rows', 'Points3D:positions')
    np.testing.assert_allclose(points[0], place(tip_path(chunk(), PERIOD, lekiwi()), base), atol=1e-5)
    _, cubes = values(found, names.CUBE, 'Boxes3D:centers')
    np.testing.assert_allclose(cubes[0][0], (0.1, 0.2, 0.3), atol=1e-6)


def test_rows_are_plotted_ahead_at_the_times_they_are_due(viewed):
    found = viewed(lambda view: view.on_chunk(START, PERIOD, chunk(), 0.02))
    for dimension, entity in enumerate(names.SERIES):
        times, rows = values(found, f'{entity}/plan_0', 'Scalars:scalars')
        np.testing.assert_allclose(times, START + np.arange(33) * PERIOD, atol=1e-5)
        np.testing.assert_allclose(rows[:-1, 0], chunk()[:, dimension])
        assert np.isnan(rows[-1, 0]), 'the next chunk of the slot is not joined to this one'


def test_overlapping_chunks_take_turns_and_no_line_goes_back_in_time(viewed):
    def act(view):
        for index in range(20):
            view.on_chunk(START + 0.25 * index, PERIOD, chunk(), 0.02)

    found = viewed(act)
    starts = set()
    for slot in range(names.PLAN_SLOTS):
        entity = f'{names.SERIES[0]}/plan_{slot}'
        if 'Scalars:scalars' not in found[entity]:
            continue
        times, rows = values(found, entity, 'Scalars:scalars')
        assert len(set(times)) == len(times)
        gaps = np.flatnonzero(np.isnan(rows[:, 0]))
        starts |= {round(time, 3) for time in times[np.concatenate([[0], gaps[:-1] + 1])]}
    assert starts == {round(START + 0.25 * index, 3) for index in range(20)}


def test_a_chunk_that_is_not_finite_is_not_drawn(viewed):
    bad = chunk()
    bad[3, 2] = np.nan
    assert f'{names.PLAN}/rows' not in viewed(lambda view: view.on_chunk(START, PERIOD, bad, 0.02))


def test_pictures_are_passed_on_as_they_are_and_at_a_limited_rate(viewed):
    def act(view):
        for index in range(60):
            if view.wants_image('front', index / 30.0):
                view.on_image(START + index / 30.0, 'front', JPEG)

    found = viewed(act, image_rate=5.0)
    rows = found[f'{names.CAMERA}/front']['EncodedImage:blob']
    assert len(rows) in range(9, 12)
    assert bytes(rows[0][1][0]) == JPEG


def test_the_state_is_a_lane_and_the_status_a_table(viewed):
    def act(view):
        for index, state in enumerate(('WAITING', 'RUNNING', 'RUNNING', 'STARVED')):
            view.on_status(START + index, state, 'why', 'e1', {}, 0, 0.5, [('policy', 'flow'), ('mode', 'latest')])

    found = viewed(act)
    times, states = values(found, names.STATE, 'StateChange:state')
    assert states[:, 0].tolist() == ['WAITING', 'RUNNING', 'STARVED']
    np.testing.assert_allclose(times - START, [0.0, 1.0, 3.0], atol=1e-5)
    _, texts = values(found, names.STATUS, 'TextDocument:text')
    assert texts[-1][0].startswith('### STARVED: why') and '| mode | latest |' in texts[-1][0]
    events = [text[0] for _, text in found[names.EVENTS]['TextLog:text']]
    assert events == ['0.0 s  episode e1 begins', '0.0 s  WAITING: why', '1.0 s  RUNNING: why', '3.0 s  STARVED: why']


def test_the_trail_is_short_and_starts_anew_where_the_world_was_reset(viewed):
    def act(view):
        view.on_world(START, (0.0, 0.0, 0.0), (0, 0, 0), (0, 0, 0))
        ticks(view, 300)
        view.on_world(START + 10.0, (1.0, 0.0, 0.0), (0, 0, 0), (0, 0, 0))
        ticks(view, 4, start=START + 10.0)

    lengths = [len(strip[0]) for _, strip in viewed(act)[names.TRAIL]['LineStrips3D:strips']]
    assert 35 <= max(lengths) <= 45
    assert lengths[-1] < 4


def origins(part):
    """The entities at which a blueprint's views begin."""
    if hasattr(part, 'origin'):
        return [str(part.origin).lstrip('/')]
    return [origin for inner in part.contents for origin in origins(inner)]


@pytest.mark.parametrize('simulated', [False, True])
@pytest.mark.parametrize('cameras', [(), ('front',), ('front', 'wrist', 'overview')])
def test_every_view_of_the_layout_begins_at_an_entity_that_is_drawn(cameras, simulated, viewed):
    def act(view):
        ticks(view, 5)
        view.on_status(START, 'RUNNING', 'why', 'e1', {}, 0, 0.5, [('policy', 'flow')])
        for camera in cameras:
            view.on_image(START, camera, JPEG)

    found, begins = viewed(act), origins(layout(cameras, simulated).root_container)
    assert len(begins) == 13 + len(cameras)
    for origin in begins:
        assert origin in found, origin
