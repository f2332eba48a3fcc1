"""The tables of a bake-off's configuration but its heads; all counts are per row."""

import re
from dataclasses import dataclass

EXECUTORS = ('sync', 'latest', 'ensemble newest', 'ensemble oldest')
INTERVAL = re.compile(r'([1-9]\d*)|H(?:/([1-9]\d*))?')


def _at_least(section, least, *names):
    for name in names:
        value = getattr(section, name)
        if value is not None and value < least:
            raise ValueError(f'{name} must be at least {least}, got {value}')


def _size(name, size):
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise ValueError(f'{name} must be [height, width] in pixels, got {list(size)}')


@dataclass(frozen=True)
class Training:
    """[training]: what all heads share unless they say otherwise; see `kiwi-train --help`.

    Attributes:
        seeds: training seeds; the first stands for the head, the others show how much chance matters.
        steps, minutes: how long; one of them.
    """

    steps: int | None = None
    minutes: float | None = None
    batch_size: int = 64
    horizon: int | None = None
    threads: int | None = 1
    seeds: tuple[int, ...] = (7,)
    lr: float | None = None
    schedule: str = 'preset'
    ema: float = 0.999
    precision: str = 'auto'
    device: str | None = None
    resize: tuple[int, ...] | None = None
    cache_dir: str | None = None
    val_split: float = 0.05
    val_every: int = 1000
    log_every: int = 50
    save_minutes: float = 10.0

    def __post_init__(self):
        _size('resize', self.resize)
        if not self.seeds or len(set(self.seeds)) != len(self.seeds):
            raise ValueError(f'seeds must be different numbers, at least one, got {list(self.seeds)}')


@dataclass(frozen=True)
class Rollouts:
    """[rollouts]: the main rows, in executor mode latest.

    Attributes:
        trials: paired starts per row; trial i starts from seed + i in every row.
        extra_seed_trials: the same for the first row of each further training seed.
        seed: of the first start.
        time_limit: simulated s.
        shard: rollouts between two savings.
        image_size: (height, width) of the pictures.
        image_delay: control periods by which pictures are older than the state.
        jpeg: pictures pass through JPEG as on the wire.
    """

    trials: int = 200
    extra_seed_trials: int = 200
    seed: int = 100000
    time_limit: float = 20.0
    shard: int = 20
    image_size: tuple[int, ...] = (96, 96)
    image_delay: int = 0
    jpeg: bool = True

    def __post_init__(self):
        _at_least(self, 1, 'shard')
        _at_least(self, 0, 'trials', 'extra_seed_trials', 'seed', 'image_delay')
        _size('image_size', self.image_size)


@dataclass(frozen=True)
class Executors:
    """[executors]: rows (all where empty) in each of these modes."""

    trials: int = 50
    modes: tuple[str, ...] = EXECUTORS
    rows: tuple[str, ...] = ()

    def __post_init__(self):
        _at_least(self, 0, 'trials')
        for mode in self.modes:
            if mode not in EXECUTORS:
                raise ValueError(f'modes: {mode!r} is none of {", ".join(EXECUTORS)}')


@dataclass(frozen=True)
class Coverage:
    """[coverage]: which side rows (all where empty) take from one fixed start."""

    trials: int = 50
    rows: tuple[str, ...] = ()

    def __post_init__(self):
        _at_least(self, 0, 'trials')


@dataclass(frozen=True)
class Requery:
    """[requery]: rows asked again after so many actions, as a number or a part of the chunk H."""

    rows: tuple[str, ...]
    trials: int = 50
    intervals: tuple[str, ...] = ('1', 'H/4', 'H/2', 'H')

    def __post_init__(self):
        _at_least(self, 0, 'trials')
        for interval in self.intervals:
            if not INTERVAL.fullmatch(interval):
                raise ValueError(f"intervals: {interval!r} is neither a number of actions nor H, H/2, H/4, ...")


def interval_rows(interval, horizon):
    """Actions of an interval such as '1', 'H/4' or 'H', at least 1."""
    number, divisor = INTERVAL.fullmatch(interval).groups()
    return int(number) if number else max(1, horizon // int(divisor or 1))


@dataclass(frozen=True)
class Noise:
    """[noise]: rows with a sampling seed for each chunk and with one for each episode."""

    rows: tuple[str, ...]
    trials: int = 50

    def __post_init__(self):
        _at_least(self, 0, 'trials')


@dataclass(frozen=True)
class Control:
    """[control]: the forced fork, decided open loop inside one chunk, on a dataset of its own.

    Attributes:
        dataset: made by `kiwi-demos --task forced-fork`.
        rows: which rows run it (all where empty); their heads are trained for it.
        horizon: rows of a chunk.
        steps, minutes: how long to train; as for the head where both are missing.
    """

    dataset: str
    trials: int = 100
    rows: tuple[str, ...] = ()
    horizon: int = 64
    steps: int | None = None
    minutes: float | None = None
    seed: int = 200000

    def __post_init__(self):
        _at_least(self, 0, 'trials')
        _at_least(self, 1, 'horizon', 'steps')
        if self.steps is not None and self.minutes is not None:
            raise ValueError('give steps or minutes, not both')


@dataclass(frozen=True)
class Latent:
    """[latent]: how much the latent of these heads (every kiwi_cvae where empty) is used."""

    heads: tuple[str, ...] = ()
    frames: int = 512

    def __post_init__(self):
        _at_least(self, 1, 'frames')


@dataclass(frozen=True)
class Latency:
    """[latency]: chunks measured per row, all rows in turn, after `warm_up` chunks that do not count.

    `device` is the torch device of these and of all rollouts.
    """

    chunks: int = 60
    warm_up: int = 3
    device: str = 'cpu'

    def __post_init__(self):
        _at_least(self, 1, 'chunks', 'warm_up')


@dataclass(frozen=True)
class Overlay:
    """[overlay]: chunks sampled from one observation at the fork, for the plots."""

    samples: int = 24
    rows: tuple[str, ...] = ()

    def __post_init__(self):
        _at_least(self, 1, 'samples')


@dataclass(frozen=True)
class Films:
    """[films]: a film of the first start of these rows (all where empty)."""

    rows: tuple[str, ...] = ()
    height: int = 240
    width: int = 320

    def __post_init__(self):
        _at_least(self, 1, 'height', 'width')


@dataclass(frozen=True)
class Decision:
    """[decision]: thresholds of the rule, and which rows are compared pair by pair.

    Attributes:
        reference: row that is compared with every other one (the first row where empty).
        pairs: pairs of rows, [["a", "b"], ...], instead of the reference with every other.
        min_side_share: least share of fixed-start rollouts on either side of a head called multimodal.
        control_success: least success at the forced fork, where it was run.
        alpha: p-value below which two success rates differ.
        tie: share by which latencies may differ and count as equal.
        min_pairs: least number of shared starts from which 'not worse' is concluded.
    """

    reference: str = ''
    pairs: tuple[tuple[str, ...], ...] = ()
    min_side_share: float = 0.2
    control_success: float = 0.8
    alpha: float = 0.05
    tie: float = 0.1
    min_pairs: int = 100

    def __post_init__(self):
        for pair in self.pairs:
            if len(pair) != 2:
                raise ValueError(f'pairs: {list(pair)} is not a pair of rows')
