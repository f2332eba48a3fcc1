import numpy as np
import pytest
from core_support import PERIOD, REST, chunk, executor, line, tick
from kiwi_policy.core.executor import ChunkExecutor
from kiwi_policy.core.features import DIM, NAMES
from kiwi_policy.core.rejection import REASONS


def running(**settings):
    """An executor that has run chunk 5 of run 1, stamped at tick 3, up to tick 4."""
    ex = executor(ramp_speed=1e9, **settings)
    assert ex.add(chunk(3, actions=line(3, 16), chunk_id=5), tick(3)).accepted
    ex.step(tick(3), REST)
    ex.step(tick(4), REST)
    return ex


def spoilt(value):
    actions = np.zeros((16, DIM))
    actions[7, 2] = value
    return actions


@pytest.mark.parametrize('bad, reason', [
    (chunk(4, chunk_id=6, episode_id='other'), 'foreign_episode'),
    (chunk(4, chunk_id=6, names=NAMES[::-1]), 'wrong_names'),
    (chunk(4, chunk_id=6, names=NAMES[:8]), 'wrong_names'),
    (chunk(4, chunk_id=6, actions=np.zeros((16, 8))), 'wrong_shape'),
    (chunk(4, chunk_id=6, actions=np.zeros((0, 9))), 'wrong_shape'),
    (chunk(4, chunk_id=6, actions=np.zeros(9)), 'wrong_shape'),
    (chunk(4, chunk_id=6, actions=spoilt(np.nan)), 'not_finite'),
    (chunk(4, chunk_id=6, actions=spoilt(-np.inf)), 'not_finite'),
    (chunk(4, chunk_id=6, period=PERIOD / 2), 'wrong_period'),
    (chunk(4, chunk_id=6, period=np.nan), 'wrong_period'),
    (chunk(4, chunk_id=6, period=0.0), 'wrong_period'),
    (chunk(4, chunk_id=6, stamp=np.nan), 'wrong_period'),
    (chunk(4, chunk_id=5), 'duplicate'),
    (chunk(4, chunk_id=4), 'older'),
    (chunk(2, chunk_id=6), 'older'),
    (chunk(6, chunk_id=6), 'future'),
])
def test_a_bad_chunk_is_refused_counted_and_changes_nothing(bad, reason):
    ex, undisturbed = running(), running()
    verdict = ex.add(bad, tick(4))
    assert (verdict.accepted, verdict.reason) == (False, reason)
    assert verdict.detail
    assert reason in REASONS
    status = ex.status(tick(4))
    assert status.reject_counts == {reason: 1}
    assert (status.rejected, status.accepted, status.chunk_id) == (1, 1, 5)
    assert ex.step(tick(5), REST).values == pytest.approx(undisturbed.step(tick(5), REST).values)


def test_a_chunk_without_rows_left_is_too_old():
    ex = executor()
    assert ex.add(chunk(0, horizon=8), tick(8)).reason == 'too_old'
    assert ex.add(chunk(0, horizon=8), tick(7)).accepted


def test_sync_takes_a_late_chunk_up_to_its_age_limit():
    assert executor(mode='sync', max_age=2.0).add(chunk(0, horizon=8), tick(59)).accepted
    assert executor(mode='sync', max_age=2.0).add(chunk(0, horizon=8), tick(61)).reason == 'too_old'


def test_sync_takes_no_chunk_while_one_runs():
    ex = running(mode='sync')
    assert ex.add(chunk(4, chunk_id=6), tick(4)).reason == 'unasked'


def test_a_new_run_replaces_the_old_one_for_good():
    ex = running()
    assert ex.add(chunk(4, chunk_id=1, run_id=77), tick(4)).accepted
    assert ex.add(chunk(4, chunk_id=9, run_id=1), tick(4)).reason == 'old_run'
    assert ex.status(tick(4)).run_id == 77


def test_without_an_episode_every_chunk_is_refused():
    ex = ChunkExecutor()
    assert ex.add(chunk(0), tick(0)).reason == 'inactive'
    ex = running()
    ex.stop()
    assert ex.add(chunk(4, chunk_id=6), tick(4)).reason == 'inactive'


def test_counters_start_afresh_with_an_episode_but_chunk_ids_live_on():
    ex = running()
    ex.add(chunk(4, chunk_id=5), tick(4))
    ex.end()
    assert ex.status(tick(4)).rejected == 1
    ex.begin('episode-2', REST, tick(5))
    assert ex.status(tick(5)).rejected == 0
    assert ex.add(chunk(5, chunk_id=5, episode_id='episode-2'), tick(5)).reason == 'duplicate'
    assert ex.add(chunk(5, chunk_id=6, episode_id='episode-2'), tick(5)).accepted


def test_an_unknown_reason_is_a_mistake():
    with pytest.raises(ValueError, match='foreign_episode'):
        ChunkExecutor()._gatekeeper.refuse('ugly', '')
