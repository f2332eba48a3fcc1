"""Trainings of a bake-off: what each is asked to be, what is there already, and how it is run."""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from kiwi_training.bakeoff.names import training_name
from kiwi_training.bakeoff.store import write_json
from kiwi_training.bakeoff.tables import ConfigError
from kiwi_training.bakeoff.tasks import Result, place
from kiwi_training.bakeoff.training_process import ASKED, read_sessions
from kiwi_training.options import TrainOptions

CHECKPOINT = Path('checkpoints', 'last')
PRETRAINED = CHECKPOINT / 'pretrained_model'
SAVED_OPTIONS = CHECKPOINT / 'training_state' / 'kiwi_train.json'
PROGRESS = CHECKPOINT / 'training_state' / 'kiwi_progress.json'
DATASET = 'dataset.json'
NOT_COMPARED = ('output', 'dataset', 'cache_dir', 'log_every', 'save_steps', 'save_minutes')
"""Options that say where things lie and how often they are written."""
PROCESS = [sys.executable, '-m', 'kiwi_training.bakeoff.training_process']
PATIENCE = 75.0
"""s a training gets to save its checkpoint when it is stopped."""


class OtherTraining(ValueError):
    """A run folder holds a training other than the one asked for."""


class TrainingFailed(RuntimeError):
    """The training's process ended early."""


@dataclass(frozen=True)
class Training:
    """One run of a head.

    Attributes:
        head: name of the [[heads]] entry.
        seed: of weights, order and noise.
        control: True for the forced fork's.
        name: of its folder below `trainings/`.
        options: `TrainOptions`, its output the absolute run folder.
    """

    head: str
    seed: int
    control: bool
    name: str
    options: TrainOptions

    @property
    def folder(self):
        """The run folder."""
        return Path(self.options.output)

    @property
    def checkpoint(self):
        """What to load once it is trained."""
        return self.folder / PRETRAINED

    @property
    def seconds(self):
        """A guess of how long it takes."""
        return 60 * self.options.minutes if self.options.minutes else 0.45 * self.options.steps


def all_trainings(config, output):
    """Every `Training` a configuration asks for, the forced fork's last.

    Raises:
        ConfigError: a head has training settings out of bounds.
    """
    trainings = [_training(config, head, seed, output) for head in config.heads for seed in config.seeds(head)]
    if config.control is not None and config.control.trials:
        trainings += [_training(config, head, config.seeds(head)[0], output, control=True)
                      for head in config.heads if control_rows(config, head)]
    return trainings


def control_rows(config, head):
    """The rows of a head that run at the forced fork."""
    if config.control is None or not head.control:
        return []
    if config.control.rows:
        return [row for row in head.rows if row.name in config.control.rows]
    return list(head.rows)


def _training(config, head, seed, output, control=False):
    shared = config.training
    name = training_name(head.name, seed, control)
    steps, minutes = head.steps, head.minutes
    if control and head.control_steps:
        steps, minutes = head.control_steps, None
    elif control and (config.control.steps or config.control.minutes):
        steps, minutes = config.control.steps, config.control.minutes
    if steps is None and minutes is None:
        steps, minutes = shared.steps, shared.minutes

    def own(field):
        value = getattr(head, field)
        return value if value is not None else getattr(shared, field)

    try:
        options = TrainOptions(
            dataset=config.control.dataset if control else config.dataset,
            output=str((Path(output) / 'trainings' / name).absolute()), policy=head.policy, settings=head.settings,
            steps=steps, minutes=minutes, batch_size=own('batch_size'), lr=own('lr'), threads=own('threads'),
            horizon=config.control.horizon if control else own('horizon'), seed=seed, schedule=shared.schedule,
            ema=shared.ema, precision=shared.precision, device=shared.device, resize=shared.resize,
            cache_dir=shared.cache_dir, val_split=shared.val_split, val_every=shared.val_every,
            log_every=shared.log_every, save_minutes=shared.save_minutes)
    except ValueError as error:
        raise ConfigError(f'head {head.name!r}{" at the forced fork" if control else ""}: {error}') from error
    return Training(head.name, seed, control, name, options)


