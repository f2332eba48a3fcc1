"""Reads the rollouts of a plan back from the store."""

from dataclasses import dataclass

from kiwi_training.bakeoff.plan import RolloutSet
from kiwi_training.bakeoff.shards import trials_of


@dataclass(frozen=True)
class Gathered:
    """A `RolloutSet` and the `Trial`s of it that have been run."""

    set: RolloutSet
    trials: tuple


def gather(store, sets):
    """`Gathered` of every set that has rollouts; shards are read once."""
    read = {}
    gathered = []
    for item in sets:
        trials = []
        for task in item.tasks:
            if task.key not in read:
                result = store.load(task)
                read[task.key] = trials_of(result) if result is not None else []
            trials += read[task.key]
        wanted = set(item.seeds)
        trials = [trial for trial in trials if (trial.rollout.seed, trial.rollout.sampling_seed) in wanted]
        if trials:
            gathered.append(Gathered(item, tuple(trials)))
    return gathered
