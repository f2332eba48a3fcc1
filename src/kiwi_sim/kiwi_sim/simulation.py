"""The LeKiwi simulated in real time: physics, servo bus and cameras side by side. Knows nothing of ROS."""

import threading
import time
from dataclasses import dataclass

from kiwi_sim.camera_wire import CameraSpec
from kiwi_sim.cameras import Cameras
from kiwi_sim.realtime import Pacer, RateMeter
from kiwi_sim.servo_bus import ServoBus
from kiwi_sim.wire_time import WireTime
from kiwi_sim.world import World
from kiwi_sim.world_servos import WorldServos

BATCH_HZ = 240.0
"""How often the physics catches up with the clock: the age of what the bus reports stays below 5 ms."""


@dataclass(frozen=True)
class CameraPlan:
    """A camera and how often it takes pictures.

    Attributes:
        spec: `CameraSpec`.
        rate: Hz.
    """

    spec: CameraSpec
    rate: float


class _Shutter:
    """When a camera is due. A missed picture is skipped and the rhythm kept."""

    def __init__(self, rate, now):
        self._period = 1.0 / rate
        self._next = now

    def due(self, now):
        if now < self._next:
            return False
        self._next += self._period
        if self._next <= now:
            self._next = now + self._period
        return True


class Simulation:
    """A LeKiwi that lives in real time from `start` to `stop`.

    Args:
        plans: `CameraPlan`s; may be empty.
        on_frame: called with (camera name, `Frame`) in the cameras' thread.
        on_fault: called with a message when the simulation cannot go on.
        wire: WireTime of the bus.
        link: path of the link to the bus's device.
        quality: JPEG quality.
        seed: seed of the first episode.
        backends: values of MUJOCO_GL to try, see `Cameras`.
        servos: makes the ServoBackend of the World.
        spread: scatter of the first start, see `World.reset`.
    """

    def __init__(self, plans, on_frame, on_fault, wire=None, link=None, quality=95, seed=0, backends=None,
                 servos=WorldServos, spread=1.0):
        self._plans = tuple(plans)
        self._on_frame = on_frame
        self._on_fault = on_fault
        self.world = World()
        self.world.reset(seed, spread)
        calibration = list(self.world.units.calibration.values())
        self.bus = ServoBus(servos(self.world), calibration, wire or WireTime(), link=link)
        self.cameras = None
        if self._plans:
            specs = [plan.spec for plan in self._plans]
            self.cameras = Cameras(self.world, specs, quality, self._frame, on_fault, backends)
        self._period = self.world.model.opt.timestep
        self._pacer = None
        self._progress = RateMeter()
        self._frames = [RateMeter() for _ in self._plans]
        self._meters = threading.Lock()
        self._newest = threading.Condition()
        self._stamps = [0] * len(self._plans)
        self._stopping = threading.Event()
        self._thread = None

    def start(self):
        """Bring up cameras, bus and physics.

        Raises:
            CameraError: nothing can be rendered here.
            FileExistsError: the link is taken.
        """
        try:
            if self.cameras is not None:
                self.cameras.start()
            self.bus.start()
        except Exception:
            self.stop()
            raise
        self._thread = threading.Thread(target=self._run, name='physics', daemon=True)
        self._thread.start()

    def stop(self):
        """Stop everything and remove the link. May be called twice."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.bus.stop()
        if self.cameras is not None:
            self.cameras.stop()

    def reset(self, seed, timeout=5.0, cameras=None, spread=1.0):
        """Start the episode of a seed: joints placed, goals where the joints are, wheels at rest.

        Args:
            seed: of the episode.
            timeout: s.
            cameras: names of those that are waited for, where they are in use; default: all.
            spread: scatter of the start, see `World.reset`.

        Returns:
            True once these cameras have shown the new episode, False when that took longer than
            `timeout` s.
        """
        awaited = [index for index, plan in enumerate(self._plans) if cameras is None or plan.spec.name in cameras]
        with self.world.lock:
            self.world.reset(seed, spread)
            self.bus.bank.reset_goals()
            stamp = time.time_ns()
        with self._newest:
            return self._newest.wait_for(lambda: all(self._stamps[index] >= stamp for index in awaited), timeout)

    @property
    def lost(self):
        """s that the simulation has fallen behind the clock for good, in pauses of the machine."""
        return self._pacer.lost if self._pacer is not None else 0.0

    def realtime_factor(self):
        """Simulated s per s over the last second."""
        with self._meters:
            return self._progress.rate(time.monotonic())

    def camera_rates(self):
        """Pictures per s over the last second, by camera name."""
        now = time.monotonic()
        with self._meters:
            return {plan.spec.name: meter.rate(now) for plan, meter in zip(self._plans, self._frames)}

    def _run(self):
        try:
            self._keep_pace()
        except Exception as error:
            self._on_fault(f'the physics stopped: {error!r}')

    def _keep_pace(self):
        now = time.monotonic()
        pacer = self._pacer = Pacer(self._period, now)
        shutters = [_Shutter(plan.rate, now) for plan in self._plans]
        while not self._stopping.is_set():
            now = time.monotonic()
            steps = pacer.due(now)
            if steps:
                self.world.advance(steps)
                with self._meters:
                    self._progress.add(now, steps * self._period)
            if steps < pacer.max_steps:
                self._shoot(shutters, now)
                time.sleep(max(0.0, now + 1.0 / BATCH_HZ - time.monotonic()))

    def _shoot(self, shutters, now):
        mask = sum(1 << index for index, shutter in enumerate(shutters) if shutter.due(now))
        if mask:
            self.cameras.shoot(time.time_ns(), mask)

    def _frame(self, frame):
        with self._meters:
            self._frames[frame.camera].add(time.monotonic())
        self._on_frame(self._plans[frame.camera].spec.name, frame)
        with self._newest:
            self._stamps[frame.camera] = frame.stamp
            self._newest.notify_all()
