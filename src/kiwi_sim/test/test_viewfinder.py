"""The simulation's cameras as LeRobot's host finds and uses them."""

import threading

import cv2
import numpy as np
import pytest

pytest.importorskip('lerobot')
from lerobot.cameras import make_cameras_from_configs  # noqa: E402

from kiwi_sim.viewfinder import Pictures, Viewfinder, ViewfinderConfig  # noqa: E402


def jpeg(colour):
    bgr = np.full((48, 64, 3), colour[::-1], np.uint8)
    return cv2.imencode('.jpg', bgr)[1].tobytes()


@pytest.fixture
def pictures():
    return Pictures({'front': jpeg((200, 30, 20))})


@pytest.fixture
def camera(pictures):
    configs = {'front': ViewfinderConfig(pictures=pictures, name='front', fps=30, width=64, height=48)}
    return make_cameras_from_configs(configs)['front']


def test_lerobot_finds_the_class_and_gets_rgb(camera, pictures):
    assert isinstance(camera, Viewfinder) and camera.is_connected
    camera.connect()
    shown = camera.read_latest()
    assert shown.shape == (48, 64, 3)
    assert np.abs(shown.reshape(-1, 3).mean(axis=0) - (200, 30, 20)).max() < 8
    pictures.newest['front'] = jpeg((20, 40, 210))
    assert camera.read_latest()[0, 0, 2] > 190


def test_a_camera_without_a_picture_is_not_connected(pictures):
    camera = Viewfinder(ViewfinderConfig(pictures=pictures, name='wrist', fps=30, width=64, height=48))
    assert not camera.is_connected
    pictures.newest['wrist'] = jpeg((0, 0, 0))
    assert camera.is_connected


def test_the_end_comes_as_an_interrupt_at_the_next_look(camera, pictures):
    assert isinstance(pictures.over, threading.Event)
    pictures.over.set()
    with pytest.raises(KeyboardInterrupt):
        camera.read_latest()
