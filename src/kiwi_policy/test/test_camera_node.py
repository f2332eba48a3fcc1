"""camera_node as a process on the real graph, with the test picture and with folders of images."""

import threading
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')

from camera_support import HEIGHT, WIDTH, bgr, corners, jpeg  # noqa: E402
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus  # noqa: E402
from graph_support import PATIENCE, Graph, wait_for  # noqa: E402
from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from sensor_msgs.msg import CompressedImage  # noqa: E402

from kiwi_policy.core.parameters import ParameterError  # noqa: E402
from kiwi_policy.hardware import synthetic_camera  # noqa: E402
from kiwi_policy.hardware.camera import Frame  # noqa: E402
from kiwi_policy.hardware.capture import FROZEN, GONE, OPENING, STREAMING  # noqa: E402
from kiwi_policy.hardware.synthetic_camera import CORNERS  # noqa: E402
from kiwi_policy.nodes import camera_node, camera_parameters, conversions, qos  # noqa: E402
from kiwi_policy.nodes.camera_diagnostics import diagnostics  # noqa: E402
from kiwi_policy.nodes.images import decode_rgb  # noqa: E402
from kiwi_policy.nodes.picture_output import PictureOutput  # noqa: E402

MODULE = 'kiwi_policy.nodes.camera_node'


