"""What a bake-off is told to do: one frozen dataclass per table of its TOML file."""

import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

from kiwi_training.bakeoff.names import slug
from kiwi_training.bakeoff.sections import (
    Control,
    Coverage,
    Decision,
    Executors,
    Films,
    Latency,
    Latent,
    Noise,
    Overlay,
    Requery,
    Rollouts,
    Training,
)
from kiwi_training.bakeoff.tables import ConfigError, read_table
from kiwi_training.overrides import suggestion


@dataclass(frozen=True)
class Row:
    """One way to sample a head: a row of the table.

    Attributes:
        name: unique label; the head's name where empty.
        sampling: fields of the policy's config set when loading, e.g. {num_inference_steps = 4}.
        trials: rollouts of this row where it shall have fewer than the others.
        note: shown beside the row.
    """

    name: str = ''
    sampling: dict = field(default_factory=dict)
    trials: int | None = None
    note: str = ''


@dataclass(frozen=True)
class Head:
    """A network to train: one entry of [[heads]].

    What is None is taken from [training].

    Attributes:
        name: unique.
        policy: LeRobot policy type.
        settings: as for `kiwi-train --set`, e.g. ["policy.likelihood=gaussian"].
        rows: how it is sampled; one row of the head's name where there is none.
        stock: True for LeRobot's own policies, whose flags are checked against the installed lerobot-train.
        note: shown beside its rows.
        control: False leaves the head out of the control.
        minutes, steps: at most one of them.
        control_steps: how long its network for the control is trained, where it differs from [control].
        batch_size, horizon, threads, lr, seeds: as in [training].
    """

    name: str
    policy: str
    settings: tuple[str, ...] = ()
    rows: tuple[Row, ...] = ()
    stock: bool = False
    note: str = ''
    control: bool = True
    steps: int | None = None
    minutes: float | None = None
    batch_size: int | None = None
    horizon: int | None = None
    threads: int | None = None
    lr: float | None = None
    seeds: tuple[int, ...] | None = None
    control_steps: int | None = None

    def __post_init__(self):
        if self.seeds is not None and (not self.seeds or len(set(self.seeds)) != len(self.seeds)):
            raise ValueError(f'seeds of {self.name!r} must be different numbers, at least one, got {list(self.seeds)}')
        if self.steps is not None and self.minutes is not None:
            raise ValueError(f'head {self.name!r} has steps and minutes: give one of them')
        rows = self.rows or (Row(),)
        unnamed = [row for row in rows if not row.name]
        if len(unnamed) > 1:
            raise ValueError(f'head {self.name!r} has {len(unnamed)} rows without a name; one of them may do without')
        object.__setattr__(self, 'rows', tuple(row if row.name else replace(row, name=self.name) for row in rows))


@dataclass(frozen=True)
class BakeoffConfig:
    """A whole configuration. A set of rollouts whose table is missing is left out.

    Attributes:
        dataset: folder of a LeRobotDataset v3, relative to the configuration's folder, or a Hub id.
        title: of the report.
        output: the work folder, relative to where the command runs.
        task: text given to language-conditioned heads.
    """

    dataset: str
    heads: tuple[Head, ...]
    title: str = 'Bake-off'
    output: str = 'bakeoff'
    task: str = 'Put the cube on the disc.'
    training: Training = Training()
    rollouts: Rollouts = Rollouts()
    latency: Latency = Latency()
    decision: Decision = Decision()
    executors: Executors | None = None
    coverage: Coverage | None = None
    requery: Requery | None = None
    noise: Noise | None = None
    control: Control | None = None
    latent: Latent | None = None
    overlay: Overlay | None = None
    films: Films | None = None

    def __post_init__(self):
        problems = [*_problems_with_heads(self.heads), *self._problems_with_names()]
        if problems:
            raise ConfigError('\n'.join(problems))

    @property
    def rows(self):
        """(head, row) of the whole table, in its order."""
        return [(head, row) for head in self.heads for row in head.rows]

    def select(self, names):
        """(head, row) of these row names, in the table's order; of all where `names` is empty."""
        return [(head, row) for head, row in self.rows if not names or row.name in names]

    def seeds(self, head):
        """Training seeds of a head, the first of which stands for it."""
        return head.seeds or self.training.seeds

    def _problems_with_names(self):
        rows = [row.name for _, row in self.rows]
        asked = [(table, name) for table in ('executors', 'coverage', 'requery', 'noise', 'control', 'overlay', 'films')
                 if getattr(self, table) is not None for name in getattr(self, table).rows]
        asked += [('decision', name) for pair in self.decision.pairs for name in pair]
        asked += [('decision', self.decision.reference)] if self.decision.reference else []
        problems = [f'[{table}] names the row {name!r}, which no head has{suggestion(name, rows)}'
                    for table, name in asked if name not in rows]
        heads = [head.name for head in self.heads]
        if self.latent is not None:
            problems += [f'[latent] names the head {name!r}, which there is not{suggestion(name, heads)}'
                         for name in self.latent.heads if name not in heads]
        for head in self.heads:
            if not (head.steps or head.minutes or self.training.steps or self.training.minutes):
                problems.append(f'head {head.name!r} has neither steps nor minutes, and [training] has none either')
        return problems


def _problems_with_heads(heads):
    if not heads:
        yield 'there is no [[heads]] entry'
    for what, names in (('head', [head.name for head in heads]),
                        ('row', [row.name for head in heads for row in head.rows])):
        for index, name in enumerate(names):
            if not slug(name):
                yield f'{what} {name!r}: a name needs a letter or a digit'
            elif slug(name) in map(slug, names[:index]):
                yield f'two {what}s are called {name!r} (upper and lower case and signs do not count)'


def read_config(path):
    """The configuration in a TOML file.

    Returns:
        `BakeoffConfig` whose dataset folders are absolute, and the dict as it was read.

    Raises:
        ConfigError: naming what is wrong and what would do.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding='utf-8'))
    except OSError as error:
        raise ConfigError(f'{path} cannot be read: {error.strerror}') from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f'{path} is no TOML: {error}') from error
    config = read_table(BakeoffConfig, table, f'{path.name}:')
    config = replace(config, dataset=_located(config.dataset, path.parent))
    if config.control is not None:
        config = replace(config, control=replace(config.control, dataset=_located(config.control.dataset, path.parent)))
    return config, table


def _located(dataset, folder):
    """A folder given relative to the configuration's, or the name as it is (a Hub id)."""
    local = (folder / Path(dataset).expanduser()).resolve()
    return str(local) if local.is_dir() or Path(dataset).is_absolute() else dataset
