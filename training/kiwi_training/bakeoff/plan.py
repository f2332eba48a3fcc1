"""Which measurements a configuration asks for, once its checkpoints are known: pure functions, no files."""

from dataclasses import dataclass, field, replace

import numpy as np

from kiwi_policy.core.features import RATE_HZ
from kiwi_policy.core.sampling_seeds import NOISES
from kiwi_sim.forced_fork import FORCED_TASK
from kiwi_training.bakeoff.filming import FilmWork
from kiwi_training.bakeoff.latency import RowLatency
from kiwi_training.bakeoff.latent import LatentWork
from kiwi_training.bakeoff.names import slug
from kiwi_training.bakeoff.overlay import OverlayWork
from kiwi_training.bakeoff.sections import interval_rows
from kiwi_training.bakeoff.shards import RolloutWork
from kiwi_training.bakeoff.tasks import Task, key_of
from kiwi_training.bakeoff.trainings import control_rows

EPISODE_SECONDS = 7.0
"""Simulated s of a usual episode, and the processor's s of its physics, for guesses of how long a shard takes."""
PHYSICS_SECONDS = 0.8
USUAL_INTERVAL = {'sync': 1.0, 'latest': 0.25, 'ensemble': 0.13}    # s between two chunks
MODES = {
    'sync': {'mode': 'sync'}, 'latest': {'mode': 'latest'},
    'ensemble newest': {'mode': 'ensemble', 'favor': 'newest'},
    'ensemble oldest': {'mode': 'ensemble', 'favor': 'oldest'},
}
COVERAGE_SEED = 1_000_000
"""First sampling seed from the fixed start, apart from all others."""


@dataclass(frozen=True)
class Known:
    """What has been found out so far.

    Attributes:
        checkpoints: (head, seed, control) -> `Inspected`.
        latencies: row -> {'seconds', ...} as measured.
        datasets: dataset -> content digest.
        only: row names that are wanted, all where empty.
    """

    checkpoints: dict
    latencies: dict = field(default_factory=dict)
    datasets: dict = field(default_factory=dict)
    only: frozenset = frozenset()


@dataclass(frozen=True)
class RolloutSet:
    """Rollouts of one row under one setting, in shards.

    Attributes:
        kind: which part of the report: 'main', 'seeds', 'executors', 'coverage', 'requery', 'noise', 'control'.
        row, head: names of the row and of its [[heads]] entry.
        variant: what is varied: the training seed, the executor, the interval, the noise; else empty.
        seeds: (environment seed, sampling seed) of its rollouts.
        tasks: `Task`s that hold them, and maybe others.
    """

    kind: str
    row: str
    head: str
    variant: str
    seeds: tuple
    tasks: tuple


def latency_rows(config, known):
    """Row name -> `RowLatency` of every row whose checkpoint there is."""
    rows = {}
    for head, row in config.rows:
        found = known.checkpoints.get((head.name, config.seeds(head)[0], False))
        if found is not None:
            rows[row.name] = RowLatency(found.folder, found.digest, sampling_of(row), config.rollouts.image_size,
                                        config.latency.chunks, config.latency.warm_up, config.latency.device)
    return rows


def rollout_sets(config, known):
    """Every `RolloutSet` that can be planned: its checkpoint is there and its latency is measured."""
    sets = [*_main(config, known), *_coverage(config, known), *_executors(config, known), *_requery(config, known),
            *_noise(config, known), *_control(config, known), *_seeds(config, known)]
    return list(_shared(item for item in sets if item.tasks))


def rollout_tasks(sets):
    """The tasks of all sets, each once."""
    return list({(task.kind, task.name): task for item in sets for task in item.tasks}.values())


def _shared(sets):
    """The same sets; rollouts that an earlier set of the same setting has are taken from there."""
    first, tasks = {}, {}
    for item in sets:
        setting = key_of(replace(item.tasks[0].work, seeds=()))
        earlier = first.setdefault(setting, item)
        wanted = set(item.seeds)
        if wanted <= set(earlier.seeds):
            item = replace(item, tasks=tuple(task for task in earlier.tasks if wanted & set(task.work.seeds)))
        yield replace(item, tasks=tuple(tasks.setdefault(task.key, task) for task in item.tasks))


def extras(config, known, films):
    """`Task`s for the pictures and the latent: overlays, films (into the folder `films`), latents."""
    tasks = []
    for head, row, found in _rows(config, known, config.overlay.rows if config.overlay else None):
        tasks.append(Task('overlays', slug(row.name), f'{row.name}: chunks at the fork', OverlayWork(
            found.folder, found.digest, sampling_of(row), config.rollouts.image_size, config.rollouts.seed,
            config.overlay.samples, config.rollouts.jpeg, config.task, config.latency.device), 5.0))
    for head, row, found in _rows(config, known, config.films.rows if config.films else None):
        work = replace(_work(config, known, row, found), seeds=((config.rollouts.seed,) * 2,))
        tasks.append(Task('films', slug(row.name), f'{row.name}: film', FilmWork(
            str(films / f'{slug(row.name)}.mp4'), work, config.films.height, config.films.width), 15.0))
    return tasks + list(_latents(config, known))


def sampling_of(row):
    """A row's sampling overrides as a tuple of pairs."""
    return tuple(sorted(row.sampling.items()))


def _rows(config, known, names):
    """(head, row, checkpoint of the head's first seed) that can be run; none where `names` is None."""
    if names is None:
        return
    for head, row in config.select(names):
        found = known.checkpoints.get((head.name, config.seeds(head)[0], False))
        if found is not None and row.name in known.latencies and (not known.only or row.name in known.only):
            yield head, row, found


