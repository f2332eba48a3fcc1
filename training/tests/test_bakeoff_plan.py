"""What is to be measured: keys, shards, pairs, and rollouts that two sets share."""

from dataclasses import replace
from pathlib import Path

import pytest
from bakeoff_support import config, known
from kiwi_training.bakeoff import plan
from kiwi_training.bakeoff.tables import ConfigError
from kiwi_training.bakeoff.tasks import key_of
from kiwi_training.bakeoff.trainings import all_trainings


def sets_of(conf, state, kind):
    return [item for item in plan.rollout_sets(conf, state) if item.kind == kind]


def test_every_row_starts_from_the_same_seeds_in_shards():
    conf = config()
    bc, flow4, flow10 = sets_of(conf, known(conf), 'main')
    assert [len(task.work.seeds) for task in bc.tasks] == [20, 20, 10]
    assert bc.seeds == flow4.seeds == tuple((1000 + i, 1000 + i) for i in range(50))
    assert flow10.seeds == bc.seeds[:20]
    assert bc.tasks[0].work.latency == (0.05, 0.1)
    assert flow4.tasks[0].work.sampling == (('num_inference_steps', 4),)


def test_further_training_seeds_run_the_heads_first_row():
    conf = config()
    item, = sets_of(conf, known(conf), 'seeds')
    assert (item.row, item.variant, len(item.seeds)) == ('flow 4', 'seed 8', 30)
    assert item.tasks[0].work.digest == 'd-flow-8-False'


def test_the_key_is_what_matters_and_not_where_it_lies():
    conf = config()
    work = sets_of(conf, known(conf), 'main')[0].tasks[0].work
    assert key_of(work) == key_of(replace(work, checkpoint='/elsewhere'))
    for change in ({'digest': 'other'}, {'seeds': work.seeds[:3]}, {'latency': (0.2,)}, {'noise': 'episode'},
                   {'sampling': (('latent', 'zero'),)}, {'executor': {'mode': 'sync'}}, {'task': 'forced fork'}):
        assert key_of(work) != key_of(replace(work, **change)), change


def test_names_in_the_store_are_unique():
    conf = config(executors={}, coverage={}, noise={'rows': ['flow 4']}, requery={'rows': ['flow 4']},
                  control={'dataset': 'forced'})
    tasks = plan.rollout_tasks(plan.rollout_sets(conf, known(conf)))
    assert len({(task.kind, task.name) for task in tasks}) == len({task.key for task in tasks}) == len(tasks)


def test_the_default_setting_is_not_run_twice():
    conf = config(executors={'trials': 30, 'modes': ['latest', 'sync']}, noise={'rows': ['flow 4'], 'trials': 10},
                  requery={'rows': ['flow 4'], 'trials': 10, 'intervals': ['1', 'H']})
    state = known(conf)
    main = {item.row: item for item in sets_of(conf, state, 'main')}
    latest, sync = [item for item in sets_of(conf, state, 'executors') if item.row == 'flow 4']
    assert latest.tasks == main['flow 4'].tasks[:2] and len(latest.seeds) == 30
    assert [task.kind for task in sync.tasks] == ['executors', 'executors']
    assert sets_of(conf, state, 'noise')[0].tasks == main['flow 4'].tasks[:1]


def test_asked_again_after_so_many_actions_nothing_runs_in_between():
    conf = config(requery={'rows': ['flow 4'], 'trials': 10, 'intervals': ['1', 'H/4', 'H']})
    works = [item.tasks[0].work for item in sets_of(conf, known(conf), 'requery')]
    assert [work.executor for work in works] == [{'mode': 'sync', 'n_action_steps': rows} for rows in (1, 8, 32)]
    assert {work.latency for work in works} == {(0.0,)}


def test_a_row_of_few_trials_is_run_further_where_a_set_asks_for_more():
    conf = config(executors={'trials': 30, 'modes': ['latest'], 'rows': ['flow 10']})
    item, = sets_of(conf, known(conf), 'executors')
    assert [task.kind for task in item.tasks] == ['main', 'executors'] and len(item.seeds) == 30


def test_the_fixed_start_differs_in_sampling_only():
    conf = config(coverage={'trials': 5, 'rows': ['flow 4']})
    item, = sets_of(conf, known(conf), 'coverage')
    assert {seed for seed, _ in item.seeds} == {1000}
    assert len({sampling for _, sampling in item.seeds}) == 5
    assert item.tasks[0].work.latency == (pytest.approx(0.075),)    # one delay, or delays would break the tie


def test_the_control_runs_one_chunk_open_loop():
    conf = config(control={'dataset': 'forced', 'trials': 3, 'horizon': 64})
    item, *others = sets_of(conf, known(conf), 'control')
    work = item.tasks[0].work
    assert [item.row, *(other.row for other in others)] == ['bc', 'flow 4', 'flow 10']
    assert (work.task, work.executor, work.latency) == ('forced fork', {'mode': 'sync'}, (0.0,))
    assert work.time_limit == pytest.approx(64 / 30)
    assert work.digest == 'd-bc-7-True'


def test_what_has_no_checkpoint_or_no_latency_is_left_out():
    conf = config()
    state = known(conf)
    without = replace(state, checkpoints={key: found for key, found in state.checkpoints.items() if key[0] != 'bc'},
                      latencies={'flow 4': state.latencies['flow 4']})
    assert [item.row for item in sets_of(conf, without, 'main')] == ['flow 4']
    assert list(plan.latency_rows(conf, without)) == ['flow 4', 'flow 10']


def test_only_some_rows_are_planned():
    conf = config(overlay={}, films={})
    state = known(conf, only=frozenset({'flow 4'}))
    assert {item.row for item in plan.rollout_sets(conf, state)} == {'flow 4'}
    assert [task.name for task in plan.extras(conf, state, Path('films'))] == ['flow-4', 'flow-4']


def test_slow_chunks_and_short_intervals_take_longer():
    conf = config(requery={'rows': ['flow 4'], 'trials': 1, 'intervals': ['1', 'H']})
    often, seldom = (item.tasks[0].seconds for item in sets_of(conf, known(conf), 'requery'))
    slow, _ = (item.tasks[0].seconds for item in sets_of(conf, known(conf, seconds=(1.0,)), 'requery'))
    assert 0 < seldom < often and slow > seldom


def test_trainings_share_what_a_head_does_not_say(tmp_path):
    conf = config(training={'steps': 10, 'horizon': 16, 'lr': 1e-3}, control={'dataset': 'forced', 'minutes': 3.0})
    trainings = {training.name: training for training in all_trainings(conf, tmp_path)}
    assert list(trainings) == ['bc-seed7', 'flow-seed7', 'flow-seed8', 'control-bc-seed7', 'control-flow-seed7']
    assert trainings['flow-seed8'].options.seed == 8 and trainings['flow-seed8'].options.horizon == 16
    control = trainings['control-flow-seed7'].options
    assert (control.dataset, control.steps, control.minutes, control.horizon) == ('forced', None, 3.0, 64)
    assert control.output == str(tmp_path / 'trainings' / 'control-flow-seed7')


@pytest.mark.parametrize('training, words', [
    ({'steps': 10, 'minutes': 3.0}, "head 'bc': give either"), ({'steps': 10, 'batch_size': 0}, "'bc'.*batch_size.*0")])
def test_training_settings_out_of_bounds_name_their_head(tmp_path, training, words):
    with pytest.raises(ConfigError, match=words):
        all_trainings(config(training=training), tmp_path)
