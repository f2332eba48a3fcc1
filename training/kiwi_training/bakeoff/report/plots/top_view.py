"""The scene from above in small multiples: paths of the cube, chunks of the fingertips."""

import math
from dataclasses import dataclass

import numpy as np

from kiwi_training.bakeoff.report.sides import side_of_path
from kiwi_training.report.canvas import sketch
from kiwi_training.report.palette import LIGHT
from kiwi_training.report.simplify import simplify

TOLERANCE = 0.002
"""m by which a drawn path may differ from the true one: a quarter of a point."""
STRANDS = 12
"""Elements that the paths of one colour share: few enough for a small file, enough that density shows."""
PANEL = 1.9
"""Inches."""


@dataclass(frozen=True)
class Frame:
    """What a panel shows of the world.

    Attributes:
        scene: post, post_radius, target, target_radius in m; fields may be None.
        bounds: (x low, x high, y low, y high) in m.
    """

    scene: dict
    bounds: tuple

    @classmethod
    def around(cls, scene, paths):
        """The frame of a scene; of the paths (M, 2) where there is none."""
        if scene['post'] and scene['target']:
            (x, y), target = scene['post'], scene['target']
            return cls(scene, (x - 0.17, target[0] + 0.085, y - 0.155, y + 0.155))
        points = np.concatenate([np.reshape(path, (-1, 2)) for path in paths])
        points = points[np.isfinite(points).all(axis=1)]
        low, high = np.percentile(points, (0.5, 99.5), axis=0)
        margin = 0.1 * max(float((high - low).max()), 0.05)
        return cls(scene, (low[0] - margin, high[0] + margin, low[1] - margin, high[1] + margin))

    @property
    def aspect(self):
        """Height over width as drawn: the robot looks up."""
        low, high, right, left = self.bounds
        return (high - low) / (left - right)


@dataclass(frozen=True)
class Panel:
    """One small picture.

    Attributes:
        title: the head's name.
        strokes: list of (path (S, 2) simplified, side -1 | 0 | 1, failed bool).
        start: (2,) where the strokes begin, marked; None for no mark.
        fault: what failed strokes did.
        crosses: whether failed strokes end in a cross.
    """

    title: str
    strokes: list
    start: tuple | None = None
    fault: str = 'failed'
    crosses: bool = True


def rollouts_panel(title, trace):
    """Panel of a trace with xy (N, T, 2), side (N,), success (N,)."""
    return Panel(title, [(simplify(path, TOLERANCE), int(side), not success)
                         for path, side, success in zip(trace['xy'], trace['side'], trace['success'])])


def chunks_panel(title, trace, scene):
    """Panel of sampled chunks with tips (K, H, 3) and cube (3,); a chunk through the post counts as failed."""
    post, radius = scene['post'] or (math.inf, 0.0), scene['post_radius'] or 0.0
    strokes = []
    for tips in trace['tips'][..., :2]:
        side = side_of_path(tips, post, radius)
        ran_into = side == 0 and bool((tips[:, 0] >= post[0]).any())
        strokes.append((simplify(tips, TOLERANCE), side, ran_into))
    return Panel(title, strokes, tuple(trace['cube'][:2]), 'hit the post', crosses=False)


def draw(panel, frame):
    """SVG of one panel, without its title."""
    foot = 0.24
    height = PANEL * frame.aspect + foot

    def paint(figure):
        axes = figure.add_axes((0.005, foot / height, 0.99, 1 - foot / height - 0.005))
        paint_panel(axes, panel, frame)

    return sketch(PANEL, height, paint, layout=None)


def paint_panel(axes, panel, frame):
    """Draw one panel into axes: the robot's forward is up, its left is left."""
    low, high, right, left = frame.bounds
    axes.set_xlim(-left, -right)
    axes.set_ylim(low, high)
    axes.set_aspect('equal', adjustable='box')
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(LIGHT['rule'])
    _paint_scene(axes, frame.scene)
    fine = 0.9 if len(panel.strokes) < 60 else 0.6
    alpha = min(0.85, max(0.3, 8 / max(len(panel.strokes), 1) ** 0.6))
    for side, colour in ((1, 'left'), (-1, 'right'), (0, 'quiet')):
        _paint_strokes(axes, [path for path, of, bad in panel.strokes if not bad and of == side], LIGHT[colour], fine, alpha)
    failed = [path for path, _, bad in panel.strokes if bad and len(path)]
    strength = 0.8 if len(failed) < 12 else 0.45
    _paint_strokes(axes, failed, LIGHT['ink'], fine, strength)
    if failed and panel.crosses:
        ends = np.array([path[-1] for path in failed])
        axes.plot(-ends[:, 1], ends[:, 0], 'x', ms=3.2, mew=0.9, color=LIGHT['ink'], alpha=min(1.0, strength + 0.2))
    if panel.start is not None:
        axes.plot(-panel.start[1], panel.start[0], 's', ms=5, mfc='none', mec=LIGHT['ink'], mew=1)
    _paint_foot(axes, panel, frame)


def tally(panel):
    """(left, right, failed, without side) of a panel's strokes; the first two without failures."""
    strokes = panel.strokes
    return (sum(side > 0 and not bad for _, side, bad in strokes), sum(side < 0 and not bad for _, side, bad in strokes),
            sum(bad for *_, bad in strokes), sum(side == 0 and not bad for _, side, bad in strokes))


def _paint_scene(axes, scene):
    from matplotlib.patches import Circle

    if scene['target']:
        axes.add_patch(Circle((-scene['target'][1], scene['target'][0]), scene['target_radius'] or 0.03,
                              facecolor=LIGHT['rule'], edgecolor=LIGHT['quiet'], lw=0.6, alpha=0.6))
    if scene['post']:
        axes.add_patch(Circle((-scene['post'][1], scene['post'][0]), scene['post_radius'] or 0.01,
                              facecolor=LIGHT['quiet'], edgecolor=LIGHT['ink'], lw=0.8, zorder=4))


def _paint_strokes(axes, paths, colour, width, alpha):
    slim = [path for path in paths if len(path) > 1]
    bundles = min(STRANDS, len(slim))
    for first in range(bundles):
        bundle = [part for path in slim[first::bundles] for part in (path, np.full((1, 2), np.nan))]
        points = np.concatenate(bundle[:-1])
        axes.plot(-points[:, 1], points[:, 0], color=colour, lw=width, alpha=alpha, solid_joinstyle='round')


def _paint_foot(axes, panel, frame):
    left, right, failed, free = tally(panel)
    parts = [(f'{left} left', 'left', 'left'), (f'{right} right', 'right', 'right')]
    for x, (text, colour, align) in zip((0.0, 1.0), parts):
        axes.annotate(text, (x, 0), (0, -4), xycoords='axes fraction', textcoords='offset points', ha=align, va='top',
                      fontsize=8.8, color=LIGHT[colour])
    if failed or free:
        sign = '× ' if panel.crosses else ''
        text = f'{sign}{failed} {panel.fault}' if failed else f'{free} end before'
        axes.annotate(text, (0.5, 0), (0, -4), xycoords='axes fraction', textcoords='offset points', ha='center',
                      va='top', fontsize=8.8, color=LIGHT['ink'])
    low, _, right_end, _ = frame.bounds
    start = -right_end - 0.1 - 0.012
    axes.plot([start, start + 0.1], [low + 0.012] * 2, color=LIGHT['quiet'], lw=1, solid_capstyle='butt')
    axes.annotate('10 cm', (start + 0.05, low + 0.012), (0, 2), textcoords='offset points', ha='center', va='bottom',
                  fontsize=7, color=LIGHT['quiet'])