def _median_latency(known, row):
    return float(np.median(known.latencies[row.name]['seconds']))


def _work(config, known, row, found, **changes):
    """The `RolloutWork` of a row in its default setting, without seeds."""
    shared = config.rollouts
    work = RolloutWork(
        found.folder, found.digest, sampling_of(row), 'fork', MODES['latest'],
        tuple(known.latencies[row.name]['seconds']), 'chunk', (), shared.time_limit, tuple(shared.image_size),
        shared.image_delay, shared.jpeg, config.task, config.latency.device)
    return replace(work, **changes)


def _set(config, kind, row, head, work, seeds, variant='', chunk=None):
    """A `RolloutSet`: the work cut into shards of the seeds; `chunk` s of inference, as far as not played back."""
    size, tasks = config.rollouts.shard, []
    label = f'{row}{f", {variant}" if variant else ""} ({kind})'
    for start in range(0, len(seeds), size):
        part = tuple(seeds[start:start + size])
        name = '-'.join(filter(None, (slug(row), slug(variant), f'{start:04d}')))
        tasks.append(Task(kind, name, label, replace(work, seeds=part), guessed_seconds(work, chunk) * len(part)))
    return RolloutSet(kind, row, head, variant, tuple(seeds), tuple(tasks))


def guessed_seconds(work, chunk=None):
    """How long a rollout of a `RolloutWork` may take: its physics, and its chunks at their median latency."""
    late = float(np.median(work.latency))
    rows = work.executor.get('n_action_steps')
    interval = rows / RATE_HZ if rows else USUAL_INTERVAL[work.executor['mode']]
    return PHYSICS_SECONDS + EPISODE_SECONDS / max(interval, late) * (late if chunk is None else chunk)


def _paired(config, trials):
    first = config.rollouts.seed
    return [(first + index, first + index) for index in range(trials)]


def _trials(row, trials):
    return trials if row.trials is None else min(row.trials, trials)


def _main(config, known):
    for head, row, found in _rows(config, known, ()):
        yield _set(config, 'main', row.name, head.name, _work(config, known, row, found),
                   _paired(config, _trials(row, config.rollouts.trials)))


def _seeds(config, known):
    for head, row, _ in _rows(config, known, ()):
        if row is not head.rows[0]:
            continue
        for seed in config.seeds(head)[1:]:
            found = known.checkpoints.get((head.name, seed, False))
            if found is not None:
                yield _set(config, 'seeds', row.name, head.name, _work(config, known, row, found),
                           _paired(config, _trials(row, config.rollouts.extra_seed_trials)), f'seed {seed}')


def _executors(config, known):
    if config.executors is None:
        return
    for head, row, found in _rows(config, known, config.executors.rows):
        for mode in config.executors.modes:
            yield _set(config, 'executors', row.name, head.name,
                       _work(config, known, row, found, executor=MODES[mode]),
                       _paired(config, config.executors.trials), mode)


def _coverage(config, known):
    if config.coverage is None:
        return
    start = config.rollouts.seed
    for head, row, found in _rows(config, known, config.coverage.rows):
        work = _work(config, known, row, found, latency=(_median_latency(known, row),))
        yield _set(config, 'coverage', row.name, head.name, work,
                   [(start, COVERAGE_SEED + index) for index in range(config.coverage.trials)])


def _requery(config, known):
    if config.requery is None:
        return
    for head, row, found in _rows(config, known, config.requery.rows):
        for rows in dict.fromkeys(interval_rows(each, found.horizon) for each in config.requery.intervals):
            executor = MODES['sync'] | {'n_action_steps': rows}
            work = _work(config, known, row, found, executor=executor, latency=(0.0,))
            yield _set(config, 'requery', row.name, head.name, work, _paired(config, config.requery.trials),
                       f'every {rows}', _median_latency(known, row))


def _noise(config, known):
    if config.noise is None:
        return
    for head, row, found in _rows(config, known, config.noise.rows):
        for noise in NOISES:
            yield _set(config, 'noise', row.name, head.name, _work(config, known, row, found, noise=noise),
                       _paired(config, config.noise.trials), noise)


def _control(config, known):
    if config.control is None:
        return
    first = config.control.seed
    seeds = [(first + index, first + index) for index in range(config.control.trials)]
    for head in config.heads:
        found = known.checkpoints.get((head.name, config.seeds(head)[0], True))
        if found is None:
            continue
        for row in control_rows(config, head):
            if known.only and row.name not in known.only:
                continue
            work = RolloutWork(
                found.folder, found.digest, sampling_of(row), 'forced fork', MODES['sync'], (0.0,), 'chunk', (),
                min(config.control.horizon, found.horizon) * found.period, tuple(config.rollouts.image_size),
                config.rollouts.image_delay, config.rollouts.jpeg, FORCED_TASK, config.latency.device)
            yield _set(config, 'control', row.name, head.name, work, seeds)


def _latents(config, known):
    if config.latent is None:
        return
    for (name, seed, control), found in known.checkpoints.items():
        head = next(head for head in config.heads if head.name == name)
        chosen = head.name in config.latent.heads if config.latent.heads else head.policy == 'kiwi_cvae'
        wanted = not known.only or any(row.name in known.only for row in head.rows)
        if not (chosen and wanted and seed == config.seeds(head)[0]):
            continue
        dataset = config.control.dataset if control else config.dataset
        label = f'{name}: latent{" (forced fork)" if control else ""}'
        yield Task('latents', f'{slug(name)}{"-control" if control else ""}', label, LatentWork(
            found.folder, dataset, config.training.cache_dir, found.digest, known.datasets.get(dataset, ''),
            config.training.val_split, config.training.resize, config.latent.frames), 20.0)
