"""From a camera's frame to the picture that is published: turned, resized, encoded or passed through."""

import numpy as np
import pytest
from camera_support import HEIGHT, WIDTH, bgr, corners, jpeg

from kiwi_policy.hardware.jpeg_bytes import whole_jpeg
from kiwi_policy.hardware.picture import ROTATIONS, PictureMaker
from kiwi_policy.hardware.synthetic_camera import CORNERS
from kiwi_policy.nodes.camera_parameters import LEKIWI_ROTATIONS, TABLE
from kiwi_policy.nodes.images import decode_rgb

NAMES = tuple(CORNERS)


@pytest.mark.parametrize('rotation, order, size', [
    ('none', (0, 1, 2, 3), (WIDTH, HEIGHT)), ('cw90', (2, 0, 3, 1), (HEIGHT, WIDTH)),
    ('cw180', (3, 2, 1, 0), (WIDTH, HEIGHT)), ('ccw90', (1, 3, 0, 2), (HEIGHT, WIDTH))])
@pytest.mark.parametrize('image', [bgr(4), jpeg(bgr(4))], ids=['pixels', 'jpeg'])
def test_pictures_are_turned(rotation, order, size, image):
    data, *got = PictureMaker(rotation).jpeg(image)
    assert tuple(got) == size
    pixels = decode_rgb(data)
    assert pixels.shape == (size[1], size[0], 3)
    for shown, index in zip(corners(pixels), order, strict=True):
        assert np.abs(np.subtract(shown, CORNERS[NAMES[index]])).max() < 12


def test_lekiwis_cameras_are_turned_and_sized_as_lerobot_does():
    pytest.importorskip('lerobot')
    from lerobot.cameras.utils import get_cv2_rotation
    from lerobot.robots.lekiwi.config_lekiwi import lekiwi_cameras_config

    defaults = {parameter.name: parameter.default for parameter in TABLE}
    theirs = lekiwi_cameras_config()
    assert set(theirs) == set(LEKIWI_ROTATIONS)
    for name, config in theirs.items():
        assert ROTATIONS[LEKIWI_ROTATIONS[name]] == get_cv2_rotation(config.rotation)
        pixels = np.zeros((defaults['height'], defaults['width'], 3), np.uint8)
        assert PictureMaker(LEKIWI_ROTATIONS[name]).jpeg(pixels)[1:] == (config.width, config.height)
        assert (defaults['fourcc'], defaults['rate']) == (config.fourcc, config.fps)


def test_a_jpeg_that_fits_is_passed_through():
    data = jpeg(bgr(4), quality=70)
    assert PictureMaker(quality=95).jpeg(data + b'\0\0') == (data, WIDTH, HEIGHT)
    assert PictureMaker(size=(WIDTH, HEIGHT)).jpeg(data) == (data, WIDTH, HEIGHT)
    assert PictureMaker(size=(32, 24)).jpeg(data)[0] != data


@pytest.mark.parametrize('size', [(32, 24), (24, 32), (128, 96)])
def test_pictures_are_resized_after_they_are_turned(size):
    data, *got = PictureMaker('cw90', size).jpeg(bgr(4))
    assert tuple(got) == size == whole_jpeg(data)[1:]
    assert np.abs(np.subtract(corners(decode_rgb(data))[1], CORNERS['top left'])).max() < 12


def test_quality_decides_the_number_of_bytes():
    rough, fine = (len(PictureMaker(quality=quality).jpeg(bgr(4))[0]) for quality in (20, 95))
    assert rough < fine


@pytest.mark.parametrize('options, text', [
    ({'rotation': '90'}, "rotation is '90', must be one of none, cw90, cw180, ccw90"),
    ({'size': (0, 5)}, r'size is \(0, 5\)'), ({'quality': 0}, 'quality must lie in 1..100, got 0')])
def test_nonsense_is_refused(options, text):
    with pytest.raises(ValueError, match=text):
        PictureMaker(**options)


def test_bytes_that_are_no_picture_are_an_error():
    with pytest.raises(ValueError, match='no whole JPEG'):
        PictureMaker().jpeg(b'nonsense')
