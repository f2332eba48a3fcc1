"""The sentences of the report, computed from entries made by hand."""

import copy

from kiwi_training.bakeoff.report import findings
from kiwi_training.bakeoff.report.pairing import holm, peers
from kiwi_training.bakeoff.report.source import Entry, normalise


def entries(*pairs, **fields):
    return [Entry(head=head, success=share, success_low=share - 0.05, success_high=share + 0.04, **fields)
            for head, share in pairs]


def test_findings_name_the_best_and_the_fastest_within_noise():
    rows = entries(('slow', 0.95), ('quick', 0.92), ('quickest', 0.5))
    for row, latency in zip(rows, (600.0, 60.0, 6.0)):
        row['latency_p50_ms'] = latency
    said = ' '.join(findings.success_latency(rows))
    assert 'slow succeeds most often: 95.0 %' in said and 'fastest of them all is quick with 92.0 % at 60 ms' in said
    assert 'the 95 % interval of quick overlaps its own' in said and 'told apart' not in said
    rows[1]['success_high'] = 0.89
    said = ' '.join(findings.success_latency(rows))
    assert 'quick ' not in said and 'Every other head is below it' in said


def test_a_paired_test_goes_before_overlapping_intervals():
    rows = entries(('a', 0.95), ('b', 0.92), ('c', 0.5))
    for row in rows:
        row['latency_p50_ms'] = 10.0
    pairs = [Entry(a='b', b='a', p_value=0.01), Entry(a='a', b='c', p_value=0.2)]
    found = peers(rows, pairs)
    assert [[row['head'] for row in of] for of in (found.equal, found.overlapping, found.below)] == [['c'], [], ['b']]
    assert '1 other head does not differ from it at the 5 % level (McNemar' in ' '.join(
        findings.success_latency(rows, pairs))
    unbounded = [*rows[:1], Entry(head='d', success=0.1)]
    assert peers(unbounded).all == rows[:1] and peers(unbounded).below == [], 'nothing is known of d'


def test_findings_say_whether_the_control_failed_as_it_must():
    heads = entries(('bc', 0.1), ('flow', 0.95), ('cvae', 0.7))
    for entry, hits in zip(heads, (88, 2, 20)):
        entry |= {'trials': 100, 'successes': round(100 * entry['success']), 'post_hits': hits}
    said = findings.control(heads)
    assert said[0].startswith('bc drives into the post in most rollouts: success 10/100')
    assert said[1:] == ['flow succeeds most often (95/100).', 'Below it, intervals apart: cvae (70/100).']
    heads[2]['success_high'] = 0.91
    assert findings.control(heads)[1] == 'flow succeeds most often (95/100); intervals overlap with cvae (70/100).'
    heads[0]['post_hits'] = 3
    assert 'did not fail as it must' in findings.control(heads)[0]


def test_findings_compare_the_shortest_interval_with_the_longest():
    line = [Entry(head='flow', interval_actions=n, success=s, jerk=j, mode_switches=m)
            for n, s, j, m in ((32, 0.96, 0.28, 0.1), (1, 0.44, 0.64, 3.4), (8, 0.9, 0.3, 0.4))]
    assert findings.requery(line) == [
        'flow, asked again after 1 executed action instead of 32: success 44 % instead of 96 %, smoothness 0.640 deg '
        'instead of 0.280 deg, mode switches per rollout 3.4 instead of 0.1.']


def test_holms_correction():
    assert holm([0.01, 0.04, 0.03, 0.005]) == [True, False, False, True]
    assert holm([0.04]) == [True] and holm([]) == []


def test_multimodal_is_what_the_configuration_asks_for():
    rows = [{'head': 'a', 'left_share': 0.5, 'left': 6, 'right': 6, 'coverage_trials': 50},
            {'head': 'b', 'left': 25, 'right': 25, 'coverage_trials': 50}, {'head': 'c', 'left_share': 0.5}]
    assert [row['multimodal'] for row in normalise({'rows': copy.deepcopy(rows)})['rows']] == [False, True, None]
    lenient = normalise({'rows': rows, 'config': {'decision': {'min_side_share': 0.1}}})
    assert [row['multimodal'] for row in lenient['rows']] == [True, True, None]
