"""A summary of rollouts made by hand: training seeds, pairs, what was asked again, the latent."""

from collections import defaultdict

import pytest
from bakeoff_support import config, known, trial
from kiwi_training.bakeoff import summary as summaries
from kiwi_training.bakeoff.gathering import Gathered
from kiwi_training.bakeoff.plan import rollout_sets
from kiwi_training.bakeoff.trainings import Effort

HEADS = [{'name': 'flow', 'policy': 'kiwi_flow', 'seeds': [7, 8], 'rows': [{'name': 'flow 4'}, {'name': 'flow 10'}]},
         {'name': 'diffusion', 'policy': 'kiwi_diffusion', 'seeds': [7, 8]}, {'name': 'bc', 'policy': 'kiwi_bc'}]


@pytest.fixture(autouse=True)
def no_world(monkeypatch):
    monkeypatch.setattr(summaries, 'scene', lambda: None)


def summarized(succeeds, latents=None, heads=HEADS, **tables):
    """The summary of a plan in which `succeeds(set, seed)` says how each rollout ended."""
    conf = config(heads=heads, rollouts={'trials': 8, 'extra_seed_trials': 6, 'shard': 20, 'seed': 0}, **tables)
    facts = known(conf)
    gathered = [Gathered(item, tuple(trial(seed, succeeds(item, seed)) for seed, _ in item.seeds))
                for item in rollout_sets(conf, facts)]
    evidence = summaries.Evidence(conf, {}, facts, gathered, defaultdict(lambda: Effort(10, 1.0, None)), {}, {},
                                  latents or {})
    return summaries.summarize(evidence)[0]


def flow_fails_twice_per_seed(item, seed):
    return not (item.head == 'flow' and seed < 2)


def test_success_over_training_seeds():
    rows = {row['head']: row for row in summarized(lambda item, seed: item.kind != 'seeds' or seed > 2)['rows']}
    found = rows['flow 4']
    assert [entry['success'] for entry in found['per_seed']] == [1.0, 0.5] and found['success_seeds'] == [0.5, 1.0]
    assert (found['success'], found['trials']) == (1.0, 8), 'the main figures are of the first seed'
    pooled = found['pooled']
    assert (pooled['trials'], pooled['successes'], pooled['seeds']) == (14, 11, [7, 8])
    assert pooled['success_low'] < pooled['success'] < pooled['success_high']
    for head in ('flow 10', 'bc'):
        assert rows[head]['pooled'] is None and rows[head]['success_seeds'] is None


def test_pairs_are_summed_where_both_heads_have_the_same_seeds():
    pairs = {frozenset((pair['a'], pair['b'])): pair for pair in summarized(flow_fails_twice_per_seed)['pairs']}
    pair = pairs[frozenset(('flow 4', 'diffusion'))]
    assert (pair['trials'], pair['only_a'], pair['only_b'], pair['p_value']) == (8, 0, 2, 0.5)
    assert pair['pooled'] == {'trials': 14, 'both': 10, 'only_a': 0, 'only_b': 4, 'neither': 0, 'p_value': 0.125,
                              'seeds': [7, 8]}
    assert pairs[frozenset(('flow 4', 'flow 10'))]['pooled'] is None, 'further seeds run the first row only'
    other = [HEADS[0], HEADS[1] | {'seeds': [7, 9]}]
    pairs = summarized(flow_fails_twice_per_seed, heads=other)['pairs']
    assert [pair['pooled'] for pair in pairs] == [None] * len(pairs), 'other seeds'


def test_the_pair_of_the_goals_is_always_there():
    summary = summarized(flow_fails_twice_per_seed, decision={'pairs': [['bc', 'flow 4']]})
    assert any({pair['a'], pair['b']} == {'flow 4', 'diffusion'} for pair in summary['pairs'])


def test_asked_again_after_executed_actions():
    found = summarized(lambda item, seed: True, requery={'rows': ['flow 4'], 'intervals': ['1', 'H/4']})['requery']
    assert [(entry['head'], entry['interval_actions']) for entry in found] == [('flow 4', 1), ('flow 4', 8)]
    assert all('achieved_actions' not in entry for entry in found)


def test_only_the_forced_fork_has_figures_at_its_fork():
    record = {'kl_nats': 0.1, 'kl_nats_fork': 0.7, 'error_zero_fork': 0.2}
    plain, forced = summarized(lambda item, seed: True, latents={'bc': record, 'bc-control': record})['latent']
    assert (plain['task'], plain['kl_nats'], plain['kl_nats_fork'], plain['error_zero_fork']) == ('fork', 0.1, None, None)
    assert (forced['task'], forced['kl_nats_fork']) == ('forced fork', 0.7)
