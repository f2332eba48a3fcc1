"""What delivers frames: V4L2 behind a fake cv2.VideoCapture, files, the test picture."""

import os
import time

import cv2
import numpy as np
import pytest
from camera_support import HEIGHT, WIDTH, FakeV4L2, bgr, corners, jpeg

from kiwi_policy.hardware.camera import CameraError, CameraRefusal, FrameSource
from kiwi_policy.hardware.file_camera import FileCamera
from kiwi_policy.hardware.jpeg_bytes import whole_jpeg
from kiwi_policy.hardware.pace import Pace
from kiwi_policy.hardware.synthetic_camera import CORNERS, SyntheticCamera
from kiwi_policy.hardware.v4l2_camera import V4L2Camera, describe_devices, device_path


@pytest.fixture
def device(tmp_path):
    """A link to a device that is always there; without the link the camera is unplugged."""
    link = tmp_path / 'video0'
    link.symlink_to('/dev/null')
    return link


def v4l2(device, fake, **changes):
    return V4L2Camera(str(device), WIDTH, HEIGHT, open_capture=fake.open, **changes)


@pytest.mark.parametrize('source', [V4L2Camera('0'), FileCamera('film.mp4'), SyntheticCamera()])
def test_every_source_fulfils_the_protocol(source):
    assert isinstance(source, FrameSource)


def test_v4l2_asks_for_format_size_rate_and_few_buffers(device):
    fake = FakeV4L2()
    stream = v4l2(device, fake, rate=25.0).open()
    assert fake.opened == [str(device)]
    assert fake.asked == {
        cv2.CAP_PROP_FOURCC: cv2.VideoWriter_fourcc(*'MJPG'), cv2.CAP_PROP_FRAME_WIDTH: WIDTH,
        cv2.CAP_PROP_FRAME_HEIGHT: HEIGHT, cv2.CAP_PROP_FPS: 25.0, cv2.CAP_PROP_BUFFERSIZE: 2,
        cv2.CAP_PROP_CONVERT_RGB: 0}
    assert str(stream) == '64x48 MJPG at 25 Hz' and stream.shortfall == ''


def test_v4l2_delivers_the_cameras_own_jpeg_without_what_follows_it(device):
    fake = FakeV4L2()
    fake.damage = lambda data: data + b'\0' * 100
    source = v4l2(device, fake)
    source.open()
    assert source.read().image == jpeg(bgr(fake.count))


@pytest.mark.parametrize('fake', [FakeV4L2(fourcc='YUYV'), FakeV4L2(raw=False)], ids=['YUYV', 'no raw JPEG'])
def test_v4l2_delivers_pixels_where_there_are_no_jpegs_to_have(device, fake):
    source = v4l2(device, fake)
    source.open()
    assert np.array_equal(source.read().image, bgr(fake.count))


def test_v4l2_says_what_it_got_in_place_of_what_was_asked(device):
    stream = v4l2(device, FakeV4L2(fourcc='YUYV', fps=15.0)).open()
    assert str(stream) == '64x48 YUYV at 15 Hz' and stream.shortfall == 'asked for 64x48 MJPG at 30 Hz'


def test_v4l2_refuses_another_size_and_names_both(device):
    fake = FakeV4L2(size=(32, 24))
    with pytest.raises(CameraRefusal) as error:
        v4l2(device, fake).open()
    assert f'{device} was asked for 64x48 MJPG at 30 Hz and gives 32x24 MJPG at 30 Hz' in str(error.value)
    assert 'before rotation' in str(error.value) and '--list-formats-ext' in str(error.value)
    assert fake.released == 1


def test_v4l2_that_changes_its_size_is_an_error(device):
    fake = FakeV4L2()
    source = v4l2(device, fake)
    source.open()
    fake.size = 32, 24
    with pytest.raises(CameraError, match='delivers 32x24, but said it would deliver 64x48'):
        source.read()


@pytest.mark.parametrize('fault, text', [('silent', 'stopped delivering'), ('broken', 'failed: .*on fire')])
def test_v4l2_that_fails_while_reading_is_an_error(device, fault, text):
    fake = FakeV4L2()
    source = v4l2(device, fake)
    source.open()
    setattr(fake, fault, True)
    with pytest.raises(CameraError, match=text):
        source.read()
    source.close()
    source.close()
    assert fake.released == 1
    with pytest.raises(CameraError, match='not open'):
        source.read()


