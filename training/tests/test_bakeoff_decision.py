"""The rule that names the head to ship, on summaries made by hand."""

import pytest
from kiwi_training.bakeoff.decision import decide
from kiwi_training.bakeoff.sections import Decision


def row(head, success=0.9, p50=50.0, p95=80.0, left=25, right=25, smoothness=0.3, **changes):
    return {'head': head, 'family': head.split()[0], 'success': success, 'latency_p50_ms': p50, 'latency_p95_ms': p95,
            'left': left, 'right': right, 'coverage_trials': left + right or None, 'smoothness_successes': smoothness,
            'horizon': 32, 'replan_rows': 8, 'period': 1 / 30} | changes


def summary(*rows, control=(), p_values=None):
    pairs = [{'a': a['head'], 'b': b['head'], 'trials': 200, 'p_value': (p_values or {}).get(b['head'], 0.5)}
             for a in rows for b in rows if a is not b]
    return {'rows': list(rows), 'control': list(control), 'pairs': pairs}


def verdicts(decision):
    return {entry['head']: entry['verdict'] for entry in decision['candidates']}


def judged(*rows, settings=None, **more):
    return decide(summary(*rows, **more), settings or Decision())


def test_the_fastest_of_those_that_qualify_ships():
    decision = judged(row('flow', p50=60), row('diffusion', p50=400, p95=500), row('bc', p50=10, left=50, right=0))
    assert decision['head'] == 'flow'
    assert verdicts(decision) == {'flow': 'ships', 'diffusion': 'qualifies', 'bc': 'unimodal'}
    assert len(decision['rule']) == 4


def test_the_sentence_trades_multimodality_against_latency():
    text = judged(row('flow', p50=60), row('diffusion', p50=400, p95=500, success=0.93),
                  row('bc', p50=10, left=50, right=0),
                  control=[{'head': head, 'success': 0.97} for head in ('flow', 'diffusion')])['sentence']
    for part in ('Ship flow', '25 left and 25 right', '97.0 % at the forced fork', '60 ms', '10 ms of bc',
                 'diffusion reaches 93.0 % against 90.0 % for 400 ms'):
        assert part in text, text


def test_a_latency_that_outlives_the_chunk_is_infeasible():
    assert judged(row('slow', p95=533))['head'] == 'slow'           # twice 16 periods are 32 rows
    decision = judged(row('slow', p95=534))
    assert decision['head'] is None and verdicts(decision) == {'slow': 'infeasible'}
    assert '17 periods' in decision['candidates'][0]['reason']


@pytest.mark.parametrize('left, right, verdict', [(10, 40, 'ships'), (9, 41, 'unimodal'), (41, 9, 'unimodal')])
def test_both_sides_must_be_taken_in_a_fifth_of_the_rollouts(left, right, verdict):
    assert verdicts(judged(row('flow', left=left, right=right))) == {'flow': verdict}


def test_sides_that_were_not_measured_qualify_nobody():
    decision = judged(row('flow', left=0, right=0))
    assert decision['head'] is None and verdicts(decision) == {'flow': 'unknown'}


def test_a_row_passes_the_forced_fork_by_its_own_rollouts_only():
    """One Euler step gives the mean of the ways, whatever ten steps of the same network do."""
    control = [{'head': 'flow 1', 'success': 0.1}, {'head': 'flow 10', 'success': 1.0}]
    decision = judged(row('flow 1', p50=10), row('flow 4', p50=30), row('flow 10', p50=60), control=control)
    assert verdicts(decision) == {'flow 1': 'fails the control', 'flow 4': 'unknown', 'flow 10': 'ships'}
    assert '10.0 % only' in decision['candidates'][0]['reason']


def test_success_below_the_best_feasible_head_beyond_noise_disqualifies():
    rows = row('good', 0.97, p50=90), row('worse', 0.80, p50=20), row('noise', 0.94, p50=40)
    decision = judged(*rows, p_values={'worse': 0.001, 'noise': 0.2})
    assert verdicts(decision) == {'good': 'qualifies', 'worse': 'worse', 'noise': 'ships'}


def test_an_infeasible_head_sets_no_standard():
    rows = row('slow', 1.0, p50=900, p95=2000), row('flow', 0.6, p50=50)
    assert judged(*rows, p_values={'flow': 1e-9})['head'] == 'flow'


def test_the_best_feasible_head_may_be_unimodal_and_still_sets_the_standard():
    rows = row('bc', 0.99, p50=10, left=50, right=0), row('flow', 0.7, p50=50)
    decision = judged(*rows, p_values={'flow': 1e-6})
    assert decision['head'] is None and verdicts(decision)['flow'] == 'worse'
    assert 'Ship none' in decision['sentence']


def test_a_row_without_shared_starts_is_not_compared():
    made = summary(row('a', 0.99), row('b', 0.9, p50=20))
    made['pairs'] = []
    assert verdicts(decide(made, Decision()))['b'] == 'not compared'


def test_few_shared_starts_do_not_show_that_a_row_is_not_worse():
    made = summary(row('a', 0.99), row('b', 0.7, p50=20))
    for pair in made['pairs']:
        pair['trials'] = 20
    decision = decide(made, Decision())
    assert verdicts(decision)['b'] == 'not compared'
    assert 'shares 20 starts with a' in decision['candidates'][1]['reason']


def test_latencies_within_a_tenth_are_settled_by_smoothness():
    rows = row('fast', p50=50, smoothness=0.5), row('smooth', p50=54, smoothness=0.2), row('late', p50=56, smoothness=0.1)
    decision = judged(*rows)
    assert decision['head'] == 'smooth'
    assert verdicts(decision) == {'fast': 'qualifies', 'smooth': 'ships', 'late': 'qualifies'}
    assert 'not as smooth' in decision['candidates'][0]['reason']


def test_thresholds_come_from_the_configuration():
    settings = Decision(min_side_share=0.05, alpha=0.0001, tie=0.0)
    rows = row('best', 0.99, p50=90), row('flow', 0.9, left=5, right=45)
    assert judged(*rows, settings=settings, p_values={'flow': 0.001})['head'] == 'flow'


def test_what_was_not_rolled_out_is_unknown():
    rows = row('flow', None), row('slow', None, p95=2000)
    assert verdicts(judged(*rows)) == {'flow': 'unknown', 'slow': 'infeasible'}
    assert judged(*rows, row('other'))['head'] == 'other'


def test_no_rows_no_decision():
    assert judged()['head'] is None
