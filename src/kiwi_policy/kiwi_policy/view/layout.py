"""How the view is laid out: robot and plan, cameras, values over time, state and events."""

import rerun as rr
import rerun.blueprint as rrb

from kiwi_policy.core.features import NAMES, UNITS
from kiwi_policy.view import names

SECONDS_BEFORE, SECONDS_AFTER = 8.0, 1.5
"""s of the values shown before and after the cursor, which follows the newest row planned."""

_EYE_ON_TASK = (0.62, -0.42, 0.36), (0.21, 0.0, 0.09)   # position and target in m
_EYE_ON_ROBOT = (0.6, -0.5, 0.45), (0.08, 0.0, 0.13)


def layout(cameras, simulated=False):
    """The blueprint.

    Args:
        cameras: their names.
        simulated: look at the simulated task rather than at the robot alone.
    """
    window = rrb.VisibleTimeRange(names.TIMELINE, start=rrb.TimeRangeBoundary.cursor_relative(seconds=-SECONDS_BEFORE),
                                  end=rrb.TimeRangeBoundary.cursor_relative(seconds=SECONDS_AFTER))
    axis = rrb.TimeAxis(view_range=rr.TimeRange(
        start=rrb.TimeRangeBoundary.cursor_relative(seconds=-SECONDS_BEFORE),
        end=rrb.TimeRangeBoundary.cursor_relative(seconds=SECONDS_AFTER)))

    def plot(entity, name):
        return rrb.TimeSeriesView(origin=f'/{entity}', name=name, time_ranges=[window], axis_x=axis,
                                  plot_legend=rrb.PlotLegend(visible=False))

    plots = [plot(entity, f'{name.removeprefix("arm_").removesuffix(".pos")} [{"%" if unit == "percent" else unit}]')
             for entity, name, unit in zip(names.SERIES, NAMES, UNITS, strict=True)]
    position, target = _EYE_ON_TASK if simulated else _EYE_ON_ROBOT
    scene = rrb.Spatial3DView(
        origin=f'/{names.WORLD}', name='Fingertip: planned green to blue, gone orange', background=[24, 27, 31],
        eye_controls=rrb.EyeControls3D(position=position, look_target=target, eye_up=(0.0, 0.0, 1.0)))
    pictures = [rrb.Spatial2DView(origin=f'/{names.CAMERA}/{camera}', name=camera.capitalize()) for camera in cameras]
    events = rrb.TextLogView(origin=f'/{names.EVENTS}', name='Events', columns=rrb.TextLogColumns(
        timeline_columns=[rrb.datatypes.TimelineColumn(names.TIMELINE, visible=False)],
        text_log_columns=['LogLevel', 'Body']))
    return rrb.Blueprint(
        rrb.Horizontal(
            rrb.Vertical(scene, rrb.Horizontal(*pictures), row_shares=[2.4, 1.0]) if pictures else scene,
            rrb.Grid(*plots, plot(names.TIMING, 'plan left, latency [s]'), grid_columns=2),
            rrb.Vertical(rrb.TextDocumentView(origin=f'/{names.STATUS}', name='Executor'), events,
                         row_shares=[1.15, 1.0]),
            column_shares=[1.45, 1.35, 1.05]),
        rrb.TimePanel(state='collapsed', timeline=names.TIMELINE, play_state='following'),
        rrb.BlueprintPanel(state='hidden'), rrb.SelectionPanel(state='hidden'), auto_views=False, auto_layout=False)
