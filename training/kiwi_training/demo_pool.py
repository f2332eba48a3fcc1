"""Demonstrations made in worker processes and handed over in the order of their seeds."""

import multiprocessing
from collections import deque
from concurrent.futures import ProcessPoolExecutor

from kiwi_training.demonstrations import Demonstrator
from kiwi_training.worker_process import follow_parent

_demonstrator = None


def demonstrate(seeds, jobs, **options):
    """Yield the `Demonstration` of each seed, in order; `seeds` may be endless.

    At most two demonstrations per worker wait to be taken, so that memory stays bounded.

    Args:
        seeds: iterable of int.
        jobs: worker processes; 1 works in this process.
        options: arguments of `Demonstrator`.
    """
    if jobs < 1:
        raise ValueError(f'{jobs} jobs: at least 1 is needed')
    if jobs == 1:
        yield from _demonstrate_here(seeds, options)
    else:
        yield from _demonstrate_in_workers(seeds, jobs, options)


def _demonstrate_here(seeds, options):
    demonstrator = Demonstrator(**options)
    try:
        for seed in seeds:
            yield demonstrator.record(seed)
    finally:
        demonstrator.close()


def _demonstrate_in_workers(seeds, jobs, options):
    seeds = iter(seeds)
    pool = ProcessPoolExecutor(
        jobs, multiprocessing.get_context('spawn'), initializer=_start_worker, initargs=(options,)
    )
    pending = deque()
    try:
        while True:
            while len(pending) < 2 * jobs and (seed := next(seeds, None)) is not None:
                pending.append(pool.submit(_record, seed))
            if not pending:
                return
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _start_worker(options):
    global _demonstrator
    follow_parent()
    _demonstrator = Demonstrator(**options)


def _record(seed):
    return _demonstrator.record(seed)
