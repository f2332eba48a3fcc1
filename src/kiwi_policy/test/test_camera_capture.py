"""What keeps a camera alive: which frames are new, and what happens when none come."""

import time

import pytest
from camera_support import HEIGHT, WIDTH, FakeSource, FakeV4L2, bgr, jpeg

from kiwi_policy.hardware.camera import CameraError, CameraRefusal, Frame
from kiwi_policy.hardware.capture import FROZEN, GONE, OPENING, STREAMING, Capture
from kiwi_policy.hardware.frame_watch import FrameWatch, FrozenError
from kiwi_policy.hardware.v4l2_camera import V4L2Camera

PATIENCE = 60.0     # s; bounds hangs only


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, 'the condition was not met in time'
        time.sleep(0.005)


def frame(image, captured=0.0):
    return Frame(captured, image)


# Which frames are new.

@pytest.mark.parametrize('first, second', [(b'a', b'b'), (bgr(1), bgr(2)), (bgr(1), jpeg(bgr(1))),
                                           (bgr(1), bgr(1, 32, 24))])
def test_another_frame_is_new_and_the_same_again_is_not(first, second):
    watch = FrameWatch('x', 1.0)
    assert watch.is_new(frame(first), 0.0)
    again = first if isinstance(first, bytes) else first.copy()
    assert not watch.is_new(frame(again), 0.1)
    assert watch.is_new(frame(second), 0.2)
    assert watch.repeated == 1


def test_one_frame_for_longer_than_the_patience_is_a_freeze():
    watch = FrameWatch('/dev/video0', 1.0)
    watch.is_new(frame(b'a'), 0.0)
    for now in (0.5, 1.0, 1.5):
        assert not watch.is_new(frame(b'a'), now)
    with pytest.raises(FrozenError, match='/dev/video0 is frozen: .* frozen_timeout 1 s'):
        watch.is_new(frame(b'a'), 1.6)


def test_a_camera_that_comes_back_with_the_same_frame_is_still_frozen():
    watch = FrameWatch('x', 1.0)
    watch.is_new(frame(b'a'), 0.0)
    watch.opened()
    assert not watch.is_new(frame(b'a'), 10.0)
    with pytest.raises(FrozenError):
        watch.is_new(frame(b'a'), 11.1)
    watch.opened()
    assert watch.is_new(frame(b'b'), 20.0)


def test_a_pause_of_the_machine_is_no_freeze():
    watch = FrameWatch('x', 1.0)
    watch.is_new(frame(b'a'), 0.0)
    assert not watch.is_new(frame(b'a'), 30.0)
    assert watch.is_new(frame(b'b'), 30.1)


def test_a_source_that_may_repeat_is_never_frozen():
    watch = FrameWatch('x', 1.0, may_repeat=True)
    assert all(watch.is_new(frame(b'a'), now) for now in (0.0, 1.0, 2.0, 3.0))


@pytest.mark.parametrize('bad, counter, text', [(None, 'damaged', 'x delivers only damaged frames'),
                                                (frame(b'a', -1.0), 'late', 'x delivers only frames older than')])
def test_damaged_and_old_frames_are_not_new_and_too_many_are_an_error(bad, counter, text):
    watch = FrameWatch('x', 1.0, max_age=0.25)
    assert not watch.is_new(bad, 0.0)
    assert watch.is_new(frame(b'b', 0.4), 0.5)
    assert not watch.is_new(bad, 1.0)
    with pytest.raises(CameraError, match=text):
        watch.is_new(bad, 2.1)
    assert getattr(watch, counter) == 3


def test_without_a_bound_no_frame_is_too_old():
    assert FrameWatch('x', 1.0, max_age=0.0).is_new(frame(b'a', -100.0), 0.0)


# What happens when none come.

class Rig:
    """A `Capture` and everything it has said."""

    def __init__(self, source, frozen_timeout=0.05, **options):
        self.frames, self.streams, self.errors, self.recoveries = [], [], [], []
        self.capture = Capture(source, FrameWatch(source.name, frozen_timeout, **options), self.frames.append,
                               self.streams.append, self.errors.append, self.recoveries.append, 0.02)
        self.capture.start()

    def more(self, count=3):
        """Wait for new frames."""
        seen = len(self.frames)
        until(lambda: len(self.frames) >= seen + count)


@pytest.fixture
def run():
    rigs = []

    def start(source, **options):
        rigs.append(Rig(source, **options))
        return rigs[-1]

    yield start
    for rig in rigs:
        assert rig.capture.close()


def test_every_new_frame_is_handed_on_once(run):
    rig = run(FakeSource())
    rig.more(10)
    images = [each.image for each in list(rig.frames)]
    assert images == [b'%d' % number for number in range(1, len(images) + 1)]
    assert rig.capture.state == STREAMING and len(rig.streams) == 1
    assert rig.errors == rig.recoveries == [] and rig.capture.last_error == ''


