"""What the report's plots are drawn with: paths, sides, labels, colours, SVG."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from kiwi_training.bakeoff.report.labels import Label, place_labels, spread
from kiwi_training.bakeoff.report.sides import clearance, side_of_path
from kiwi_training.report import palette
from kiwi_training.report.canvas import inline, montage, sketch
from kiwi_training.report.simplify import simplify


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 60), st.integers(0, 10**6), st.floats(1e-4, 0.2))
def test_a_simplified_path_stays_within_its_tolerance(length, seed, tolerance):
    path = np.cumsum(np.random.default_rng(seed).normal(0, 0.05, (length, 2)), axis=0)
    slim = simplify(path, tolerance)
    assert len(slim) <= len(path) and (slim[[0, -1]] == path[[0, -1]]).all()
    assert all(clearance(slim, point) <= tolerance + 1e-9 for point in path)


def test_simplifying_keeps_corners_drops_the_rest_and_ends_at_a_gap():
    line = np.stack([np.linspace(0, 1, 50), np.abs(np.linspace(-1, 1, 50))], axis=1)
    assert len(simplify(line, 0.02)) <= 4
    broken = np.array([[0, 0], [1, 0], [np.nan, np.nan], [9, 9]])
    assert simplify(broken, 0.1).tolist() == [[0, 0], [1, 0]]
    assert len(simplify(np.full((4, 2), np.nan), 0.1)) == 0


def test_the_side_of_a_path():
    post, radius = (0.4, 0.0), 0.02
    assert side_of_path([[0.2, 0.0], [0.4, 0.1], [0.5, 0.0]], post, radius) == 1
    assert side_of_path([[0.2, 0.0], [0.4, -0.1], [0.5, 0.0]], post, radius) == -1
    assert side_of_path([[0.2, 0.0], [0.6, 0.01]], post, radius) == 0
    assert side_of_path([[0.2, 0.1], [0.3, 0.1]], post, radius) == 0


def test_labels_of_crowded_points_do_not_cover_each_other():
    from matplotlib.text import Text

    boxes = []

    def paint(figure):
        axes = figure.subplots()
        axes.set_xlim(0, 10)
        axes.set_ylim(0, 10)
        place_labels(axes, [Label(5 + 0.05 * i, 9 + 0.05 * i, 8.5, 9.5, f'head {i} of some length', '#000000')
                            for i in range(9)])
        figure.draw_without_rendering()
        renderer = figure.canvas.get_renderer()
        boxes.extend(Text.get_window_extent(text, renderer).padded(-1) for text in axes.texts)

    sketch(8, 4.5, paint)
    assert len(boxes) == 9
    assert not any(a.overlaps(b) for index, a in enumerate(boxes) for b in boxes[index + 1:])


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8))
def test_spread_keeps_order_and_distance(positions):
    moved = spread(positions, 3.0)
    order = np.argsort(positions, kind='stable')
    assert (np.diff(moved[order]) >= 3.0 - 0.1).all()
    assert abs(moved.mean() - np.mean(positions)) < 1e-6


def test_coordinates_are_rounded_and_texts_are_not():
    svg = sketch(3, 2, lambda figure: figure.subplots().set_title('0.12345 & #0072b2'))
    assert '0.12345 &amp; #0072b2' in svg
    assert not re.search(r' d="[^"]*\.\d\d', svg)
    assert '0.12345 &amp; #0072b2' in inline(svg, 'a plot', 'x')


def test_panels_side_by_side_keep_their_references():
    svg = sketch(2, 2, lambda figure: figure.subplots().plot([0, 1], [0, 1], 'x'))
    both = montage([('<one>', svg), ('two', svg), ('three', svg)], 2)
    root = ElementTree.fromstring(both)
    ids = [element.get('id') for element in root.iter() if element.get('id')]
    assert len(set(ids)) == len(ids) and '&lt;one&gt;' in both
    assert {name for name in re.findall(r'(?:url\(|href=")#(.*?)[)"]', both)} <= set(ids)


def test_colours_can_be_told_from_the_paper():
    for colours in (palette.LIGHT, palette.DARK):
        assert len(set(colours.values())) == len(colours)
        for name in set(colours) - {'paper', 'rule'}:
            assert contrast(colours[name], colours['paper']) >= 3.0, name
        assert contrast(colours['ink'], colours['paper']) >= 7.0


def contrast(a, b):
    def luminance(colour):
        parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)
