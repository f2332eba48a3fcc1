"""LeRobot's own LeKiwi driver, unmodified, on the emulated bus with the physics behind it."""

import shutil
import threading
import time

import numpy as np
import pytest

from kiwi_policy.core import features
from kiwi_sim.servo_bus import ServoBus
from kiwi_sim.servos import CALIBRATION_PATH, load_calibration
from kiwi_sim.wire_time import WireTime
from kiwi_sim.world import World
from kiwi_sim.world_servos import WorldServos


PATIENCE_MS = 2000.0
"""How long the driver waits for a reply: driver, bus and physics share one interpreter here."""


class Pacer:
    """Advances a world in a thread, as fast as it is told to."""

    def __init__(self, world):
        self._world = world
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(1 / 240):
            self._world.advance(2)

    def stop(self):
        self._stop.set()
        self._thread.join()


def wait_for(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, 'the condition was not met in time'
        time.sleep(0.02)


@pytest.fixture
def world():
    world = World()
    world.reset(3)
    return world


@pytest.fixture
def bus(world):
    with ServoBus(WorldServos(world), list(load_calibration().values()), WireTime(enabled=False)) as bus:
        yield bus


@pytest.fixture
def robot(world, bus, tmp_path):
    from lerobot.robots.lekiwi import LeKiwi, LeKiwiConfig

    shutil.copy(CALIBRATION_PATH, tmp_path / 'sim.json')
    config = LeKiwiConfig(port=bus.path, id='sim', calibration_dir=tmp_path, cameras={})
    robot = LeKiwi(config)
    handler = robot.bus.port_handler
    handler.setPacketTimeout = lambda _: handler.setPacketTimeoutMillis(PATIENCE_MS)
    pacer = Pacer(world)
    robot.connect()
    yield robot
    robot.disconnect()
    pacer.stop()


def action(values):
    return dict(zip(features.NAMES, values))


def test_it_connects_calibrated_and_reads_what_the_world_reports(world, bus, robot):
    assert robot.is_calibrated
    world.reset(5)
    bus.bank.reset_goals()
    expected = world.state()
    observation = robot.get_observation()
    measured = np.array([observation[name] for name in features.NAMES])
    assert np.abs(measured - expected).max() < 1.0
    assert not np.allclose(expected[:6], 0.0, atol=20.0)


def test_the_arm_reaches_its_goal(world, robot):
    goal = np.array([20.0, -40.0, 50.0, 60.0, -80.0, 70.0, 0.0, 0.0, 0.0])
    robot.send_action(action(goal))
    wait_for(lambda: np.abs(world.state() - goal)[:6].max() < 2.0)
    observation = robot.get_observation()
    assert np.abs([observation[name] for name in features.NAMES[:6]] - goal[:6]).max() < 2.0


def test_the_wheels_drive_the_base_by_velocity_times_time(world, robot):
    hold = robot.get_observation()
    arm = [hold[name] for name in features.NAMES[:6]]
    start, begun = world.base_pose(), world.time
    robot.send_action(action([*arm, 0.1, 0.0, 0.0]))
    wait_for(lambda: world.time - begun > 1.0)
    moving = robot.get_observation()
    robot.send_action(action([*arm, 0.0, 0.0, 0.0]))
    stop = world.time
    wait_for(lambda: np.abs(world.body_velocity()).max() < 1e-3)
    heading = start[2]
    moved = world.base_pose()[:2] - start[:2]
    forward = moved @ [np.cos(heading), np.sin(heading)]
    assert moving['x.vel'] == pytest.approx(0.1, abs=0.01)
    assert forward == pytest.approx(0.1 * (stop - begun), rel=0.15)
    assert abs(moved @ [-np.sin(heading), np.cos(heading)]) < 0.01


def test_a_limp_arm_falls_and_the_registers_show_it(world, robot):
    before = robot.bus.read('Present_Position', 'arm_elbow_flex', normalize=False)
    assert robot.bus.read('Present_Load', 'arm_elbow_flex') != 0
    robot.bus.disable_torque()
    wait_for(lambda: abs(robot.bus.read('Present_Position', 'arm_elbow_flex', normalize=False) - before) > 50)
    assert robot.bus.read('Present_Load', 'arm_elbow_flex') == 0
    assert 110 <= robot.bus.read('Present_Voltage', 'arm_elbow_flex') <= 120
    assert robot.bus.read('Present_Temperature', 'arm_elbow_flex') == 25
