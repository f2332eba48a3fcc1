"""Everything the view shows, from plain values. Times are s of the robot's clock (message stamps)."""

from collections import deque

import numpy as np
import rerun as rr

from kiwi_policy.core.features import to_ros
from kiwi_policy.core.plan_path import place, tip_path
from kiwi_policy.view import names
from kiwi_policy.view.journal import Journal
from kiwi_policy.view.pace import Pace
from kiwi_policy.view.robot_drawing import RobotDrawing
from kiwi_policy.view.series import PlanSeries, TickSeries
from kiwi_policy.view.status_text import status_markdown

_TRAIL_SECONDS = 4.0
_TRAIL_JUMP = 0.1     # m between two drawings, beyond what the robot can do: the simulated world was reset
_BATCH_RATE = 5.0   # Hz at which values of all ticks are sent
_CUBE_HALF, _TARGET_RADIUS = 0.015, 0.035   # m, as in the simulated task
_PLAN_START, _PLAN_END = np.array([80, 230, 120]), np.array([60, 120, 255])


class LiveView:
    """Logs to a recording.

    Args:
        stream: `rerun.RecordingStream`.
        tree: `arm_kinematics.KinematicTree` of the robot.
        state_rate: Hz at which the robot is drawn.
        image_rate: Hz of each camera's pictures.
    """

    def __init__(self, stream, tree, state_rate=10.0, image_rate=10.0):
        self._stream, self._tree = stream, tree
        self._state_pace, self._batch_pace = Pace(state_rate), Pace(_BATCH_RATE)
        self._image_rate, self._image_paces = image_rate, {}
        self.journal = Journal()
        self._robot = RobotDrawing(stream, tree)
        self._ticks, self._plans = TickSeries(stream), PlanSeries(stream)
        self._bases = deque(maxlen=50)      # (s, (3,)) ground truth, in simulation
        self._trail = deque()               # (s, (3,)) fingertip in the world
        self._last_plan = self._state = self._began = None
        stream.log(names.TIMING, rr.SeriesLines(names=['plan left', 'latency'], widths=[1.5, 1.5],
                                                colors=[names.PLANNED, names.COMMANDED]), static=True)
        stream.log(names.STATE, rr.StateConfiguration(
            values=list(names.STATE_COLOURS), labels=list(names.STATE_COLOURS),
            colors=list(names.STATE_COLOURS.values())), static=True)
        self._latency = float('nan')

    def on_tick(self, time, measured, command):
        """A control tick: (9,) measured (NaN where the robot was silent) and commanded, LeRobot's units."""
        self._ticks.add(time, measured, command)
        if self._batch_pace.allows(time):
            self._ticks.send()
        if not np.all(np.isfinite(measured)) or not self._state_pace.allows(time):
            return
        positions, _ = to_ros(measured)
        self._at(time)
        tip = place(self._robot.draw(positions), self._base(time))
        if self._trail and np.linalg.norm(tip - self._trail[-1][1]) > _TRAIL_JUMP:
            self._trail.clear()
        self._trail.append((time, tip))
        while self._trail[0][0] < time - _TRAIL_SECONDS or self._trail[0][0] > time:
            self._trail.popleft()
        self._stream.log(names.TRAIL, rr.LineStrips3D([np.array([tip for _, tip in self._trail])], radii=0.0015,
                                                      colors=[names.COMMANDED]))

    def on_chunk(self, time, period, actions, latency):
        """A chunk (H, 9), in LeRobot's units, its first row due at `time`, `latency` s in the making."""
        actions = np.asarray(actions, dtype=float)
        if not np.all(np.isfinite(actions)):
            return
        self._latency = latency
        self._plans.add(time, period, actions)
        path = place(tip_path(actions, period, self._tree), self._base(time))
        self._at(time)
        if self._last_plan is not None:
            self._stream.log(f'{names.PLAN}/previous', rr.LineStrips3D(
                [self._last_plan], radii=0.001, colors=[(90, 110, 100)]))
        share = np.linspace(0.0, 1.0, len(path))[:, None]
        colours = np.round((1.0 - share) * _PLAN_START + share * _PLAN_END).astype(np.uint8)
        self._stream.log(f'{names.PLAN}/newest', rr.LineStrips3D(
            np.stack([path[:-1], path[1:]], axis=1), radii=0.0025, colors=colours[:-1]))
        self._stream.log(f'{names.PLAN}/rows', rr.Points3D(path, radii=0.0045, colors=colours))
        self._last_plan = path

    def on_image(self, time, camera, jpeg):
        """A picture of a camera as JPEG bytes."""
        self._at(time)
        self._stream.log(f'{names.CAMERA}/{camera}', rr.EncodedImage(contents=jpeg, media_type='image/jpeg'))

    def wants_image(self, camera, now):
        """Whether the camera's next picture is due at `now` s."""
        return self._image_paces.setdefault(camera, Pace(self._image_rate)).allows(now)

    def on_status(self, time, state, reason, episode, rejects, underruns, queue, rows):
        """A status of the executor; as `Journal.on_status`, and what is left of the plan in s, (name, text) rows."""
        self.tell(time, self.journal.on_status(state, reason, episode, rejects, underruns))
        self._at(time)
        text = status_markdown(state, reason, rows)
        self._stream.log(names.STATUS, rr.TextDocument(text, media_type='text/markdown'))
        self._stream.log(names.TIMING, rr.Scalars([queue, self._latency]))
        if state != self._state:
            self._stream.log(names.STATE, rr.StateChange(state=state))
            self._state = state

    def on_world(self, time, base, cube, target):
        """Ground truth of a simulation: base (3,) in m, m, rad; cube and target (3,) in m."""
        if self._bases and time < self._bases[-1][0]:
            self._bases.clear()
        self._bases.append((time, np.array(base)))
        self._at(time)
        self._robot.place(base)
        self._stream.log(names.CUBE, rr.Boxes3D(half_sizes=[[_CUBE_HALF] * 3], centers=[cube], fill_mode='solid',
                                                colors=[(26, 191, 51)]))
        self._stream.log(names.TARGET, rr.Cylinders3D(radii=[_TARGET_RADIUS], lengths=[0.002], centers=[target],
                                                      fill_mode='solid', colors=[(26, 77, 230)]))

    def tell(self, time, events):
        """Log (level, text) events, each with the s since the first one."""
        for level, text in events:
            self._began = time if self._began is None else self._began
            self._at(time)
            self._stream.log(names.EVENTS, rr.TextLog(f'{max(time - self._began, 0.0):.1f} s  {text}', level=level))

    def close(self):
        """Send what waits."""
        self._ticks.send()

    def _at(self, time):
        self._stream.set_time(names.TIMELINE, timestamp=time)

    def _base(self, time):
        """The base's pose (3,) nearest to a time; the origin where nobody knows it."""
        if not self._bases:
            return np.zeros(3)
        return min(self._bases, key=lambda entry: abs(entry[0] - time))[1]
