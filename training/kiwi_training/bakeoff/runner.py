"""Runs a bake-off from its configuration to its report; what is done already is not done again."""

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from kiwi_training.bakeoff import plan
from kiwi_training.bakeoff.check import check
from kiwi_training.bakeoff.gathering import gather
from kiwi_training.bakeoff.inspection import inspect
from kiwi_training.bakeoff.latency import LatencyWork
from kiwi_training.bakeoff.lock import only_one
from kiwi_training.bakeoff.pools import last_line
from kiwi_training.bakeoff.progress import Progress
from kiwi_training.bakeoff.store import Store, write_json, write_whole
from kiwi_training.bakeoff.tasks import Result, Task
from kiwi_training.bakeoff.trainings import TrainingWork, all_trainings, effort, finished, progress_of

STAGES = ('check', 'train', 'latency', 'rollouts', 'report')
LATENCY, FILMS = 'latency', 'films'


@dataclass(frozen=True)
class Options:
    """How a bake-off is run.

    Attributes:
        output: the work folder.
        jobs: tasks at a time; 0 does everything in this process.
        only: names of heads or rows, all where empty.
        until: the last stage to do.
    """

    output: Path
    jobs: int = 2
    only: frozenset = frozenset()
    until: str = 'report'


class Bakeoff:
    """One run of the command.

    Args:
        config: `BakeoffConfig`.
        table: the same as it was read.
        options: `Options`.
        make_pool: callable, the pool for trainings and rollouts.
        make_local_pool: callable, a pool of one process on this machine, where latency is measured.
        say: takes a line.
    """

    def __init__(self, config, table, options, make_pool, make_local_pool, say=print):
        self.config, self.table, self.options = config, table, options
        self.store = Store(options.output)
        self.failures = []
        self._make_pool, self._make_local_pool, self._say = make_pool, make_local_pool, say
        self._trainings = all_trainings(config, options.output)
        self._only_rows = frozenset(row.name for head, row in config.rows
                                    if {head.name, row.name} & options.only)

    def run(self):
        """Do every stage up to `options.until`; returns the summary, None where it was not reached.

        Raises:
            ConfigError: before anything is done.
            FolderInUse: another bake-off works in the folder.
            PoolError: there is no pool.
        """
        checked = check(self.config, self._trainings, self.options.output / '.digests.json', self._wanted())
        for note in checked.notes:
            self._say(note)
        if self._reached('check'):
            return None
        with only_one(self.options.output):
            return self._work(checked)

    def _work(self, checked):
        self._train(checked)
        if self._reached('train'):
            return None
        known = plan.Known(self._inspected(), {}, checked.datasets, self._only_rows)
        known = replace(known, latencies=self._latencies(known))
        if self._reached('latency'):
            return None
        self._roll_out(known)
        if self._reached('rollouts'):
            return None
        return self._summarize(replace(known, only=frozenset()))

    def _reached(self, stage):
        return self.options.until == stage

    def _wanted(self):
        """The trainings that --only asks for."""
        heads = {head.name for head, row in self.config.rows
                 if not self.options.only or {head.name, row.name} & self.options.only}
        return [training for training in self._trainings if training.head in heads]

    def _train(self, checked):
        tasks = [Task('training', training.name, training.name, TrainingWork(
            training.options, checked.datasets[training.options.dataset], self.options.jobs == 0), training.seconds)
            for training in checked.unfinished]
        by_name = {training.name: training for training in self._trainings}
        self._say(f'trainings: {len(self._wanted()) - len(tasks)} of {len(self._wanted())} are there')
        self._do(tasks, self._make_pool, lambda task, result: None, lambda task: progress_of(by_name[task.name]))

    def _inspected(self):
        """(head, seed, control) -> `Inspected` of every training that is finished."""
        found = {}
        for training in self._trainings:
            try:
                if finished(training):
                    found[training.head, training.seed, training.control] = inspect(training.checkpoint)
            except (ValueError, KeyError) as error:
                self._fail(training.name, str(error))
        return found

    def _latencies(self, known):
        """Row -> what was measured; rows that lack it are measured side by side, with nothing else running."""
        rows = plan.latency_rows(self.config, known)
        tasks = {name: Task(LATENCY, plan.slug(name), name, work, 0.0) for name, work in rows.items()}
        missing = {name: rows[name] for name, task in tasks.items()
                   if not self.store.has(task) and (not self._only_rows or name in self._only_rows)}
        if missing:
            self._say(f'latency: {len(missing)} rows side by side')
            side_by_side = Task(LATENCY, 'side by side', 'latency', LatencyWork(tuple(missing.items())),
                                0.2 * self.config.latency.chunks * len(missing))

            def keep(_, result):
                for name in missing:
                    if 'error' in result.record[name]:
                        self._fail(f'latency of {name}', result.record[name]['error'])
                    else:
                        self.store.save(tasks[name], Result(result.record[name]))

            self._do([side_by_side], self._make_local_pool, keep)
        held = {name: self.store.load(task) for name, task in tasks.items()}
        found = {name: result.record for name, result in held.items() if result is not None}
        sessions = sorted({record['session'] for record in found.values()})
        if len(sessions) > 1:
            self._say(f'latencies come from {len(sessions)} sessions ({", ".join(sessions)}) and the machine may have '
                      f'been slower in one; remove {self.store.folder / LATENCY} to measure all side by side')
        return found

    def _roll_out(self, known):
        wanted = plan.rollout_tasks(plan.rollout_sets(self.config, known))
        wanted += plan.extras(self.config, known, self._films)
        tasks = [task for task in wanted if not self._there(task)]
        self._say(f'measurements: {len(wanted) - len(tasks)} of {len(wanted)} are there')
        self._do(tasks, self._make_pool, self.store.save)

    @property
    def _films(self):
        return self.options.output / FILMS

    def _there(self, task):
        return self.store.has(task) and (task.kind != FILMS or Path(task.work.path).is_file())

    def _do(self, tasks, make_pool, keep, share_of=lambda task: None):
        """Run tasks in a pool; `keep` takes each result, failures are noted and the others go on."""
        if not tasks:
            return
        pool = make_pool()
        progress = Progress(sum(task.seconds for task in tasks), self.options.jobs, share_of)
        try:
            for done in pool.run(tasks, progress):
                if done.result is not None:
                    keep(done.task, done.result)
                else:
                    progress.say(f'{done.task.label}: {done.error}')
                    self._fail(done.task.label, done.error, serious=done.task.kind != FILMS)
                progress.finished(done.task)
        finally:
            progress.close()
            pool.close()

    def _fail(self, label, error, serious=True):
        if serious:
            self.failures.append(f'{label}: {error}')
        else:
            self._say(f'left out: {label}: {error}')

    def _summarize(self, known):
        from kiwi_training.bakeoff.summary import Evidence, summarize
        sets = plan.rollout_sets(self.config, known)
        extras = {(task.kind, task.name): self.store.load(task)
                  for task in plan.extras(self.config, known, self._films)}
        made = {kind: {name: result for (which, name), result in extras.items() if which == kind and result}
                for kind in ('overlays', FILMS, 'latents')}
        efforts = {training.name: effort(training.folder) for training in self._trainings}
        summary, arrays = summarize(Evidence(
            self.config, self.table, known, gather(self.store, sets), efforts, made['overlays'],
            {name: result.record for name, result in made[FILMS].items()},
            {name: result.record for name, result in made['latents'].items()}))
        if self.failures:
            summary['failures'] = list(self.failures)
        arrays |= {f'{name}-overlay': result.arrays for name, result in made['overlays'].items()}
        self._write(summary, arrays)
        return summary

    def _write(self, summary, arrays):
        import numpy as np
        for name, content in arrays.items():
            write_whole(self.options.output / 'traces' / f'{name}.npz',
                        lambda file, content=content: np.savez_compressed(file, **content))
        write_json(self.options.output / 'summary.json', json.loads(json.dumps(summary, default=str)))


def report(folder):
    """(path of the HTML page, '') of a work folder's report, or (None, why it could not be written)."""
    try:
        from kiwi_training.bakeoff.report import write_report
        return write_report(folder), ''
    except Exception as error:
        return None, last_line(error)


def say(text):
    """A line on stderr."""
    print(text, file=sys.stderr, flush=True)