@pytest.mark.parametrize('damage', [
    lambda data: data[:-2], lambda data: data[len(data) // 2:], lambda data: data[:30], lambda data: b''])
def test_v4l2_frame_that_arrives_damaged_is_none(device, damage):
    fake = FakeV4L2()
    source = v4l2(device, fake)
    source.open()
    fake.damage = damage
    assert source.read() is None
    fake.damage = lambda data: data
    assert source.read() is not None


@pytest.mark.parametrize('age, taken', [(50.0, -0.05), (None, 0.0), (1e9, 0.0), (-5000.0, 0.0)])
def test_v4l2_frames_carry_the_drivers_time_where_it_is_of_our_clock(device, age, taken):
    fake = FakeV4L2()
    fake.clock, fake.stamp_age = lambda: 1000.0, age
    source = v4l2(device, fake, clock=fake.clock)
    source.open()
    assert source.read().captured == pytest.approx(1000.0 + taken)


def test_v4l2_without_a_device_names_those_there_are(tmp_path):
    with pytest.raises(CameraError, match=f'no camera {tmp_path}/video7 .*; present: '):
        V4L2Camera(str(tmp_path / 'video7')).open()


def test_v4l2_that_is_a_file_or_in_use_says_so(tmp_path, device):
    (tmp_path / 'file').write_text('')
    with pytest.raises(CameraError, match='is no device; present:'):
        V4L2Camera(str(tmp_path / 'file')).open()
    with pytest.raises(CameraError, match='cannot open /dev/null: '):
        V4L2Camera('/dev/null').open()
    fake = FakeV4L2()
    fake.broken = True
    with pytest.raises(CameraError, match='in use by another program'):
        v4l2(device, fake).open()
    assert fake.released == 1


@pytest.mark.skipif(os.geteuid() == 0, reason='root may open every device')
def test_v4l2_without_permission_says_which_group():
    with pytest.raises(CameraError, match='no permission to open /dev/mem.*video'):
        V4L2Camera('/dev/mem').open()


def test_devices_are_described_by_the_drivers_names(tmp_path):
    names = tmp_path / 'names'
    (names / 'video0').mkdir(parents=True)
    (names / 'video0' / 'name').write_text('USB Camera: front\n')
    assert describe_devices(tmp_path, names) == f'none in {tmp_path}/video*'
    for number in (10, 0, 2):
        (tmp_path / f'video{number}').write_text('')
    assert describe_devices(tmp_path, names) == (
        f'{tmp_path}/video0 (USB Camera: front), {tmp_path}/video2, {tmp_path}/video10')


def test_a_number_names_a_device():
    assert device_path('2') == device_path(2) == '/dev/video2'
    assert device_path('/dev/v4l/by-id/x') == '/dev/v4l/by-id/x'
    with pytest.raises(ValueError, match='device is empty'):
        device_path('')
    with pytest.raises(ValueError, match="fourcc is 'MJPEG'"):
        V4L2Camera('0', fourcc='MJPEG')


@pytest.fixture
def folder(tmp_path):
    """A folder with two PNGs and a JPEG."""
    made = tmp_path / 'pictures'
    made.mkdir()
    cv2.imwrite(str(made / '1.png'), bgr(1))
    (made / '2.JPG').write_bytes(jpeg(bgr(2)))
    cv2.imwrite(str(made / '3.png'), bgr(3))
    (made / 'notes.txt').write_text('no picture')
    return made


def test_a_folder_is_played_in_order_and_over_and_over(folder):
    source = FileCamera(folder, rate=200.0)
    assert str(source.open()) == '64x48 images at 200 Hz'
    for _ in range(2):
        assert np.array_equal(source.read().image, bgr(1))
        assert source.read().image == jpeg(bgr(2))
        assert np.array_equal(source.read().image, bgr(3))
    source.close()
    source.close()


def test_a_video_is_played_over_and_over(tmp_path):
    path = tmp_path / 'film.avi'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), 30.0, (WIDTH, HEIGHT))
    for number in (0, 8):
        writer.write(bgr(number))
    writer.release()
    source = FileCamera(path, rate=200.0)
    assert str(source.open()) == '64x48 video at 200 Hz'
    shown = [source.read().image for _ in range(4)]
    assert np.array_equal(shown[0], shown[2]) and np.array_equal(shown[1], shown[3])
    for image, number in zip(shown, (0, 8), strict=False):
        assert np.abs(image.astype(int) - bgr(number)).mean() < 3.0
    path.unlink()
    with pytest.raises(CameraError, match='film.avi is gone'):
        source.read()


def test_a_folder_that_goes_and_comes_back(folder):
    source = FileCamera(folder, rate=200.0)
    source.open()
    folder.rename(folder.with_name('away'))
    with pytest.raises(CameraError, match='gone|cannot read'):
        for _ in range(2):
            source.read()
    with pytest.raises(CameraError, match='no file or folder'):
        source.open()
    folder.with_name('away').rename(folder)
    source.open()
    assert np.array_equal(source.read().image, bgr(1))


@pytest.mark.parametrize('content, text', [({}, 'no pictures in'), ({'a.jpg': b'xx'}, 'a.jpg is no picture'),
                                           ({'a.png': b'xx'}, 'a.png is no picture')])
def test_a_folder_without_pictures_is_refused(tmp_path, content, text):
    for name, data in content.items():
        (tmp_path / name).write_bytes(data)
    with pytest.raises(CameraRefusal, match=text):
        FileCamera(tmp_path).open()


def test_a_file_that_is_no_video_is_refused(tmp_path):
    (tmp_path / 'film.mp4').write_text('no film')
    with pytest.raises(CameraRefusal, match='no video that OpenCV can read'):
        FileCamera(tmp_path / 'film.mp4').open()
    with pytest.raises(ValueError, match='device is empty'):
        FileCamera('')


def test_the_test_picture_has_a_colour_per_corner_and_never_repeats():
    source = SyntheticCamera(WIDTH, HEIGHT, 200.0)
    assert str(source.open()) == '64x48 synthetic at 200 Hz'
    frames = [source.read() for _ in range(5)]
    for frame in frames:
        assert frame.image.shape == (HEIGHT, WIDTH, 3)
        assert corners(frame.image[..., ::-1]) == list(CORNERS.values())
        assert frame.captured <= time.monotonic()
    for before, after in zip(frames, frames[1:], strict=False):
        assert not np.array_equal(before.image, after.image) and after.captured > before.captured


def test_the_pace_keeps_to_the_rate_and_does_not_catch_up():
    now = [0.0]
    pace = Pace(10.0, lambda: now[0], lambda seconds: now.__setitem__(0, now[0] + seconds))
    assert [round(pace.wait(), 6) for _ in range(3)] == [0.0, 0.1, 0.2]
    now[0] = 1.0
    assert [round(pace.wait(), 6) for _ in range(3)] == [1.0, 1.0, 1.1]


@pytest.mark.parametrize('options', [[], [cv2.IMWRITE_JPEG_RST_INTERVAL, 1]], ids=['plain', 'restart markers'])
def test_a_whole_jpeg_ends_where_its_picture_ends(options):
    data = cv2.imencode('.jpg', bgr(3), options)[1].tobytes()
    assert whole_jpeg(data + jpeg(bgr(4))) == (data, WIDTH, HEIGHT)
    thumbnail = b'\xff\xe1' + (2 + 4).to_bytes(2) + b'\xff\xd9\xff\xda'
    assert whole_jpeg(data[:2] + thumbnail + data[2:]) == (data[:2] + thumbnail + data[2:], WIDTH, HEIGHT)


def test_no_cut_of_a_jpeg_passes_as_whole():
    data = jpeg(bgr(3))
    assert [length for length in range(len(data)) if whole_jpeg(data[:length]) is not None] == []


def test_a_jpeg_without_huffman_tables_as_cameras_send_them_can_be_decoded():
    data = jpeg(bgr(3))
    at, bare = 2, data[:2]
    while data[at + 1] != 0xDA:
        end = at + 2 + int.from_bytes(data[at + 2:at + 4])
        bare += b'' if data[at + 1] == 0xC4 else data[at:end]
        at = end
    bare += data[at:]
    assert whole_jpeg(bare) == (bare, WIDTH, HEIGHT)
    decoded = [cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_COLOR) for each in (bare, data)]
    assert np.array_equal(*decoded)
