"""McNemar's test, paired trials, mode switches, traces, the latent's figures: against hand-computed values."""

import numpy as np
import pytest
from bakeoff_support import trial
from hypothesis import given
from hypothesis import strategies as st
from kiwi_policy.core.metrics import mcnemar_exact, wilson_interval
from kiwi_training.bakeoff import figures, latent
from kiwi_training.bakeoff.watching import mode_switches


@pytest.mark.parametrize('only_a, only_b, p', [
    (0, 0, 1.0), (3, 3, 1.0), (0, 1, 1.0), (0, 5, 2 / 32), (1, 6, 2 * (1 + 7) / 128), (2, 8, 2 * (1 + 10 + 45) / 1024)])
def test_mcnemar_by_hand(only_a, only_b, p):
    assert mcnemar_exact(only_a, only_b) == pytest.approx(p)


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_symmetric_and_a_probability(a, b):
    assert mcnemar_exact(a, b) == mcnemar_exact(b, a)
    assert 0 < mcnemar_exact(a, b) <= 1


def test_mcnemar_refuses_what_is_no_count():
    with pytest.raises(ValueError, match='only_b'):
        mcnemar_exact(1, -1)


def test_pairs_are_trials_of_the_same_start():
    a = [trial(0), trial(1), trial(2, False), trial(3, False), trial(9)]
    b = [trial(3), trial(2), trial(1, False), trial(0), trial(8)]
    found = figures.paired(a, b)
    assert (found['trials'], found['both'], found['only_a'], found['only_b'], found['neither']) == (4, 1, 1, 2, 0)
    assert found['p_value'] == 1.0
    assert figures.paired(a[:1], b[:1]) is None


def test_the_seeds_of_a_pair_are_summed_before_they_are_tested():
    pairs = [figures.compared([(True, False)] * 4 + [(True, True)]), figures.compared([(True, False), (False, True)] * 2)]
    found = figures.pooled_pairs(pairs)
    assert (found['trials'], found['both'], found['only_a'], found['only_b'], found['neither']) == (9, 1, 6, 2, 0)
    assert found['p_value'] == pytest.approx(2 * (1 + 8 + 28) / 256)


def test_seeds_are_pooled_and_their_range_is_told():
    entries = [{'seed': seed, 'trials': 10, 'successes': many, 'success': many / 10} for seed, many in ((7, 9), (8, 6))]
    found = figures.pooled_seeds(entries)
    low, high = wilson_interval(15, 20)
    assert found == {'success_seeds': [0.6, 0.9], 'pooled': {
        'trials': 20, 'successes': 15, 'success': 0.75, 'success_low': low, 'success_high': high, 'seeds': [7, 8]}}
    assert figures.pooled_seeds(entries[:1]) == {'success_seeds': None, 'pooled': None}


@pytest.mark.parametrize('left, right, trials, both', [
    (10, 40, 50, True), (9, 41, 50, False), (5, 5, 50, False), (0, 0, 0, False)])
def test_both_sides_are_shares_of_all_rollouts(left, right, trials, both):
    assert figures.takes_both_sides(left, right, trials, 0.2) is both
    assert figures.takes_both_sides(right, left, trials, 0.2) is both


def test_figures_of_trials():
    trials = [trial(0), trial(1, False, 'right', ('left', 'right')), trial(2, True, 'none')]
    found = figures.success_figures(trials)
    assert (found['trials'], found['successes'], found['failures']) == (3, 2, {'timeout': 1})
    assert found['smoothness'] == 0.0 and found['seam_ratio'] == 1.0 and found['skipped'] == 3
    assert found['evals_per_chunk'] == 4.0 and found['mode_switches'] == pytest.approx(1 / 3)
    assert figures.side_figures(trials) == {'left_share': 0.5, 'side_entropy': 1.0, 'left': 1, 'right': 1}
    assert figures.side_figures([trial(0, side='none')])['left_share'] is None


@pytest.mark.parametrize('sides, switches', [
    ((), 0), (('none', 'left', 'none', 'left'), 0), (('left', 'none', 'right', 'left'), 2)])
def test_mode_switches_look_past_chunks_that_mean_no_side(sides, switches):
    assert mode_switches(sides) == switches


def test_traces_are_padded_with_nan():
    arrays = figures.traces([trial(0, ticks=4), trial(1, False, 'right', ticks=6)])
    assert arrays['xy'].shape == (2, 6, 2) and arrays['xy'].dtype == np.float32
    assert np.isnan(arrays['xy'][0, 4:]).all() and not np.isnan(arrays['xy'][1]).any()
    assert arrays['side'].tolist() == [1, -1] and arrays['success'].tolist() == [True, False]


def test_active_dimensions_are_those_whose_mean_varies_over_the_data():
    rng = np.random.default_rng(0)
    means = np.stack([rng.normal(0, 1, 400), rng.normal(3, 0.05, 400), rng.normal(0, 0.2, 400)], axis=1)
    batches = [latent.Measured(np.full(200, 2.0), part, {'posterior': np.zeros(200), 'zero': np.full(200, 0.5)})
               for part in np.split(means, 2)]
    found = latent.figures(batches)
    assert (found['active_dims'], found['latent_dim'], found['frames']) == (2, 3, 400)
    assert (found['kl_nats'], found['error_posterior'], found['error_zero']) == (2.0, 0.0, 0.5)
    assert latent.at_the_fork(found) == {'kl_nats_fork': 2.0, 'error_posterior_fork': 0.0, 'error_zero_fork': 0.5,
                                         'frames_fork': 400}


def test_a_latent_that_diverged_is_unknown():
    found = latent.figures([latent.Measured(np.array([np.nan]), np.zeros((1, 2)), {'zero': np.array([np.inf])})])
    assert found['kl_nats'] is None and found['error_zero'] is None


def test_latency_in_milliseconds():
    found = figures.latency_figures({'seconds': [0.01 * index for index in range(1, 102)]})
    assert found == {'latency_p50_ms': pytest.approx(510), 'latency_p95_ms': pytest.approx(960)}
