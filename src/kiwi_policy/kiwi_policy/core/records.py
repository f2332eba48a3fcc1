"""What goes in and out of the executor: frozen records, all times in s on its own clock."""

from dataclasses import dataclass, field

import numpy as np

from kiwi_policy.core.prefix import Prefix
from kiwi_policy.core.states import Source, State


@dataclass(frozen=True)
class Command:
    """What to send to the robot at one control tick.

    Attributes:
        values: (9,) in LeRobot's units, always finite and within the limits.
        source: `Source.IDLE` asks the caller to write no arm goal and keep the base at rest.
        run_id, chunk_id: of the newest chunk that contributed; 0 where none did.
        index: row of that chunk, -1 where none.
        blended: number of chunks that contributed.
        takeover: True on the first tick of a new chunk.
        clamped: True where a limit changed the command.
    """

    values: np.ndarray
    source: Source
    run_id: int = 0
    chunk_id: int = 0
    index: int = -1
    blended: int = 0
    takeover: bool = False
    clamped: bool = False


@dataclass(frozen=True)
class Request:
    """A request for a chunk. The chunk's stamp must be this request's stamp.

    Attributes:
        request_id: increases by one per request.
        stamp: s, the control tick that triggered the request.
        episode_id: to be copied into the chunk.
        period: s between the rows of the prefix.
        prefix: the plan in force, the first row due at `stamp`. Committed is what is due before the
            chunk is expected.
        expected_delay: s until the chunk is expected.
    """

    request_id: int
    stamp: float
    episode_id: str
    period: float
    prefix: Prefix
    expected_delay: float

    @property
    def committed(self):
        """(K, 9) the committed rows of the prefix."""
        return self.prefix.rows[:self.prefix.committed]


@dataclass(frozen=True)
class Verdict:
    """Whether a chunk was accepted, and if not under which of `rejection.REASONS`.

    `detail` says in words what was wrong, with the bad value and the valid one.
    """

    accepted: bool
    reason: str = ''
    detail: str = ''


@dataclass(frozen=True)
class PolicyTraits:
    """What the executor wants to know of the policy, from PolicyInfo.

    Attributes:
        horizon: H, rows per chunk.
        n_action_steps: rows the checkpoint means to execute before asking again.
        action_spread: (9,) standard deviations of the actions in the training data, or None.
        latency_p95: s per chunk as the policy measured it, 0 where unknown.
    """

    horizon: int
    n_action_steps: int | None = None
    action_spread: np.ndarray | None = None
    latency_p95: float = 0.0


@dataclass(frozen=True)
class Status:
    """Counters of the current (or, in IDLE, the last) episode: ExecutorStatus.msg's fields.

    Beyond the message: `requests` counted by `schedule`'s cause, `lost` requests that were asked again, `dissents`
    chunks that disagreed with the committed one, `starved_seconds` s spent without actions (a sync pause included),
    `dropped` accepted chunks that gave way to an operator, `operator_takeovers` and `operator_seconds` how often and how
    long one drove, `operator_refused` refused commands by one of `takeover.REASONS`.
    """

    state: State
    reason: str
    mode: str
    episode_id: str
    run_id: int = 0
    chunk_id: int = 0
    accepted: int = 0
    rejected: int = 0
    reject_counts: dict = field(default_factory=dict)
    skipped: int = 0
    underruns: int = 0
    clamped: int = 0
    takeovers: int = 0
    ticks: int = 0
    overlap: float = 0.0
    queue_seconds: float = 0.0
    latency_p50: float = 0.0
    latency_p95: float = 0.0
    request_interval: float = 0.0
    requests: dict = field(default_factory=dict)
    lost: int = 0
    dissents: int = 0
    starved_seconds: float = 0.0
    dropped: int = 0
    operator_takeovers: int = 0
    operator_seconds: float = 0.0
    operator_refused: dict = field(default_factory=dict)
