"""What a training run was asked to do; written into its checkpoints so that it can be resumed."""

import json
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path


@dataclass(frozen=True)
class TrainOptions:
    """Options of `kiwi-train`; see its --help for their meaning.

    Exactly one of `steps` and `minutes` is set: the budget. `resize` is (height, width). `more_datasets` are
    trained on together with `dataset`. `init` is the folder of a checkpoint whose weights and processors a run begins with.
    """

    dataset: str
    output: str
    policy: str = 'kiwi_flow'
    steps: int | None = None
    minutes: float | None = None
    batch_size: int = 64
    lr: float | None = None
    horizon: int | None = None
    seed: int = 1000
    settings: tuple[str, ...] = ()
    schedule: str = 'preset'
    ema: float = 0.999
    precision: str = 'auto'
    device: str | None = None
    threads: int | None = None
    resize: tuple[int, int] | None = None
    cache_dir: str | None = None
    val_split: float = 0.05
    val_every: int = 1000
    log_every: int = 50
    save_steps: int | None = None
    save_minutes: float = 10.0
    imagenet_stats: bool = True
    more_datasets: tuple[str, ...] = ()
    init: str | None = None

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ValueError('give either a number of steps or a number of minutes, not both and not neither')
        for name in ('steps', 'minutes', 'batch_size', 'lr', 'horizon', 'threads', 'val_every', 'log_every',
                     'save_steps', 'save_minutes'):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f'{name} must be above 0, got {value}')
        if not 0 <= self.ema < 1:
            raise ValueError(f'ema must lie in [0, 1), got {self.ema}; 0 switches it off')
        if not 0 <= self.val_split < 1:
            raise ValueError(f'val_split must lie in [0, 1), got {self.val_split}')

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self), indent=2))

    @classmethod
    def load(cls, path: Path) -> 'TrainOptions':
        """Options saved by `save`; unknown entries of a newer version are refused by name."""
        values = json.loads(path.read_text())
        unknown = set(values) - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f'{path} holds options this version does not know: {sorted(unknown)}')
        for name in ('settings', 'more_datasets'):
            values[name] = tuple(values.get(name, ()))
        values['resize'] = tuple(values['resize']) if values['resize'] else None
        return cls(**values)

    def with_budget(self, steps: int | None, minutes: float | None) -> 'TrainOptions':
        """The same run with another budget; unchanged when both are None."""
        if steps is None and minutes is None:
            return self
        return replace(self, steps=steps, minutes=minutes)