class Listener:
    """A node that hears one camera and the diagnostics."""

    def __init__(self, domain, camera):
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        self._node = rclpy.create_node('listener', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self.images, self.reports, self.wall = [], [], []
        self._node.create_subscription(
            CompressedImage, f'camera/{camera}/image_raw/compressed', self._hear, qos.CAMERA)
        self._node.create_subscription(
            DiagnosticArray, 'diagnostics', lambda message: self.reports.append(message.status[0]), qos.STATUS)
        self._closed = False
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def more(self, count=3):
        """Wait for further images; returns all."""
        seen = len(self.images)
        wait_for(lambda: len(self.images) >= seen + count)
        return self.images

    def report(self, condition=lambda report: True):
        """Wait for a further diagnostics entry that meets the condition; returns it with its values."""
        seen = len(self.reports)
        wait_for(lambda: any(condition(report) for report in self.reports[seen:]))
        report = next(report for report in self.reports[seen:] if condition(report))
        return report, figures(report)

    def close(self):
        self._closed = True
        self._thread.join(5.0)
        self._executor.shutdown(timeout_sec=1.0)
        self._node.destroy_node()
        self._context.try_shutdown()

    def _hear(self, message):
        self.images.append(message)
        self.wall.append(time.time_ns())

    def _spin(self):
        while not self._closed and self._context.ok():
            self._executor.spin_once(timeout_sec=0.1)


def figures(report):
    return {value.key: value.value for value in report.values}


@pytest.fixture
def graph(tmp_path):
    made = Graph(tmp_path)
    yield made
    made.close()


@pytest.fixture
def listen(graph):
    made = []

    def start(camera):
        made.append(Listener(graph.domain, camera))
        return made[-1]

    yield start
    for listener in made:
        listener.close()


def test_the_wrist_camera_is_published_upright_as_the_policy_reads_it(graph, listen):
    listener = listen('wrist')
    process = graph.start('camera', MODULE, 'camera:=wrist', 'source:=synthetic', f'width:={WIDTH}',
                          f'height:={HEIGHT}', 'rate:=20.0')
    images = listener.more(20)
    stamps = [conversions.to_nanoseconds(image.header.stamp) for image in images]
    for image, stamp, wall in zip(images, stamps, listener.wall, strict=False):
        assert image.format == 'jpeg' and image.header.frame_id == 'wrist_camera'
        assert 0 <= wall - stamp < PATIENCE * 1e9
    assert np.all(np.diff(stamps) > 0)
    assert (stamps[-1] - stamps[0]) * 1e-9 > (len(stamps) - 2) / 20.0

    upright = ['bottom left', 'top left', 'bottom right', 'top right']
    sources = [np.rot90(synthetic_camera.test_picture(WIDTH, HEIGHT, number), -1) for number in range(WIDTH)]
    for image in images[:5]:
        pixels = decode_rgb(bytes(image.data))
        assert pixels.shape == (WIDTH, HEIGHT, 3)
        for shown, name in zip(corners(pixels), upright, strict=True):
            assert np.abs(np.subtract(shown, CORNERS[name])).max() < 12
        errors = [np.abs(pixels.astype(int) - source).mean() for source in sources]
        assert min(errors) < 4.0

    report, values = listener.report(lambda report: float(figures(report)['rate (Hz)']) > 0)
    assert float(values['rate (Hz)']) < 30.0
    assert report.name == 'camera_node: wrist' and report.hardware_id == 'synthetic camera'
    assert values['delivers'] == '64x48 synthetic at 20 Hz' and values['published'] == '48x64'
    assert values['frozen'] == values['gone'] == values['damaged frames'] == '0' and values['last error'] == ''
    assert process.poll() is None and graph.end('camera') == 0


def test_a_camera_that_freezes_goes_and_comes_back(graph, listen, tmp_path):
    listener, folder = listen('front'), tmp_path / 'pictures'
    folder.mkdir()
    data = {number: jpeg(bgr(number)) for number in range(3)}
    for number in (0, 1):
        (folder / f'{number}.jpg').write_bytes(data[number])
    graph.start('camera', MODULE, 'source:=file', f'device:={folder}', 'rate:=20.0', 'rotation:=none',
                'frozen_timeout:=0.3', 'reconnect_interval:=0.2', 'max_frame_age:=0.0')
    listener.more()
    assert {bytes(image.data) for image in listener.images} <= {data[0], data[1]}

    folder.rename(tmp_path / 'away')
    listener.report(lambda report: report.level == DiagnosticStatus.ERROR and 'no file or folder' in report.message)
    published = len(listener.images)
    _, values = listener.report()
    assert len(listener.images) == published and values['gone'] == '1' and values['frozen'] == '0'
    (tmp_path / 'away').rename(folder)
    listener.more()
    listener.report(lambda report: report.level != DiagnosticStatus.ERROR)

    (folder / '1.jpg').unlink()
    (folder / '0.jpg').write_bytes(data[2])
    listener.report(lambda report: report.level == DiagnosticStatus.ERROR and 'frozen' in report.message)
    published = len(listener.images)
    _, values = listener.report()
    assert len(listener.images) == published and values['frozen'] == '1'
    (folder / '1.jpg').write_bytes(data[1])
    listener.more()

    lines = [line.rpartition(']: ')[2] for line in graph.output('camera').splitlines()]
    errors = [line for line in lines if any(text in line for text in ('gone', 'no file', 'cannot read', 'is frozen'))]
    assert len(errors) == len(set(errors)) and any('is frozen: it repeats one frame' in line for line in errors)
    assert len([line for line in lines if 'delivers new frames again after' in line]) in (2, 3)
    assert graph.end('camera') == 0


def test_pictures_of_a_folder_arrive_in_the_right_colours(graph, listen, tmp_path):
    listener, folder = listen('overview'), tmp_path / 'pictures'
    folder.mkdir()
    smooth = np.linspace(0, 255, WIDTH)[None, :, None] * np.linspace(0.2, 1.0, HEIGHT)[:, None, None]
    source = (smooth * [1.0, 0.5, 0.1]).astype(np.uint8)      # RGB
    cv2.imwrite(str(folder / 'a.png'), source[..., ::-1])
    graph.start('camera', MODULE, 'camera:=overview', 'source:=file', f'device:={folder}', 'rotation:=none',
                'may_repeat:=true', 'max_frame_age:=0.0')
    pixels = decode_rgb(bytes(listener.more()[-1].data))
    assert np.abs(pixels.astype(int) - source).mean() < 2.0
    assert np.abs(pixels[..., ::-1].astype(int) - source).mean() > 20.0


@pytest.mark.parametrize('parameters, text', [
    (['device:=/dev/video98', 'rotation:=90'], 'rotation'),
    (['source:=file', 'device:=.', 'rotation:=none'], 'no pictures in .'),
])
def test_a_node_that_cannot_run_as_configured_ends_with_status_2(graph, parameters, text):
    process = graph.start('camera', MODULE, *parameters)
    assert process.wait(PATIENCE) == 2
    assert 'camera_node: error: ' in graph.output('camera') and text in graph.output('camera')


def test_a_camera_that_is_not_there_is_waited_for_and_named(graph):
    process = graph.start('camera', MODULE, 'device:="98"')
    wait_for(lambda: 'no camera /dev/video98' in graph.output('camera'))
    assert 'present: ' in graph.output('camera') and process.poll() is None
    assert graph.end('camera') == 0


def test_the_help_names_every_parameter(capsys):
    with pytest.raises(SystemExit) as end:
        camera_node.main(['--help'])
    assert end.value.code == 0
    text = capsys.readouterr().out
    assert 'ros2 run kiwi_policy camera_node' in text
    assert all(f'{parameter.name}:=' in text for parameter in camera_parameters.TABLE)


def parameters(**changes):
    """What `declare` would make of the table."""
    return SimpleNamespace(**{p.name: p.default for p in camera_parameters.TABLE} | {'device': '0'} | changes)


@pytest.mark.parametrize('changes, text', [
    ({'device': ''}, 'parameter device is empty: name a camera; present: '),
    ({'source': 'file', 'device': ''}, 'parameter device is empty: name a video file'),
    ({'fourcc': 'MJPEG'}, "parameter fourcc is 'MJPEG', must have four characters"),
    ({'publish_size': [64, 0]}, r'publish_size is \[64, 0\], must be \[width, height\]'),
    ({'publish_size': [64]}, r'publish_size is \[64\]'),
    ({'camera': 'overview'}, 'rotation is lekiwi, .* cameras front, wrist and no overview: choose one of none'),
    ({'camera': 'a/b'}, "camera is 'a/b', must be a word"),
])
def test_nonsense_is_refused_by_name(changes, text):
    p = parameters(**changes)
    with pytest.raises(ParameterError, match=text):
        camera_parameters.check_name(p.camera)
        camera_parameters.make_source(p)
        camera_parameters.make_picture_maker(p)


def test_the_newest_frame_is_published_where_encoding_is_slow():
    busy, published, errors = threading.Event(), [], []

    class Slow:
        def jpeg(self, image):
            if image == b'bad':
                raise ValueError('bad bytes')
            busy.wait(PATIENCE)
            return image, 4, 3

    output = PictureOutput(Slow(), lambda data, captured: published.append((data, captured)), errors.append)
    output.start()
    output.submit(Frame(0.0, b'0'))
    wait_for(lambda: not output._worker.waiting())
    for number in range(1, 5):
        output.submit(Frame(float(number), b'%d' % number))
    busy.set()
    wait_for(lambda: len(published) == 2)
    assert published == [(b'0', 0.0), (b'4', 4.0)] and output.skipped == 3
    output.submit(Frame(5.0, b'bad'))
    wait_for(lambda: errors)
    assert errors == ['frame skipped: bad bytes'] and output.damaged == 1
    output.submit(Frame(6.0, b'6'))
    wait_for(lambda: len(published) == 3)
    assert output.size == (4, 3)
    output.close()


@pytest.mark.parametrize('state, newest, rate, level, message', [
    (STREAMING, 99.9, 30.0, DiagnosticStatus.OK, 'streaming: 30.0 Hz'),
    (STREAMING, 99.9, 14.0, DiagnosticStatus.WARN, 'slow: 14.0 Hz, 30 Hz asked for'),
    (STREAMING, 95.0, 30.0, DiagnosticStatus.ERROR, 'silent: no new frame for 5.0 s'),
    (OPENING, None, 0.0, DiagnosticStatus.WARN, 'opening'),
    (GONE, 95.0, 0.0, DiagnosticStatus.ERROR, 'gone: unplugged'),
    (FROZEN, 95.0, 0.0, DiagnosticStatus.ERROR, 'frozen: unplugged'),
])
def test_the_diagnostics_say_how_the_camera_is(state, newest, rate, level, message):
    capture = SimpleNamespace(
        state=state, newest=newest, stream=None, frames=7, frozen=1, gone=2,
        last_error='unplugged' if state in (GONE, FROZEN) else '',
        watch=SimpleNamespace(repeated=3, damaged=4, late=5))
    output = SimpleNamespace(rate=lambda now: rate, size=None, damaged=1, skipped=6)
    stamp = conversions.to_stamp(5)
    made = diagnostics('front', '/dev/video0', 30.0, capture, output, 100.0, stamp)
    entry = made.status[0]
    assert (entry.level, entry.message, entry.hardware_id, made.header.stamp) == (level, message, '/dev/video0', stamp)
    values = figures(entry)
    assert (values['frozen'], values['gone'], values['damaged frames'], values['late frames']) == ('1', '2', '5', '5')
