"""Any bytes from a camera, lekiwi_host or the other end of the bridge: a usable value, or a refusal in words."""

import json
import math

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nodes_support import HOME, FakePolicy

from kiwi_policy.core.features import CAMERAS, DIM, NAMES
from kiwi_policy.hardware import bridge_wire, lekiwi_wire
from kiwi_policy.hardware.lekiwi_wire import WireError
from kiwi_policy.nodes.chunk_maker import ChunkMaker
from kiwi_policy.nodes.history import HistoryRing, NotReady
from kiwi_policy.nodes.images import decode_rgb, encode_rgb

PERIOD = 1.0 / 30.0
PROFILE = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
JPEG = encode_rgb(np.full((16, 24, 3), 90, np.uint8))


@st.composite
def pictures(draw):
    """Bytes that are a picture, begin as one, are one with some bytes changed, or are anything."""
    kind = draw(st.sampled_from(['whole', 'cut', 'changed', 'anything']))
    if kind == 'anything':
        return draw(st.binary(max_size=64))
    if kind == 'cut':
        return JPEG[:draw(st.integers(0, len(JPEG)))]
    data = bytearray(JPEG)
    if kind == 'changed':
        for place, value in draw(st.lists(st.tuples(st.integers(0, len(JPEG) - 1), st.integers(0, 255)), max_size=4)):
            data[place] = value
    return bytes(data)


NUMBERS = st.floats(-1e6, 1e6, exclude_min=True, exclude_max=True)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-10**400, 10**400) | st.text(max_size=8) | NUMBERS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3), max_leaves=6)


@st.composite
def messages(draw):
    """Messages of a host of which each part is right or anything."""
    header = {name: draw(NUMBERS | NUMBERS | NUMBERS | ANYTHING) for name in NAMES}
    header['_cams'] = draw(st.just(list(CAMERAS)) | st.lists(st.sampled_from(CAMERAS), max_size=3) | ANYTHING)
    for name in draw(st.sets(st.sampled_from(sorted(header)), max_size=1)):
        del header[name]
    first = json.dumps(draw(st.just(header) | st.just(header) | st.just(header) | ANYTHING)).encode()
    frames = [draw(st.just(first) | st.just(first) | st.binary(max_size=40)),
              *draw(st.lists(pictures(), min_size=2, max_size=2) | st.lists(pictures(), max_size=4))]
    return frames[draw(st.integers(0, 9)) == 0:]


@PROFILE
@given(messages())
def test_a_message_of_the_host_is_nine_finite_values_or_refused_in_words(frames):
    try:
        observation = lekiwi_wire.decode_observation(frames)
    except WireError as error:
        assert str(error)
        return
    assert observation.state.shape == (DIM,) and np.all(np.abs(observation.state) < lekiwi_wire.MAX_VALUE)
    for picture in observation.pictures.values():
        try:
            lekiwi_wire.true_colours(picture)
        except WireError as error:
            assert str(len(picture)) in str(error)
    json.loads(lekiwi_wire.encode_command(observation.state))


@PROFILE
@given(kind=st.sampled_from(bridge_wire.Kind), time=st.floats(), values=st.lists(st.floats(), min_size=DIM, max_size=DIM),
       text=st.text(max_size=600), tail=st.binary(max_size=4), anything=st.binary(max_size=120), whole=st.integers(0, 3))
def test_a_datagram_carries_finite_numbers_or_is_refused(kind, time, values, text, tail, anything, whole):
    packed = bridge_wire.pack(bridge_wire.Datagram(kind, time, values, text))
    assert len(packed) <= bridge_wire.MAX_BYTES
    data = (packed, packed, packed + tail, anything)[whole]
    try:
        datagram = bridge_wire.unpack(data)
    except ValueError as error:
        assert str(error)
        return
    assert math.isfinite(datagram.time)
    if datagram.kind in bridge_wire.CARRIES_VALUES:
        assert datagram.values.shape == (DIM,) and np.all(np.isfinite(datagram.values))


@PROFILE
@given(pictures())
def test_an_image_is_rgb_pixels_or_refused_in_words(data):
    try:
        pixels = decode_rgb(data)
    except ValueError as error:
        assert str(error) == f'{len(data)} bytes are no JPEG or PNG image'
    else:
        assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3


@PROFILE
@given(images=st.lists(st.tuples(st.sampled_from(CAMERAS), pictures(), st.integers(-2**61, 2**61)), max_size=8),
       stamp=st.integers(-2**61, 2**61), later=st.floats(0.0, 0.4), steps=st.integers(1, 3))
def test_the_policy_sees_pictures_or_says_what_it_lacks(images, stamp, later, steps):
    ring = HistoryRing(CAMERAS, PERIOD, steps)
    ring.begin_episode(stamp, 0.0)
    ring.add_state(stamp, HOME, 0.01)
    for index, (camera, data, taken) in enumerate(images):
        ring.add_image(camera, data, 0.02 + 0.01 * index, taken)
        ring.add_state(stamp + index + 1, HOME, 0.02 + 0.01 * index)
    try:
        observation = ring.observe(stamp, 0.1 + later)
    except NotReady as reason:
        assert str(reason)
        return
    assert set(observation.ages) == set(observation.image_stamps) == set(CAMERAS) and len(observation.images) == steps
    try:
        made = ChunkMaker(FakePolicy(), seed=1).make(observation, '')
    except ValueError as error:
        assert 'no JPEG or PNG' in str(error)
    else:
        assert made.actions.shape[1] == DIM and np.all(np.isfinite(made.actions))
