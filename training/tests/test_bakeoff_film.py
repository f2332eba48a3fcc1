import io

import numpy as np
import pytest
from kiwi_training.bakeoff.film import Film, find_encoder
from kiwi_training.bakeoff.report.poster import poster

av = pytest.importorskip('av')


class Scene:
    """Renders a bright square that moves right by two pixels per call."""

    def __init__(self):
        self.views = []

    def render_view(self, camera, height, width):
        self.views.append((camera, height, width))
        picture = np.full((height, width, 3), 30, np.uint8)
        left = 2 * len(self.views)
        picture[8:24, left:left + 16] = (220, 40, 40)
        return picture


def decode(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.codec_context.name, stream.pix_fmt, float(stream.average_rate), [
            frame.to_ndarray(format='rgb24') for frame in container.decode(stream)]


def film(path, ticks=30, **options):
    scene = Scene()
    with Film(path, height=64, width=96, **options) as recorder:
        for _ in range(ticks):
            recorder(scene)
    return scene


def test_a_film_holds_a_frame_per_control_period_and_shows_what_the_env_rendered(tmp_path):
    scene = film(tmp_path / 'a.mp4')
    codec, pixels, rate, frames = decode(tmp_path / 'a.mp4')
    assert (codec, pixels, rate, len(frames)) == ('h264', 'yuv420p', 30.0, 30)
    assert set(scene.views) == {('overview', 64, 96)}
    for index in (3, 27):
        bright = np.flatnonzero(frames[index][16, :, 0] > 120)
        assert abs(bright.min() - 2 * (index + 1)) <= 2 and abs(bright.max() - 2 * (index + 1) - 15) <= 2


def test_it_can_start_to_play_before_it_is_loaded(tmp_path):
    film(tmp_path / 'a.mp4')
    content = (tmp_path / 'a.mp4').read_bytes()
    assert content.index(b'moov') < content.index(b'mdat')


@pytest.mark.parametrize('options, frames', [
    ({'fps': 15}, 15), ({'fps': 10, 'speed': 2}, 5), ({'speed': 2}, 15), ({'speed': 0.5}, 59), ({'fps': 60}, 59),
])
def test_rate_and_speed_decide_how_many_frames_a_second_of_rollout_has(tmp_path, options, frames):
    scene = film(tmp_path / 'a.mp4', **options)
    assert len(decode(tmp_path / 'a.mp4')[3]) == frames
    assert len(scene.views) <= 30, 'a frame that is not written is not rendered'


def test_an_error_leaves_no_film_and_an_old_one_alone(tmp_path):
    path = tmp_path / 'a.mp4'
    path.write_bytes(b'old')
    with pytest.raises(RuntimeError, match='servo'), Film(path, height=64, width=96) as recorder:
        recorder(Scene())
        raise RuntimeError('servo')
    assert path.read_bytes() == b'old' and list(tmp_path.iterdir()) == [path]


def test_without_a_frame_there_is_no_file(tmp_path):
    with Film(tmp_path / 'a.mp4'):
        pass
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('options, message', [
    ({'height': 33}, 'height'), ({'width': 0}, 'width'), ({'fps': 0}, 'fps'), ({'fps': 12.5}, 'fps'),
    ({'speed': 0}, 'speed'), ({'speed': -1}, 'speed'),
])
def test_what_cannot_be_filmed_is_refused(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        Film(tmp_path / 'a.mp4', **options)


def test_a_picture_of_another_size_is_refused(tmp_path):
    with pytest.raises(ValueError, match='shape'), Film(tmp_path / 'a.mp4', height=64, width=96) as recorder:
        recorder.add(np.zeros((32, 96, 3), np.uint8))


def test_an_encoder_that_is_missing_is_named():
    with pytest.raises(RuntimeError, match='libx264'):
        find_encoder({'mpeg4', 'vp9'})


def test_a_poster_is_the_middle_of_the_film(tmp_path):
    from PIL import Image

    film(tmp_path / 'a.mp4')
    picture = np.asarray(Image.open(io.BytesIO(poster((tmp_path / 'a.mp4').read_bytes()))))
    bright = np.flatnonzero(picture[16, :, 0] > 120)
    assert picture.shape == (64, 96, 3) and abs(bright.min() - 32) <= 2
    assert poster(b'no film') == b''