def finished(training, dataset_digest=None):
    """True where the run folder holds this training, trained to its end; False where there is (more) to do.

    Args:
        training: `Training`.
        dataset_digest: of the dataset's content, None where it is not to be compared.

    Raises:
        OtherTraining: the folder holds another training.
    """
    folder, asked = training.folder, training.options
    if not (folder / SAVED_OPTIONS).is_file():
        return False
    saved = asdict(TrainOptions.load(folder / SAVED_OPTIONS))
    differences = [f'{name} is {saved[name]!r} there, {value!r} here' for name, value in asdict(asked).items()
                   if name not in NOT_COMPARED and saved[name] != value]
    known = _read(folder / DATASET).get('digest')
    if dataset_digest and known and known != dataset_digest:
        differences.append(f'its dataset had the content {known}, that of {asked.dataset} is {dataset_digest}')
    if differences:
        raise OtherTraining(f'{folder} holds another training: {"; ".join(differences)}. Choose another --output '
                            'or another name for the head, or remove the folder')
    progress = _read(folder / PROGRESS)
    if asked.steps:
        return progress['step'] >= asked.steps
    return progress['elapsed'] >= 60 * asked.minutes


def progress_of(training):
    """Share of the training that is done, 0..1, from its log."""
    line = _last_line(training.folder / 'log.jsonl')
    if line is None:
        return 0.0
    done = line['step'] / training.options.steps if training.options.steps \
        else line['elapsed_s'] / (60 * training.options.minutes)
    return min(1.0, done)


@dataclass(frozen=True)
class Effort:
    """What a training took.

    Attributes:
        steps: done.
        minutes: wall-clock minutes of the steps that were kept, decoding not counted.
        cpu_minutes: processor minutes likewise; None where no session noted them.
    """

    steps: int
    minutes: float
    cpu_minutes: float | None


def effort(folder):
    """`Effort` of a run folder. Work that was lost to an interruption and done again counts once."""
    folder = Path(folder)
    seconds = longest = 0.0
    for line in _lines(folder / 'log.jsonl'):
        if line['elapsed_s'] < longest:        # the clock of the log starts anew with each session
            seconds, longest = seconds + longest, 0.0
        longest = max(longest, line['elapsed_s'])
    wall, cpu = read_sessions(folder)
    minutes = (seconds + longest) / 60
    return Effort(_read(folder / PROGRESS).get('step', 0), minutes, minutes * cpu / wall if wall else None)


@dataclass(frozen=True)
class TrainingWork:
    """Trains in a process of its own, from the last checkpoint where there is one.

    Attributes:
        folder: of the run; its `asked.json` holds the options.
        options: `TrainOptions`.
        dataset_digest: noted in the run's folder.
        here: True trains in the calling process.
    """

    options: TrainOptions
    dataset_digest: str
    here: bool = place(False)

    @property
    def gpus(self):
        """GPUs to reserve."""
        return int((self.options.device or '').startswith('cuda'))

    def run(self):
        folder = Path(self.options.output)
        folder.mkdir(parents=True, exist_ok=True)
        self.options.save(folder / ASKED)
        write_json(folder / DATASET, {'digest': self.dataset_digest})
        if self.here:
            from kiwi_training.bakeoff.training_process import train
            if not train(folder):
                raise KeyboardInterrupt
        else:
            _train_apart(folder, self.options.threads)
        return Result({'folder': str(folder)})


def _train_apart(folder, threads):
    environment = dict(os.environ, PYTHONUNBUFFERED='1')
    if threads:
        environment['OMP_NUM_THREADS'] = str(threads)
    with (folder / 'output.log').open('ab') as log:
        process = subprocess.Popen([*PROCESS, str(folder)], stdin=subprocess.PIPE, stdout=log,
                                   stderr=subprocess.STDOUT, start_new_session=True, env=environment)
        try:
            code = process.wait()
        finally:
            process.stdin.close()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    if code:
        raise TrainingFailed(f'{_last_words(folder / "output.log")} (exit code {code}, see {folder / "output.log"})')


def _last_words(path):
    lines = path.read_text(errors='replace').replace('\r', '\n').split('\n')
    return next((line.strip() for line in reversed(lines) if line.strip()), 'it said nothing')


def _lines(path):
    try:
        text = path.read_text()
    except FileNotFoundError:
        return
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def _last_line(path):
    last = None
    for line in _lines(path):
        last = line
    return last


def _read(path):
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return {}
