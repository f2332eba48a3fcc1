"""The executors that are compared, each a line of a table.

All run the same chunks with the same limits (joint ranges, joint and base speeds) and at the same rate, so
that only the executor differs. Those of other projects keep what those do when actions run out: the arm
holds, the base keeps its velocity.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from kiwi_policy.core.config import ExecutorConfig
from kiwi_policy.core.executor import ChunkExecutor
from kiwi_policy.core.features import DIM, RATE_HZ
from kiwi_training.executor_bench.lerobot_async import AGGREGATES, Client, Server
from kiwi_training.executor_bench.naive import Naive

REFERENCE = 'kiwi'
"""The executor that the others are compared with."""
SYNC = 'kiwi_sync'
"""The executor for which time stands still while it waits."""
NEVER = 1e9
"""s or spreads that are never reached."""


@dataclass(frozen=True)
class Variant:
    """One executor.

    Attributes:
        name: as in the tables.
        about: what it does, for people.
        settings: of `ExecutorConfig`, where they are not its defaults.
        kind: 'chunk' (`ChunkExecutor`), 'naive' (`Naive`), or one of `lerobot_async.AGGREGATES`.
        sampling: ((name, value), ...) overrides of the policy's sampling; chunks are drawn without regard to
            the plan in force unless it says otherwise.
    """

    name: str
    about: str
    settings: tuple = ()
    kind: str = 'chunk'
    sampling: tuple = (('prefix_conditioning', 'none'),)

    def config(self, period=1.0 / RATE_HZ):
        """Its `ExecutorConfig`."""
        return ExecutorConfig(period=period, **dict(self.settings))

    def prepare(self, policy):
        """(policy, make_executor) for one rollout, as `run_rollout` takes them."""
        if self.kind in AGGREGATES:
            server = Server(policy)
            return server, partial(Client, server=server, aggregate=AGGREGATES[self.kind])
        return policy, Naive if self.kind == 'naive' else ChunkExecutor


@dataclass(frozen=True)
class BlendAll:
    """Blends every dimension alike, the gripper included; stands in for `BlendRules`."""

    def factors(self):
        """(9,) ones."""
        return np.ones(DIM)


PLAIN = (('gate', NEVER), ('gate_latest', False), ('seam_ticks', 0), ('decay_seconds', NEVER))
"""Without kiwi's gate, cross-fade and braking."""
ACT = (('mode', 'ensemble'), ('favor', 'oldest'), ('ensemble_coeff', 0.01), ('blend', BlendAll()),
       ('ensemble_interval', 1.0 / RATE_HZ), ('seam_ticks', 0), ('decay_seconds', NEVER))
"""Temporal ensembling as in ACT and LeRobot, a chunk asked for at every tick on which none is under way."""

VARIANTS = {variant.name: variant for variant in (
    Variant(REFERENCE, "the executor's defaults: newest chunk at the aligned row, disagreeing chunks wait, takeovers "
            'fade over 5 ticks, the base brakes when actions run out; the checkpoint as it is', sampling=()),
    Variant('aligned', 'newest chunk at the aligned row; hard switch, no gate, the base keeps its velocity', PLAIN),
    Variant('naive', 'each chunk from its first row when it arrives, whatever its age', PLAIN, 'naive'),
    Variant('ensemble', 'temporal ensembling as in ACT: a chunk per tick where latency allows, all averaged, weights '
            'exp(-0.01 i) from the oldest, gripper included; no gate', (*ACT, ('gate', NEVER))),
    Variant('ensemble_gated', 'as ensemble, but chunks that disagree with the committed one are not averaged', ACT),
    Variant('weighted_average', "LeRobot's asynchronous client, 0.3 old + 0.7 new per step (its default)",
            kind='weighted_average'),
    Variant('latest_only', "LeRobot's asynchronous client, new actions replace old ones", kind='latest_only'),
    Variant('kiwi_hard_switch', 'kiwi without the cross-fade at takeovers', (('seam_ticks', 0),), sampling=()),
    Variant('kiwi_project', 'kiwi; each chunk is sampled to continue the plan in force, by projection',
            sampling=(('prefix_conditioning', 'project'),)),
    Variant('kiwi_guidance', 'kiwi; each chunk is sampled to continue the plan in force, by guidance (as real-time '
            'chunking)', sampling=(('prefix_conditioning', 'guidance'),)),
    Variant('kiwi_ensemble', "kiwi's mode ensemble: agreeing chunks averaged, newest favoured, gripper never",
            (('mode', 'ensemble'),), sampling=()),
    Variant(SYNC, "kiwi's mode sync: runs a whole chunk, then the arm holds and the base rests until the next one has come",
            (('mode', 'sync'),), sampling=()),
)}
