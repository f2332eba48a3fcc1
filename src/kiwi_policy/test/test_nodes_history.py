"""What the policy is shown: spacing, ages, frozen cameras, the start of an episode."""

import numpy as np
import pytest

from kiwi_policy.nodes.history import HistoryRing, NotReady
from kiwi_policy.nodes.pairing import PENDING, StampPairing

PERIOD = 1.0 / 30.0
NANO = 1_000_000_000
EPOCH = 1_700_000_000 * NANO


def stamp(tick):
    return EPOCH + round(tick * PERIOD * NANO)


def values(tick, joint=0.0, drive=0.0):
    state = np.zeros(9)
    state[0], state[6], state[5] = joint, drive, tick
    return state


def filled(ticks=30, steps=1, cameras=('front',), delay=0.004, **options):
    """A ring with a state and an image per tick; received `delay` s after the tick, images 10 ms earlier."""
    ring = HistoryRing(cameras, PERIOD, steps, **options)
    for tick in range(ticks):
        for camera in cameras:
            ring.add_image(camera, f'{camera}{tick}'.encode(), tick * PERIOD - 0.010 + delay, 1000 + tick)
        ring.add_state(stamp(tick), values(tick), tick * PERIOD + delay)
    return ring, (ticks - 1) * PERIOD + delay + 0.001


def test_the_newest_state_and_image_are_taken():
    ring, now = filled()
    observation = ring.observe(stamp(29), now)
    assert observation.stamp == stamp(29)
    assert [state[5] for state in observation.states] == [29]
    assert observation.images == ({'front': b'front29'},)
    assert observation.ages['front'] == pytest.approx(0.011)
    assert observation.image_stamps == {'front': 1029}


@pytest.mark.parametrize('steps', [2, 3, 5])
def test_the_history_is_one_dataset_period_apart_and_oldest_first(steps):
    ring, now = filled(steps=steps, cameras=('front', 'wrist'))
    observation = ring.observe(stamp(29), now)
    ticks = list(range(30 - steps, 30))
    assert [state[5] for state in observation.states] == ticks
    assert [image['wrist'] for image in observation.images] == [f'wrist{tick}'.encode() for tick in ticks]


def test_spacing_follows_the_stamps_not_the_receipt_times():
    ring = HistoryRing((), 0.1, 2)
    for tick in range(30):
        ring.add_state(stamp(tick), values(tick), 5.0 + 0.0001 * tick)      # a burst after a stall
    assert [state[5] for state in ring.observe(stamp(29), 5.01).states] == [26, 29]


def test_a_short_history_repeats_the_first_state_of_the_episode():
    ring, now = filled(steps=3)
    ring.begin_episode(stamp(28), 28 * PERIOD)
    assert [state[5] for state in ring.observe(stamp(29), now).states] == [28, 28, 29]


def test_images_from_before_the_episode_are_not_used():
    ring, now = filled(steps=2)
    ring.begin_episode(stamp(29), now)
    with pytest.raises(NotReady, match='camera front has sent no image in this episode'):
        ring.observe(stamp(29), now + 0.01)
    ring.add_image('front', b'fresh', now + 0.02)
    observation = ring.observe(stamp(29), now + 0.03)
    assert [image['front'] for image in observation.images] == [b'fresh', b'fresh']


def test_a_request_waits_for_its_own_tick():
    ring, now = filled()
    with pytest.raises(NotReady, match='requested tick'):
        ring.observe(stamp(30), now)


def test_a_late_camera_is_named_with_its_age():
    ring, now = filled(max_image_age=0.15)
    ring.add_state(stamp(36), values(36), now + 0.2)
    with pytest.raises(NotReady, match=r'camera front is 0\.21 s old, max_image_age is 0\.15 s'):
        ring.observe(stamp(36), now + 0.2)


def test_a_silent_executor_is_named():
    ring, now = filled(max_state_age=0.15)
    ring.add_image('front', b'new', now + 0.5)
    with pytest.raises(NotReady, match='joint_states are 0.50 s old'):
        ring.observe(stamp(29), now + 0.5)


@pytest.mark.parametrize('motion, frozen', [('none', False), ('joint', True), ('drive', True)])
def test_a_repeated_image_is_refused_only_while_the_robot_moves(motion, frozen):
    ring = HistoryRing(('front',), PERIOD, frozen_after=1.0)
    for tick in range(60):
        moved = values(0, joint=tick if motion == 'joint' else 0, drive=0.1 if motion == 'drive' else 0)
        ring.add_image('front', bytes(b'same'), tick * PERIOD)
        ring.add_state(stamp(tick), moved, tick * PERIOD)
    if frozen:
        with pytest.raises(NotReady, match='camera front repeats one image for .* s while the robot moves'):
            ring.observe(stamp(59), 59 * PERIOD)
        ring.add_image('front', b'other', 60 * PERIOD)
    assert ring.observe(stamp(59), 60 * PERIOD).stamp == stamp(59)


def test_a_scene_that_was_reset_is_no_frozen_camera():
    ring = HistoryRing(('front',), PERIOD, frozen_after=0.5)
    for tick in range(30):
        ring.add_state(stamp(tick), values(0, joint=tick), tick * PERIOD)
    ring.add_image('front', b'start', 30 * PERIOD)          # the reset is seen before it is felt
    ring.begin_episode(stamp(31), 31 * PERIOD)
    for tick in range(31, 91):
        ring.add_image('front', bytes(b'start'), tick * PERIOD)
        ring.add_state(stamp(tick), values(0, joint=-40), tick * PERIOD)
    assert ring.observe(stamp(90), 90 * PERIOD).images == ({'front': b'start'},)
    for tick in range(91, 121):
        ring.add_image('front', bytes(b'start'), tick * PERIOD)
        ring.add_state(stamp(tick), values(0, joint=tick - 131), tick * PERIOD)
    with pytest.raises(NotReady, match='repeats one image'):
        ring.observe(stamp(120), 120 * PERIOD)


def test_a_late_state_is_dropped_and_a_restarted_clock_taken():
    ring, now = filled()
    ring.add_state(stamp(20), values(20), now)
    assert ring.observe(0, now).stamp == stamp(29)
    ring.add_image('front', b'x', now + 2.0)
    ring.add_state(stamp(3), values(3), now + 2.0)
    assert ring.observe(0, now + 2.0).stamp == stamp(3)


def test_pairs_need_equal_stamps_in_either_order():
    pairs = StampPairing()
    assert pairs.left(1, 'a') is None
    assert pairs.right(2, 'B') is None
    assert pairs.left(2, 'b') == ('b', 'B')
    assert pairs.right(1, 'A') == ('a', 'A')


def test_unpaired_values_are_forgotten():
    pairs = StampPairing()
    for index in range(PENDING + 1):
        pairs.left(index, index)
    assert pairs.right(0, 'late') is None
    assert pairs.right(PENDING, 'on time') == (PENDING, 'on time')