@pytest.mark.parametrize('fault, state, counter, text', [
    ('frozen', FROZEN, 'frozen', 'is frozen'), ('mute', GONE, 'gone', 'is mute'),
    ('damaged', GONE, 'gone', 'only damaged')])
def test_a_fault_is_said_once_the_source_opened_anew_and_recovery_said_once(run, fault, state, counter, text):
    source = FakeSource()
    rig = run(source)
    rig.more()
    setattr(source, fault, True)
    until(lambda: rig.capture.state == state)
    published, opens = len(rig.frames), source.opens
    until(lambda: source.opens >= opens + 3)
    assert len(rig.frames) == published
    assert len(rig.errors) == 1 and text in rig.errors[0] and rig.errors[0] == rig.capture.last_error
    assert rig.recoveries == []
    setattr(source, fault, False)
    rig.more()
    assert rig.capture.state == STREAMING and getattr(rig.capture, counter) == 1
    assert len(rig.errors) == len(rig.recoveries) == 1
    assert 'fake camera delivers new frames again after' in rig.recoveries[0]
    setattr(source, fault, True)
    until(lambda: getattr(rig.capture, counter) == 2)
    assert len(rig.errors) == 2


def test_another_cause_is_said_too_and_none_twice(run):
    source = FakeSource()
    rig = run(source)
    rig.more()
    for fault in ('mute', 'missing', 'mute', 'missing'):
        source.mute = source.missing = False
        setattr(source, fault, True)
        source.frozen = True
        opens = source.opens
        until(lambda: source.opens >= opens + 2)
    assert [text for text in rig.errors if 'frozen' not in text] == ['fake camera is mute', 'no fake camera']


def test_a_source_that_is_missing_at_first_is_waited_for(run):
    source = FakeSource()
    source.missing = True
    rig = run(source)
    until(lambda: source.opens >= 3)
    assert rig.errors == ['no fake camera'] and rig.capture.stream is None
    source.missing = False
    rig.more()
    assert len(rig.recoveries) == 1


def test_what_is_not_foreseen_is_survived_too(run):
    source = FakeSource()
    rig = run(source)
    rig.more()
    reading, source.read = source.read, None
    until(lambda: rig.errors)
    assert rig.errors[0].startswith('fake camera: TypeError')
    source.read = reading
    rig.more()


def test_a_refusal_ends_a_source_that_never_delivered_and_no_other(run):
    def refuse():
        raise CameraRefusal('fake camera is too small')

    source = FakeSource()
    rig = run(source)
    rig.more()
    opening, source.open, source.mute = source.open, refuse, True
    until(lambda: 'fake camera is too small' in rig.errors)
    assert rig.capture.refusal is None
    source.open, source.mute = opening, False
    rig.more()

    source = FakeSource()
    source.open = refuse
    rig = run(source)
    until(lambda: rig.capture.refusal is not None)
    assert rig.capture.refusal == 'fake camera is too small' and rig.capture.state == OPENING
    assert source.closes == 1 and rig.errors == []


def test_closing_releases_the_source():
    source = FakeSource()
    rig = Rig(source)
    rig.more()
    assert rig.capture.close()
    assert source.closes == source.opens == 1
    published = len(rig.frames)
    time.sleep(0.05)
    assert len(rig.frames) == published


def test_a_v4l2_camera_is_found_again_by_its_path(run, tmp_path):
    device, fake = tmp_path / 'video0', FakeV4L2()
    device.symlink_to('/dev/null')
    rig = run(V4L2Camera(str(device), WIDTH, HEIGHT, open_capture=fake.open), frozen_timeout=0.2)
    rig.more()
    device.unlink()
    fake.silent = True
    until(lambda: any(f'no camera {device}' in text for text in rig.errors))
    assert rig.errors[0] == f'{device} stopped delivering frames' and 'present: ' in rig.errors[1]
    published = len(rig.frames)
    fake.silent = False
    time.sleep(0.1)
    assert len(rig.frames) == published
    device.symlink_to('/dev/null')
    rig.more()
    assert len(rig.errors) == 2 and len(rig.recoveries) == 1 and rig.capture.gone == 1
    fake.frozen = True
    until(lambda: rig.capture.frozen == 1)
    fake.frozen = False
    rig.more()
    images = [each.image for each in rig.frames]
    assert len(set(images)) == len(images)


def test_frames_that_waited_in_the_driver_are_not_handed_on(run, tmp_path):
    device, fake = tmp_path / 'video0', FakeV4L2()
    device.symlink_to('/dev/null')
    rig = run(V4L2Camera(str(device), WIDTH, HEIGHT, open_capture=fake.open), frozen_timeout=60.0, max_age=10.0)
    rig.more()
    fake.stamp_age = 30_000.0
    until(lambda: rig.capture.watch.late >= 3)
    assert all(time.monotonic() - each.captured < 30.0 for each in rig.frames)
    fake.stamp_age = 0.0
    rig.more()
