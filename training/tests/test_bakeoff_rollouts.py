"""Latencies that are played back, noise that is kept, and the log that tells how long a training took."""

import json
from dataclasses import replace

import numpy as np
import pytest
from evaluation_fakes import Track, Walker
from kiwi_policy.core.executor import ExecutorConfig
from kiwi_training.bakeoff.trainings import Training, effort, finished, progress_of
from kiwi_training.options import TrainOptions
from kiwi_training.rollouts import RolloutSettings, run_rollout

FREE = ExecutorConfig(ramp_speed=1e6, initial_latency=0.1)


class Listening(Walker):
    """A walker that remembers the seeds it was given."""

    def __init__(self):
        super().__init__()
        self.seeds = []

    def predict(self, history, task='', rng=None, prefix=None):
        self.seeds.append(rng)
        return super().predict(history, task, rng, prefix)


def rolled(latency, seed=0, **changes):
    walker = Listening()
    rollout = run_rollout(Track(), walker, RolloutSettings(FREE, latency, **changes), seed)
    return rollout, walker


def test_one_sample_is_the_same_as_a_number():
    assert np.array_equal(rolled((0.1,))[0].actions, rolled(0.1)[0].actions)


def test_a_rollout_plays_back_the_same_latencies_each_time_and_other_seeds_others():
    samples = (0.0, 0.05, 0.1, 0.2, 0.3)
    first, again, other = (rolled(samples, seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(first.actions, again.actions) and first.status.skipped == again.status.skipped
    assert first.status.latency_p95 > first.status.latency_p50 > 0.0
    assert first.status.skipped != other.status.skipped


def test_every_delay_is_one_of_the_samples():
    rollout, _ = rolled((0.1, 0.2))
    assert rollout.status.latency_p50 in (pytest.approx(0.1), pytest.approx(0.2), pytest.approx(0.15))
    assert rollout.status.latency_p95 == pytest.approx(0.2)


def test_latency_does_not_change_what_is_sampled():
    assert rolled((0.05,))[1].seeds[:3] == rolled((0.2,))[1].seeds[:3]


def test_noise_is_drawn_for_each_chunk_or_kept_for_an_episode():
    _, chunk = rolled(0.0)
    _, episode = rolled(0.0, noise='episode')
    assert len(set(chunk.seeds)) == len(chunk.seeds) > 3
    assert len(set(episode.seeds)) == 1
    assert rolled(0.0, seed=5, noise='episode')[1].seeds[0] != episode.seeds[0]


@pytest.mark.parametrize('changes, word', [
    ({'latency': ()}, 'latency'), ({'latency': (0.1, -0.1)}, 'latency'), ({'noise': 'tick'}, 'chunk, episode')])
def test_settings_out_of_bounds_are_refused(changes, word):
    with pytest.raises(ValueError, match=word):
        RolloutSettings(FREE, **changes)


@pytest.fixture
def run_folder(tmp_path):
    """A run as kiwi-train leaves it: three of ten steps, in two sessions."""
    options = TrainOptions('demos', str(tmp_path), policy='kiwi_bc', steps=10, seed=7)
    state = tmp_path / 'checkpoints' / 'last' / 'training_state'
    state.mkdir(parents=True)
    options.save(state / 'kiwi_train.json')
    (state / 'kiwi_progress.json').write_text(json.dumps({'step': 3, 'elapsed': 70.0, 'total': 10}))
    lines = [{'step': 1, 'elapsed_s': 30.0}, {'step': 2, 'elapsed_s': 60.0}, {'step': 3, 'elapsed_s': 12.0}]
    (tmp_path / 'log.jsonl').write_text('\n'.join(map(json.dumps, lines)) + '\n{"st')
    (tmp_path / 'sessions').mkdir()
    for name, wall, cpu in (('a', 80.0, 40.0), ('b', 20.0, 10.0)):
        (tmp_path / 'sessions' / f'{name}.json').write_text(json.dumps({'wall_s': wall, 'cpu_s': cpu}))
    return Training('bc', 7, False, 'bc-seed7', options)


def test_minutes_are_those_of_the_steps_that_were_kept(run_folder):
    found = effort(run_folder.folder)
    assert (found.steps, found.minutes, found.cpu_minutes) == (3, pytest.approx(1.2), pytest.approx(0.6))
    assert progress_of(run_folder) == pytest.approx(0.3)


def test_a_training_is_finished_at_the_asked_step_only(run_folder):
    assert not finished(run_folder)
    (run_folder.folder / 'checkpoints/last/training_state/kiwi_progress.json').write_text(
        json.dumps({'step': 10, 'elapsed': 70.0, 'total': 10}))
    assert finished(run_folder)


def test_another_training_in_the_folder_is_refused_with_the_difference(run_folder):
    asked = replace(run_folder, options=replace(run_folder.options, batch_size=8, dataset='elsewhere', log_every=3))
    with pytest.raises(ValueError, match='batch_size is 64 there, 8 here'):
        finished(asked)
    moved = replace(run_folder, options=replace(run_folder.options, dataset='elsewhere', log_every=3))
    assert not finished(moved, 'digest')
    (run_folder.folder / 'dataset.json').write_text(json.dumps({'digest': 'other'}))
    with pytest.raises(ValueError, match='its dataset had the content other'):
        finished(moved, 'digest')


def test_a_folder_without_a_checkpoint_has_everything_to_do(tmp_path):
    options = TrainOptions('demos', str(tmp_path), steps=1)
    assert not finished(Training('bc', 7, False, 'bc-seed7', options))
    assert progress_of(Training('bc', 7, False, 'bc-seed7', options)) == 0.0
