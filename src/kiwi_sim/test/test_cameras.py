"""Pictures from the camera process."""

import os
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import pytest

from kiwi_sim.camera_wire import CameraSpec
from kiwi_sim.cameras import CameraError, Cameras
from kiwi_sim.jpeg import JpegEncoder
from kiwi_sim.views import Views
from kiwi_sim.world import World

SPECS = (CameraSpec('front', 96, 96), CameraSpec('wrist', 96, 96), CameraSpec('overview', 120, 160))


class Album:
    """Collects frames and faults."""

    def __init__(self):
        self.frames, self.faults = [], []
        self._changed = threading.Condition()

    def on_frame(self, frame):
        with self._changed:
            self.frames.append(frame)
            self._changed.notify_all()

    def on_fault(self, message):
        with self._changed:
            self.faults.append(message)
            self._changed.notify_all()

    def wait(self, condition, seconds=30.0):
        with self._changed:
            assert self._changed.wait_for(condition, seconds)


@pytest.fixture(scope='module')
def world():
    world = World()
    world.reset(11)
    return world


@pytest.fixture
def album(shared):
    shared[0].frames.clear()
    return shared[0]


@pytest.fixture
def cameras(shared):
    return shared[1]


@pytest.fixture(scope='module')
def shared(world):
    album = Album()
    cameras = Cameras(world, SPECS, 95, album.on_frame, album.on_fault)
    cameras.start()
    yield album, cameras
    cameras.stop()
    cameras.stop()


def decoded(jpeg):
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def test_pictures_show_the_state_they_are_stamped_with(world, album, cameras):
    world.command([40.0, -30.0, 20.0, 10.0, 30.0, 60.0, 0.1, 0.0, 20.0])
    world.advance(240)
    cameras.shoot(123, 0b111)
    expected = {}
    for size in ((96, 96), (120, 160)):
        views = Views(world, *size)
        expected[size] = views.render_all(('front', 'wrist') if size == (96, 96) else ('overview',))
        views.close()
    world.reset(12)
    album.wait(lambda: len(album.frames) == 3)
    encoder = JpegEncoder(95)
    for frame in album.frames:
        spec = SPECS[frame.camera]
        picture = expected[spec.height, spec.width][spec.name]
        assert frame.stamp == 123
        assert decoded(frame.jpeg).shape == (spec.height, spec.width, 3)
        difference = decoded(frame.jpeg).astype(int) - decoded(encoder.encode(picture))
        assert np.abs(difference).mean() < 1.0
    assert [frame.last for frame in album.frames] == [False, False, True]


def test_only_the_cameras_asked_for_are_rendered(album, cameras):
    cameras.shoot(1, 0b010)
    album.wait(lambda: album.frames)
    time.sleep(0.1)
    assert [(frame.camera, frame.last) for frame in album.frames] == [(1, True)]


def test_shots_are_skipped_rather_than_queued(album, cameras):
    before = cameras.skipped
    for stamp in range(20):
        cameras.shoot(stamp, 0b001)
    album.wait(lambda: len(album.frames) + cameras.skipped - before >= 20)
    assert cameras.skipped > before


def test_a_dead_process_is_reported(world):
    album = Album()
    cameras = Cameras(world, SPECS[:1], 95, album.on_frame, album.on_fault)
    cameras.start()
    cameras._process.kill()
    album.wait(lambda: album.faults)
    assert 'camera process ended' in album.faults[0]
    cameras.shoot(1, 1)
    cameras.stop()


def test_a_machine_without_opengl_gets_every_reason_and_a_remedy(world):
    album = Album()
    cameras = Cameras(world, SPECS, 95, album.on_frame, album.on_fault, backends=('nonsense', 'disable'))
    with pytest.raises(CameraError, match=r'nonsense: .*disable: .*libegl1.*MUJOCO_GL'):
        cameras.start()
    cameras.stop()
    assert album.faults == []


def test_the_second_backend_is_used_where_the_first_fails(world):
    cameras = Cameras(world, SPECS[:1], 95, print, print, backends=('nonsense', 'egl'))
    cameras.start()
    assert cameras.backend == 'egl'
    cameras.stop()


def test_cv_bridge_and_opencv_give_the_same_bytes():
    pytest.importorskip('cv_bridge')
    picture = np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8)
    through_bridge, direct = JpegEncoder(95), JpegEncoder(95)
    direct._bridge = None
    assert through_bridge._bridge is not None
    assert through_bridge.encode(picture) == direct.encode(picture)
    assert len(JpegEncoder(50).encode(picture)) < len(direct.encode(picture))


def test_jpeg_keeps_the_channels_in_order():
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[..., 0] = 200
    assert decoded(JpegEncoder(95).encode(picture)).mean(axis=(0, 1)) == pytest.approx([200, 0, 0], abs=3)


@pytest.mark.parametrize('quality', [0, 101])
def test_a_wrong_quality_is_named(quality):
    with pytest.raises(ValueError, match=str(quality)):
        JpegEncoder(quality)


def test_the_camera_process_ends_with_its_parent():
    code = (
        'import os, signal\n'
        'from kiwi_sim.camera_wire import CameraSpec\n'
        'from kiwi_sim.cameras import Cameras\n'
        'from kiwi_sim.world import World\n'
        'cameras = Cameras(World(), [CameraSpec("front", 32, 32)], 95, print, print)\n'
        'cameras.start()\n'
        'print(cameras._process.pid, flush=True)\n'
        'os.kill(os.getpid(), signal.SIGKILL)\n'
    )
    environment = os.environ | {'PYTHONPATH': os.pathsep.join(path for path in sys.path if path)}
    parent = subprocess.run(
        [sys.executable, '-c', code], stdout=subprocess.PIPE, env=environment, check=False)
    pid = int(parent.stdout)
    deadline = time.monotonic() + 60.0
    while _runs(pid):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _runs(pid):
    try:
        with open(f'/proc/{pid}/stat') as stat:
            return stat.read().rsplit(')', 1)[1].split()[0] != 'Z'
    except FileNotFoundError:
        return False
