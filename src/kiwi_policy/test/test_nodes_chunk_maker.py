"""From bytes to a chunk: colours, history, seeds, latency."""

import numpy as np
import pytest
from nodes_support import FakeInfo, FakePolicy

from kiwi_policy.core.prefix import Prefix
from kiwi_policy.nodes.chunk_maker import PROBES, ChunkMaker
from kiwi_policy.nodes.history import Observation
from kiwi_policy.nodes.images import decode_rgb, encode_rgb

RED, BLUE = (200, 30, 20), (20, 40, 190)


def plain(colour):
    return np.full((32, 48, 3), colour, np.uint8)


def observation(ages=None):
    red, blue = encode_rgb(plain(RED)), encode_rgb(plain(BLUE))
    images = {'front': red, 'wrist': blue}
    return Observation(7, (np.zeros(9), np.ones(9)), (images, images), ages or {})


def test_colours_survive_as_rgb():
    for colour in (RED, BLUE):
        pixels = decode_rgb(encode_rgb(plain(colour)))
        assert pixels.shape == (32, 48, 3) and pixels.dtype == np.uint8
        assert np.abs(pixels.astype(int) - colour).max() <= 6


def test_bytes_that_are_no_image_are_refused():
    with pytest.raises(ValueError, match='4 bytes are no JPEG'):
        decode_rgb(b'abcd')


def test_the_policy_sees_lerobots_keys_and_types():
    policy = FakePolicy()
    made = ChunkMaker(policy).make(observation(), 'pick')
    history, task, rng = policy.shown[0]
    assert task == 'pick' and isinstance(rng, int)
    assert [entry['observation.state'].tolist() for entry in history] == [[0.0] * 9, [1.0] * 9]
    newest = history[-1]
    assert newest['observation.state'].dtype == np.float32
    assert np.abs(newest['observation.images.front'][3, 4].astype(int) - RED).max() <= 6
    assert np.abs(newest['observation.images.wrist'][3, 4].astype(int) - BLUE).max() <= 6
    assert made.actions.shape == (16, 9) and np.all(made.actions == 1.0)
    assert made.evaluations == 10
    assert made.seconds >= made.predict_seconds >= 0


def test_the_policy_is_given_the_prefix_and_probed_with_one():
    policy = FakePolicy()
    maker = ChunkMaker(policy)
    prefix = Prefix(np.ones((3, 9)), 2)
    maker.make(observation(), '', prefix)
    maker.make(observation(), '')
    maker.probe()
    assert policy.prefixes[:2] == [prefix, None]
    assert policy.prefixes[2].rows.shape == (16, 9)


def test_equal_images_are_decoded_once():
    policy = FakePolicy()
    ChunkMaker(policy).make(observation(), '')
    history = policy.shown[0][0]
    assert history[0]['observation.images.front'] is history[1]['observation.images.front']


@pytest.mark.parametrize('seed, equal', [(3, True), (-1, False)])
def test_the_sampling_seed_repeats_the_noise(seed, equal):
    def seeds():
        policy = FakePolicy()
        maker = ChunkMaker(policy, seed)
        for _ in range(3):
            maker.make(observation(), '')
        return [rng for _, _, rng in policy.shown]

    first, second = seeds(), seeds()
    assert (first == second) is equal
    assert len(set(first)) == 3


def test_the_noise_of_an_episode_is_kept_until_the_next():
    policy = FakePolicy()
    maker = ChunkMaker(policy, 3, noise='episode')
    for _ in range(2):
        maker.begin_episode()
        for _ in range(3):
            maker.make(observation(), '')
    seeds = [rng for _, _, rng in policy.shown]
    assert len(set(seeds[:3])) == len(set(seeds[3:])) == 1
    assert seeds[0] != seeds[3]
    with pytest.raises(ValueError, match="noise 'rollout' is none of chunk, episode"):
        ChunkMaker(policy, noise='rollout')


def test_an_unknown_count_of_evaluations_is_zero():
    assert ChunkMaker(FakePolicy(evaluations=None)).make(observation(), '').evaluations == 0


def test_a_policy_of_another_robot_is_refused():
    class Short(FakePolicy):
        def predict(self, *_, **__):
            return type('P', (), {'actions': np.zeros((4, 6)), 'evaluations': 1})

    with pytest.raises(ValueError, match=r'shape \(4, 6\)'):
        ChunkMaker(Short()).make(observation(), '')


def test_warm_up_measures_without_the_first_chunk():
    policy = FakePolicy(FakeInfo(n_obs_steps=1, cameras=('front',)))
    maker = ChunkMaker(policy)
    maker.warm_up(4)
    assert len(policy.shown) == 4
    assert len(maker.latency) == 3
    assert maker.latency.percentile(95) > 0
    assert list(policy.shown[0][0][0]) == ['observation.state', 'observation.images.front']


def test_chunks_replace_the_probes_and_enough_probes_the_chunks():
    maker = ChunkMaker(FakePolicy())
    maker.warm_up(4)
    assert len(maker.latency) == 3
    for count in (1, 2):
        maker.make(observation(), '')
        assert len(maker.latency) == count
    for count in range(PROBES):
        assert len(maker.latency) == 2
        maker.probe()
    assert len(maker.latency) == PROBES
    maker.make(observation(), '')
    assert len(maker.latency) == 1
