"""What a checkpoint says of its chunk, read from its config before anything is loaded."""

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from kiwi_policy.core.features import RATE_HZ

PERIOD = 1.0 / RATE_HZ
"""s between rows where a checkpoint (of LeRobot's own policies) does not say."""


@dataclass(frozen=True)
class Inspected:
    """A checkpoint that may be rolled out.

    Attributes:
        folder: `pretrained_model`.
        digest: of its weights.
        policy: LeRobot policy type.
        horizon: rows of the chunks it returns.
        n_action_steps: rows it means to execute.
        period: s between rows.
    """

    folder: str
    digest: str
    policy: str
    horizon: int
    n_action_steps: int
    period: float


def inspect(folder):
    """`Inspected` of a checkpoint folder.

    Raises:
        ActionStepsError: n_action_steps is 1, or below half the chunk.
        CheckpointError: there is no checkpoint.
    """
    from kiwi_policy.heads.checkpoint import CheckpointError, digest, find_checkpoint
    from kiwi_policy.heads.info import ActionStepsError, check_action_steps
    folder = find_checkpoint(folder)
    config = json.loads((Path(folder) / 'config.json').read_text())
    chunk = config.get('chunk_size') or config.get('horizon')
    if not chunk:
        raise CheckpointError(f'{folder}: {config["type"]} has neither chunk_size nor horizon, so it predicts no chunk')
    rows = chunk - config.get('n_obs_steps', 1) + 1 if config['type'] == 'diffusion' else chunk
    steps = config.get('n_action_steps') or rows
    info = SimpleNamespace(head=config['type'], digest=digest(folder), n_action_steps=steps, horizon=rows,
                           temporal_ensembling=False)
    check_action_steps(info)
    if steps == 1:
        raise ActionStepsError(f'{info.head} checkpoint {info.digest}: n_action_steps is 1, so nothing of a chunk of '
                               f'{rows} rows but its first would be executed')
    fps = config.get('fps')
    return Inspected(str(folder), info.digest, info.head, rows, steps, 1.0 / fps if fps else PERIOD)
