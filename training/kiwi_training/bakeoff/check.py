"""Everything that can be found wrong before any training: flags, datasets, policies, settings, rows."""

import copy
from dataclasses import dataclass
from pathlib import Path

from kiwi_training.bakeoff.tables import ConfigError
from kiwi_training.bakeoff.trainings import OtherTraining, finished


@dataclass(frozen=True)
class Checked:
    """What the check found.

    Attributes:
        datasets: dataset -> digest of its content.
        unfinished: the trainings that are still to be done.
        notes: sentences worth reading.
    """

    datasets: dict
    unfinished: tuple
    notes: tuple


def check(config, trainings, memo, wanted):
    """Check a configuration against what is installed and what is there.

    Args:
        config: `BakeoffConfig`.
        trainings: every `Training` of it.
        memo: JSON file that remembers digests of dataset files.
        wanted: the `Training`s that are going to be done.

    Raises:
        ConfigError: naming every problem, one per line.
    """
    from kiwi_training.dataset_source import DatasetError, content_digest, open_dataset
    problems, notes, metas, digests = [], [], {}, {}
    for dataset in dict.fromkeys(training.options.dataset for training in trainings):
        try:
            metas[dataset] = open_dataset(dataset)
            digests[dataset] = content_digest(metas[dataset], memo)
        except DatasetError as error:
            problems.append(str(error))
    recipes = {}
    for training in trainings:
        meta = metas.get(training.options.dataset)
        if meta is not None:
            problems += _check_training(training, meta, recipes)
    for head in config.heads:
        if head.name in recipes:
            problems += _check_rows(head, recipes[head.name])
        if head.stock:
            training = next(item for item in trainings if item.head == head.name)
            problems += _check_flags(head, training)
    unfinished = []
    for training in wanted:
        try:
            if not finished(training, digests.get(training.options.dataset)):
                unfinished.append(training)
        except (OtherTraining, ValueError, KeyError) as error:
            problems.append(str(error))
    if not problems:
        problems = list(_problems_of_networks(unfinished, metas))
    if problems:
        raise ConfigError('\n'.join(dict.fromkeys(problems)))
    stock = [head.name for head in config.heads if head.stock]
    notes.append(f'lerobot {_lerobot_version()} is installed' + (
        f'; its lerobot-train offers every flag of {", ".join(stock)}' if stock else ''))
    return Checked(digests, tuple(unfinished), tuple(notes))


def _check_training(training, meta, recipes):
    from kiwi_training.policy_setup import make_recipe
    try:
        recipe = make_recipe(training.options, meta.fps)
    except ValueError as error:
        yield f'head {training.head!r}: {error}'
        return
    recipes.setdefault(training.head, recipe)
    steps = getattr(recipe.policy, 'n_action_steps', None)
    chunk = getattr(recipe.policy, 'chunk_size', None) or getattr(recipe.policy, 'horizon', None)
    if steps and chunk and (steps == 1 or 2 * steps < chunk - getattr(recipe.policy, 'n_obs_steps', 1) + 1):
        yield (f'head {training.head!r}: n_action_steps {steps} is below half of its chunk of {chunk} rows, which '
               'throws chunking away; leave it out, or set it to the chunk')


def _problems_of_networks(trainings, metas):
    """Builds each network that is to be trained once, since some settings are refused only then."""
    from lerobot.policies.factory import make_policy

    from kiwi_training.policy_setup import make_recipe
    for training in {(training.head, training.control): training for training in trainings}.values():
        meta = metas[training.options.dataset]
        recipe = make_recipe(training.options, meta.fps)
        recipe.policy.device = 'cpu'
        try:
            make_policy(recipe.policy, ds_meta=meta)
        except Exception as error:
            yield f'head {training.head!r} cannot be built: {error}'


def _check_rows(head, recipe):
    from kiwi_policy.heads.loader import SAMPLING
    for row in head.rows:
        config = copy.deepcopy(recipe.policy)
        valid = [name for name in SAMPLING if hasattr(config, name)]
        unknown = [name for name in row.sampling if name not in valid]
        if unknown:
            yield (f'row {row.name!r}: {head.policy} has no sampling option {", ".join(unknown)}; '
                   f'it has {", ".join(valid) or "none"}')
            continue
        for name, value in row.sampling.items():
            setattr(config, name, value)
        try:
            config.__post_init__()
        except (ValueError, NotImplementedError) as error:
            yield f'row {row.name!r}: {error}'


def _check_flags(head, training):
    """The same training as `lerobot-train` would be told to do it."""
    from kiwi_training.lerobot_flags import check_flags
    for problem in check_flags(lerobot_arguments(training)):
        yield f'stock head {head.name!r}: {problem}'


def lerobot_arguments(training):
    """Arguments of `lerobot-train` for a training; what it has no flag for is left out."""
    options = training.options
    source = [f'--dataset.repo_id=local/{Path(options.dataset).name}', f'--dataset.root={options.dataset}'] \
        if Path(options.dataset).is_dir() else [f'--dataset.repo_id={options.dataset}']
    return [f'--policy.type={options.policy}', *source, f'--batch_size={options.batch_size}',
            f'--steps={options.steps or 1}', f'--seed={options.seed}', f'--output_dir={options.output}',
            f'--policy.device={options.device or "cpu"}', *(f'--{setting}' for setting in options.settings)]


def _lerobot_version():
    import importlib.metadata
    return importlib.metadata.version('lerobot')
