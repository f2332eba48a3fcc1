import numpy as np
import pytest
from core_support import PERIOD, REST, chunk, executor, tick
from hypothesis import given
from hypothesis import strategies as st
from kiwi_policy.core.config import ExecutorConfig
from kiwi_policy.core.dimensions import BlendRules
from kiwi_policy.core.ensembling import blend, disagreement, weights
from kiwi_policy.core.executor import ChunkExecutor
from kiwi_policy.core.features import ARM, BASE, DIM, GRIPPER
from kiwi_policy.core.limits import Limits

BOUNDLESS = Limits(low=(-1e6,) * 6, high=(1e6,) * 6, joint_speed=(1e9,) * 6, base_speed=(1e6,) * 3,
                   base_acceleration=(1e9,) * 3)


def test_weights_by_hand():
    # exp(0), exp(-ln 2), exp(-2 ln 2) = 1, 1/2, 1/4 over 7/4
    assert weights(3, np.log(2), 'oldest') == pytest.approx([4 / 7, 2 / 7, 1 / 7])
    assert weights(3, np.log(2), 'newest') == pytest.approx([1 / 7, 2 / 7, 4 / 7])
    assert weights(4, 0.0, 'newest') == pytest.approx([0.25] * 4)


def test_weights_refuse_what_they_do_not_know():
    with pytest.raises(ValueError, match='newest or oldest'):
        weights(2, 0.1, 'best')
    with pytest.raises(ValueError, match='at least 1'):
        weights(0, 0.1, 'newest')


@given(st.integers(1, 50), st.floats(0, 5), st.sampled_from(['newest', 'oldest']))
def test_weights_sum_to_one_and_favor_their_end(count, coeff, favor):
    got = weights(count, coeff, favor)
    assert got.sum() == pytest.approx(1.0)
    toward_old = got if favor == 'oldest' else got[::-1]
    assert np.all(np.diff(toward_old) <= 1e-12)


@given(st.integers(1, 20), st.floats(0, 3), st.sampled_from(['newest', 'oldest']),
       st.lists(st.floats(-100, 100), min_size=DIM, max_size=DIM))
def test_equal_predictions_blend_to_themselves(count, coeff, favor, row):
    assert blend([row] * count, coeff, favor, BlendRules().factors()) == pytest.approx(np.array(row), abs=1e-9)


def test_gripper_takes_the_dominant_prediction_and_the_base_goes_half_way():
    old, new = np.zeros(DIM), np.full(DIM, 8.0)
    factors = BlendRules(arm=1.0, base=0.5).factors()
    favoring_new = blend([old, new], 0.0, 'newest', factors)
    assert favoring_new[ARM] == pytest.approx([4.0] * 5)
    assert favoring_new[GRIPPER] == pytest.approx([8.0])
    assert favoring_new[BASE] == pytest.approx([6.0] * 3)
    favoring_old = blend([old, new], 0.0, 'oldest', factors)
    assert favoring_old[GRIPPER] == pytest.approx([0.0])
    assert favoring_old[BASE] == pytest.approx([2.0] * 3)


@given(st.lists(st.lists(st.floats(-50, 50), min_size=DIM, max_size=DIM), min_size=1, max_size=8),
       st.floats(0, 2), st.sampled_from(['newest', 'oldest']))
def test_a_blend_stays_between_its_predictions_and_never_invents_a_grip(rows, coeff, favor):
    got = blend(rows, coeff, favor, BlendRules().factors())
    assert np.all(got >= np.min(rows, axis=0) - 1e-9)
    assert np.all(got <= np.max(rows, axis=0) + 1e-9)
    assert got[5] in [row[5] for row in rows]


def test_disagreement_is_the_worst_dimension_in_spreads_without_the_gripper():
    ours, theirs = np.zeros((4, DIM)), np.zeros((4, DIM))
    spread = np.full(DIM, 10.0)
    theirs[:, 1] = 20.0
    theirs[:, 3] = 10.0
    theirs[:, 5] = 1000.0
    assert disagreement(ours, theirs, spread) == pytest.approx(2.0)
    assert disagreement(ours[:0], theirs[:0], spread) == 0.0


@pytest.mark.parametrize('coeff', [0.01, 0.1, 0.0])
def test_favor_oldest_reproduces_lerobots_ensembler(coeff):
    """One chunk per step through the whole executor, against LeRobot's own class."""
    torch = pytest.importorskip('torch')
    from lerobot.policies.act.modeling_act import ACTTemporalEnsembler

    horizon, steps = 12, 40
    theirs = ACTTemporalEnsembler(coeff, horizon)
    rng = np.random.default_rng(0)
    ours = ChunkExecutor(ExecutorConfig(
        mode='ensemble', favor='oldest', ensemble_coeff=coeff, gate=float('inf'), blend=BlendRules(1.0, 1.0),
        seam_ticks=0, limits=BOUNDLESS, ramp_speed=1e9))
    ours.begin('episode-1', REST, tick(0))
    arm_and_base = [0, 1, 2, 3, 4, 6, 7, 8]
    for step in range(steps):
        actions = rng.normal(size=(horizon, DIM)) * 10
        assert ours.add(chunk(step, actions=actions, chunk_id=step + 1), tick(step)).accepted
        command = ours.step(tick(step), REST)
        expected = theirs.update(torch.from_numpy(actions)[None])[0].numpy()
        np.testing.assert_allclose(command.values[arm_and_base], expected[arm_and_base], atol=1e-6)
        assert command.blended == min(step + 1, horizon)


def test_chunks_that_agree_are_blended_and_one_that_does_not_is_left_out():
    ex = executor(mode='ensemble', gate=1.0, ramp_speed=1e9, seam_ticks=0)
    ex.add(chunk(0, actions=np.zeros((16, DIM)), chunk_id=1), tick(0))
    ex.step(tick(0), REST)
    near, far = np.zeros((16, DIM)), np.zeros((16, DIM))
    near[:, 0], far[:, 0] = 2.0, 60.0               # spread 20 deg
    ex.add(chunk(1, actions=near, chunk_id=2), tick(1))
    command = ex.step(tick(1), REST)
    assert command.blended == 2 and 0 < command.values[0] < 2.0
    ex.add(chunk(2, actions=far, chunk_id=3), tick(2))
    command = ex.step(tick(2), REST)
    assert command.blended == 2 and command.values[0] < 2.0
    assert ex.status(tick(2)).dissents == 1


def test_without_agreement_the_newest_takes_over_once_the_commitment_has_run_out():
    ex = executor(mode='ensemble', gate=1.0, ramp_speed=1e9, seam_ticks=5)
    ex.add(chunk(0, horizon=8, chunk_id=1), tick(0))
    other = np.zeros((16, DIM))
    other[:, 0] = 60.0
    values = []
    for number in range(19):
        if number == 4:
            ex.add(chunk(4, actions=other, chunk_id=2), tick(4))
        values.append(ex.step(tick(number), REST).values[0])
    assert values[:8] == pytest.approx([0.0] * 8)
    assert values[-1] == pytest.approx(60.0)
    assert np.max(np.abs(np.diff(values))) <= 6.0 + 1e-9    # 180 deg/s


def test_memory_stays_bounded_however_many_chunks_come():
    ex = executor(mode='ensemble', max_live=8)
    for number in range(200):
        ex.add(chunk(number, horizon=100, chunk_id=number + 1), tick(number))
        ex.step(tick(number) + 0.1 * PERIOD, REST)
    timeline = ex._timeline
    assert len(timeline) <= 8 and len(timeline._agreeing) <= 8 and len(timeline._seen) <= 8
