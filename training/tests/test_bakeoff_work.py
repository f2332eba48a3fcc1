"""Store and pools: results whole or not at all, failed tasks beside good ones, no process left behind."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pytest
from bakeoff_support import Doubled, Dying, Failing, Sleeping, Watcher, task, trial
from kiwi_training.bakeoff.local_pool import LocalPool
from kiwi_training.bakeoff.pools import Here
from kiwi_training.bakeoff.shards import pack, trials_of
from kiwi_training.bakeoff.store import Store, write_whole
from kiwi_training.bakeoff.tasks import Result


@pytest.fixture
def pool():
    made = LocalPool(2)
    yield made
    made.close()


def alive(process):
    return Path(f'/proc/{process}').exists() and ' Z ' not in Path(f'/proc/{process}/stat').read_text()


def test_a_result_is_found_by_what_it_was_made_from(tmp_path):
    store = Store(tmp_path)
    one = task(Doubled('anywhere', 1))
    assert not store.has(one) and store.load(one) is None
    store.save(one, Result({'a': 1}, {'b': np.arange(3)}))
    result = store.load(task(Doubled('elsewhere', 1)))
    assert result.record == {'a': 1} and result.arrays['b'].tolist() == [0, 1, 2]
    assert not store.has(task(Doubled('anywhere', 2)))


def test_a_torn_or_incomplete_result_is_none(tmp_path):
    store = Store(tmp_path)
    one = task(Doubled('', 1))
    store.save(one, Result({}, {'b': np.arange(3)}))
    path = store.path('things', 'task')
    whole = path.read_text()
    path.write_text(whole[:10])
    assert not store.has(one)
    path.write_text(whole)
    assert store.has(one)
    path.with_suffix('.npz').unlink()
    assert not store.has(one)


def test_arrays_of_another_task_are_never_taken_for_the_ones_of_before(tmp_path, monkeypatch):
    store, before, after = Store(tmp_path), task(Doubled('', 1)), task(Doubled('', 2))
    store.save(before, Result({}, {'b': np.arange(3)}))

    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr('kiwi_training.bakeoff.store.write_json', killed)
        with pytest.raises(KeyboardInterrupt):
            store.save(after, Result({}, {'b': np.arange(5)}))
    assert not store.has(before) and not store.has(after)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / 'deep' / 'file'
    write_whole(path, lambda file: file.write(b'old'))

    def fail(file):
        file.write(b'ne')
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, fail)
    assert path.read_bytes() == b'old' and list(path.parent.iterdir()) == [path]


def test_rollouts_survive_the_store(tmp_path):
    store, one = Store(tmp_path), task(Doubled('', 1))
    trials = [trial(3, sides=('left', 'none')), trial(4, False, 'right', ticks=9)]
    store.save(one, pack([each.rollout for each in trials], [each.sides for each in trials],
                         [each.xy for each in trials]))
    json.loads(store.path('things', 'task').read_text())
    for before, after in zip(trials, trials_of(store.load(one)), strict=True):
        assert after.sides == before.sides
        np.testing.assert_array_equal(after.xy, before.xy)
        np.testing.assert_array_equal(after.rollout.actions, before.rollout.actions)
        np.testing.assert_array_equal(after.rollout.takeover, before.rollout.takeover)
        assert after.rollout.smoothness == before.rollout.smoothness and after.rollout.side == before.rollout.side


def test_tasks_run_one_after_the_other_here():
    watcher = Watcher()
    done = list(Here().run([task(Failing(), 'a'), task(Failing(), 'b')], watcher))
    assert [each.error for each in done] == ['ValueError: the tyre is flat'] * 2
    assert watcher.started_tasks == ['a', 'b']


def test_failures_and_dead_processes_do_not_stop_the_others(pool, tmp_path):
    works = {'fails': Failing(), 'dies': Dying()} | {str(n): Doubled(str(tmp_path), n) for n in range(4)}
    done = {each.task.name: each for each in pool.run([task(work, name) for name, work in works.items()], Watcher())}
    assert set(done) == set(works)
    assert done['fails'].error == 'ValueError: the tyre is flat'
    assert 'exit code 3' in done['dies'].error
    assert [done[str(n)].result.record['twice'] for n in range(4)] == [0, 2, 4, 6]
    assert len(list(tmp_path.iterdir())) == 4


def test_processes_are_used_again(pool, tmp_path):
    done = list(pool.run([task(Doubled(str(tmp_path), n), str(n)) for n in range(6)], Watcher()))
    assert len({each.result.record['process'] for each in done}) <= 2
    assert os.getpid() not in {each.result.record['process'] for each in done}


def test_a_closed_pool_leaves_no_process(tmp_path):
    pool = LocalPool(1)
    running = pool.run([task(Sleeping(str(tmp_path)))], type('Stop', (Watcher,), {
        'tick': lambda self: (_ for _ in ()).throw(KeyboardInterrupt) if list(tmp_path.iterdir()) else None})())
    with pytest.raises(KeyboardInterrupt):
        list(running)
    process = int(next(tmp_path.iterdir()).name.split('-')[1])
    assert alive(process)
    pool.close()
    deadline = time.monotonic() + 10
    while alive(process) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not alive(process)
