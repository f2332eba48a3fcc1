"""The goals of a bake-off, on rows made by hand."""

import pytest
from kiwi_training.bakeoff.report.goals import diffusion_row, flow_row, goals
from kiwi_training.bakeoff.report.source import normalise


def row(head, policy, success=0.9, latency=50.0, jerk=0.3, left=25, **changes):
    return {'head': head, 'policy': policy, 'success': success, 'successes': round(200 * success), 'trials': 200,
            'latency_p50_ms': latency, 'smoothness_successes': jerk, 'smoothness': 0.0, 'left': left,
            'right': 50 - left, 'coverage_trials': 50} | changes


def table(*rows, pairs=(), head=None):
    return normalise({'rows': list(rows), 'pairs': list(pairs), 'decision': {'head': head}})


FLOW, DIFFUSION = row('flow', 'kiwi_flow', 0.9), row('ddim', 'kiwi_diffusion', 0.95, jerk=0.4)
ACT, CVAE = row('act', 'act', latency=60.0, left=50), row('cvae', 'kiwi_cvae', latency=20.0, left=50, jerk=0.1)
PAIR = {'a': 'flow', 'b': 'ddim', 'trials': 200, 'only_a': 4, 'only_b': 14, 'p_value': 0.0309}


def met(*rows, **more):
    return [goal.met for goal in goals(table(*rows, **more))]


def test_every_goal_with_its_figures():
    found = goals(table(FLOW, DIFFUSION, ACT, CVAE, pairs=[PAIR | {'p_value': 0.2}]))
    assert [goal.met for goal in found] == [True, True, True, True]
    assert found[0].figures == '90.0 % (180/200) against 95.0 % (190/200); p = 0.2 over 200 starts'
    assert found[1].figures == '50 ms against 60 ms of act'
    assert found[2].figures == '50 ms against 3 times 20 ms of cvae'
    assert found[3].figures == '0.300 deg, the best of the others 0.400 deg (ddim)', 'cvae takes one side'


@pytest.mark.parametrize('pair, reached', [
    (PAIR, False), (PAIR | {'only_a': 14, 'only_b': 4}, True), (PAIR | {'p_value': 0.06}, True),
    ({**PAIR, 'a': 'ddim', 'b': 'flow', 'only_a': 14, 'only_b': 4}, False)])
def test_success_is_below_only_beyond_noise(pair, reached):
    assert met(FLOW, DIFFUSION, pairs=[pair])[0] is reached


def test_all_training_seeds_together_decide_where_there_are_several():
    pooled = {'trials': 600, 'only_a': 30, 'only_b': 28, 'p_value': 0.9, 'seeds': [7, 8, 9]}
    goal = goals(table(FLOW, DIFFUSION, pairs=[PAIR | {'pooled': pooled}]))[0]
    assert goal.met and goal.figures.endswith('p = 0.031 over 200 starts; p = 0.9 over 600 rollouts over 3 training seeds')


def test_what_is_not_met():
    slow = row('flow', 'kiwi_flow', latency=60.1, jerk=0.45)
    assert met(slow, DIFFUSION, ACT, CVAE) == [False, False, False]
    figures = goals(table(slow, DIFFUSION, ACT, CVAE))[-1].figures
    assert figures.endswith('smoother: ddim')
    assert met(row('flow', 'kiwi_flow', left=2)) == [False], 'it does not take both sides'


def test_what_is_missing_is_left_out():
    assert goals(table(ACT, CVAE)) == [] and met(FLOW) == [True]
    assert met(row('flow', 'kiwi_flow', latency=None, coverage_trials=None), ACT, CVAE) == []
    assert met(FLOW, DIFFUSION, pairs=[PAIR | {'p_value': None}]) == [True], 'without a test nothing is said of success'


def test_the_goals_are_of_the_head_that_the_decision_names():
    rows = (row('euler 1', 'kiwi_flow', 0.97, left=0), row('euler 4', 'kiwi_flow', 0.92), row('euler 10', 'kiwi_flow', 0.95),
            row('ddpm', 'kiwi_diffusion', 0.9, latency=400.0), row('ddim', 'kiwi_diffusion', 0.9, latency=40.0))
    assert flow_row(table(*rows, head='euler 4'))['head'] == 'euler 4'
    assert flow_row(table(*rows, head='ddim'))['head'] == 'euler 10', 'the best of those that take both sides'
    assert flow_row(table(rows[0]))['head'] == 'euler 1'
    assert diffusion_row(table(*rows))['head'] == 'ddim', 'the faster of two equal ones'
