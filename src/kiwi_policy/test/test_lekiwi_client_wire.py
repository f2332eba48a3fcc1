"""The host's messages, held against the installed LeRobot's own host and client."""

import base64
import json

import cv2
import numpy as np
import pytest
from host_support import STATE, LeRobotHost, PlayedHost, wait_for

from kiwi_policy.core import features
from kiwi_policy.hardware import lekiwi_wire
from kiwi_policy.hardware.host_link import HostLink
from kiwi_policy.hardware.lekiwi_wire import WireError

pytest.importorskip('lerobot')
RED = np.zeros((48, 64, 3), np.uint8)
RED[..., 0], RED[..., 2] = 200, 20
SPLIT = np.zeros((64, 48, 3), np.uint8)
SPLIT[:, :24, 2] = 255
SPLIT[:, 24:, 1] = 255
HEADER = {'_cams': [], **dict(zip(features.NAMES, STATE.tolist()))}


def encoded(header):
    return json.dumps(header).encode()


@pytest.fixture(scope='module')
def host():
    host = LeRobotHost({'front': RED, 'wrist': SPLIT}).start()
    yield host
    host.end()


@pytest.fixture
def link(host):
    link = HostLink('127.0.0.1', *host.ports)
    yield link
    link.close(0)


def receive(link):
    found = []
    wait_for(lambda: found.append(link.receive()) or found[-1] is not None)
    return found[-1]


def test_what_lerobots_host_sends_is_read(link):
    observation = receive(link)
    np.testing.assert_array_equal(observation.state, STATE)
    assert sorted(observation.pictures) == ['front', 'wrist']


@pytest.mark.parametrize(('camera', 'seen'), [('front', RED), ('wrist', SPLIT)])
def test_the_pictures_get_the_colours_that_the_camera_saw(link, camera, seen):
    fixed = lekiwi_wire.true_colours(receive(link).pictures[camera])
    shown = cv2.cvtColor(cv2.imdecode(np.frombuffer(fixed, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    assert shown.shape == seen.shape
    inside = np.s_[:, 4:20] if camera == 'wrist' else np.s_[:]
    assert np.abs(shown[inside].astype(int) - seen[inside]).max() < 12


def test_lerobots_host_takes_what_is_sent(host, link):
    values = np.array([0.1, -2.0, 3.25, 4.0, -5.0, 60.0, 0.15, -0.1, 30.0])
    wait_for(lambda: link.send(values) and host.robot.actions)
    wait_for(lambda: host.robot.actions[-1] == dict(zip(features.NAMES, values)))


def test_a_command_is_what_lerobots_client_sends():
    from lerobot.robots.lekiwi import LeKiwiClient
    from lerobot.robots.lekiwi.config_lekiwi import LeKiwiClientConfig

    sent = []

    class Socket:
        send_string = sent.append

    client = LeKiwiClient(LeKiwiClientConfig(id='test', remote_ip='127.0.0.1', cameras={}))
    client._is_connected, client.zmq_cmd_socket = True, Socket
    client.send_action(dict(zip(features.NAMES, STATE)))
    assert sent[0].encode() == lekiwi_wire.encode_command(STATE)


def test_an_observation_is_what_lerobots_client_reads(link):
    from lerobot.robots.lekiwi import LeKiwiClient
    from lerobot.robots.lekiwi.config_lekiwi import LeKiwiClientConfig

    frames = []
    wait_for(lambda: link.observations.poll(100))
    frames = link.observations.recv_multipart()
    client = LeKiwiClient(LeKiwiClientConfig(id='test', remote_ip='127.0.0.1', cameras={}))
    theirs, ours = client._parse_observation(list(frames)), lekiwi_wire.decode_observation(frames)
    assert [theirs[name] for name in features.NAMES] == ours.state.tolist()
    assert {camera: theirs[camera] for camera in ours.pictures} == ours.pictures


@pytest.mark.parametrize('bad', [np.nan, np.inf])
@pytest.mark.parametrize('index', [0, 8])
def test_a_command_that_is_not_finite_is_refused(bad, index):
    values = STATE.copy()
    values[index] = bad
    with pytest.raises(WireError, match=features.NAMES[index]):
        lekiwi_wire.encode_command(values)
    with pytest.raises(WireError, match=r'shape \(9,\), got \(8,\)'):
        lekiwi_wire.encode_command(values[:8])


def test_the_format_before_lerobot_0_6_is_recognised():
    picture = base64.b64encode(bytes(100_000)).decode()
    message = encoded(dict(zip(features.NAMES, STATE.tolist())) | {'front': picture})
    with pytest.raises(WireError, match=r'format of LeRobot before 0\.6 .*needs LeRobot 0\.6\.x'):
        lekiwi_wire.decode_observation([message])


@pytest.mark.parametrize(('frames', 'says'), [
    ([], 'empty'),
    ([b'\xff\xd8 no header'], 'no JSON'),
    ([b'[1, 2]'], 'expected a JSON object'),
    ([encoded({'speed': 3})], 'lists no _cams but speed'),
    ([encoded(HEADER | {'_cams': 'front'})], "_cams is 'front'"),
    ([encoded(HEADER | {'_cams': ['front']})], '0 pictures came for 1 cameras: front'),
    ([encoded(HEADER), b'jpeg'], '1 pictures came for 0 cameras'),
    ([encoded({name: value for name, value in HEADER.items() if name != 'y.vel'})], 'lacks y.vel; it has'),
    ([encoded(HEADER | {'x.vel': float('nan')})], r'no numbers below 1e\+06: x.vel=nan'),
    ([encoded(HEADER | {'arm_gripper.pos': 'open'})], "arm_gripper.pos='open'"),
    ([encoded(HEADER | {'arm_gripper.pos': True})], 'arm_gripper.pos=True'),
    ([b' ' * 70_000 + encoded(HEADER)], 'more than 65536'),
], ids=range(12))
def test_other_messages_are_refused_and_what_is_wrong_is_named(frames, says):
    with pytest.raises(WireError, match=says):
        lekiwi_wire.decode_observation(frames)


def test_a_picture_that_the_host_failed_to_encode_is_left_out():
    frames = [encoded(HEADER | {'_cams': ['front', 'wrist']}), b'', b'jpeg']
    assert lekiwi_wire.decode_observation(frames).pictures == {'wrist': b'jpeg'}
    with pytest.raises(WireError, match='4 bytes of the host are no JPEG'):
        lekiwi_wire.true_colours(b'jpeg')


def test_only_the_newest_observation_counts():
    host = PlayedHost()
    link = HostLink('127.0.0.1', *host.ports)
    try:
        wait_for(lambda: host.send_state() or link.receive() is not None)
        link.receive()
        link.dropped = 0
        for shift in range(5):
            host.send_state(STATE + shift)
        seen = []
        wait_for(lambda: seen.append(link.receive()) or (seen[-1] and seen[-1].state[0] == STATE[0] + 4))
        came = sum(observation is not None for observation in seen)
        assert came + link.dropped >= 5
    finally:
        link.close(0)
        host.close()


def test_a_command_for_a_host_that_is_not_there_is_not_kept_for_one_that_comes():
    host = PlayedHost()
    ports = host.ports
    host.close()
    link = HostLink('127.0.0.1', *ports)
    try:
        assert not any(link.send(STATE) for _ in range(2000))
    finally:
        link.close(0)


def test_a_wrong_address_is_named():
    with pytest.raises(ValueError, match="'no host:1:2' is no address of a robot"):
        HostLink('no host:1:2')
