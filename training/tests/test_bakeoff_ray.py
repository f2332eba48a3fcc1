"""The pool on Ray's real local runtime; needs Ray, which is optional."""

import sys

import pytest
from bakeoff_support import Doubled, Dying, Failing, Watcher, task
from kiwi_training.bakeoff.pools import PoolError
from kiwi_training.bakeoff.ray_pool import RayPool


def test_without_ray_the_message_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ray', None)
    with pytest.raises(PoolError, match='pip install ray'):
        RayPool()


def test_tasks_run_on_ray_and_failures_do_not_stop_the_others(tmp_path):
    pytest.importorskip('ray')
    pool = RayPool('local', jobs=2)
    try:
        works = {'fails': Failing(), 'dies': Dying()} | {str(n): Doubled(str(tmp_path), n) for n in range(3)}
        watcher = Watcher()
        done = {each.task.name: each for each in pool.run([task(work, name) for name, work in works.items()], watcher)}
    finally:
        pool.close()
    assert set(watcher.started_tasks) == set(works)
    assert done['fails'].error == 'ValueError: the tyre is flat'
    assert done['dies'].result is None and done['dies'].error
    assert [done[str(n)].result.record['twice'] for n in range(3)] == [0, 2, 4]
    assert done['2'].result.arrays['array'].tolist() == [2, 2, 2]
