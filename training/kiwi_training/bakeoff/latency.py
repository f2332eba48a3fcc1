"""How long each row takes from JPEG bytes to a chunk, all rows measured in turn by one process."""

import platform
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from kiwi_training.bakeoff.tasks import Result, place


@dataclass(frozen=True)
class RowLatency:
    """What is measured for one row; its key says whether it has been.

    Attributes:
        checkpoint, digest, sampling: which policy.
        image_size: (height, width) of the pictures.
        chunks, warm_up: chunks that count, and those before them.
        device: torch device.
    """

    checkpoint: str = place()
    digest: str = ''
    sampling: tuple = ()
    image_size: tuple = (96, 96)
    chunks: int = 60
    warm_up: int = 3
    device: str = 'cpu'


@dataclass(frozen=True)
class LatencyWork:
    """Several rows side by side, so that what else slows the machine down slows down all alike.

    Attributes:
        rows: (name, `RowLatency`) each.
    """

    rows: tuple = field(default=())

    def run(self):
        """Measure; the record has, per row name, `seconds` (every sample), `evaluations` and `parameters`.

        A row whose checkpoint cannot be loaded has `error` instead.
        """
        from kiwi_policy.nodes.chunk_maker import ChunkMaker

        from kiwi_training.bakeoff.loaded import load_apart
        policies, errors = {}, {}
        for name, row in self.rows:
            try:
                policies[name] = load_apart(row.checkpoint, row.digest, row.sampling, row.device)
            except (ValueError, RuntimeError, OSError) as error:
                errors[name] = {'error': str(error)}
        rows = [(name, row) for name, row in self.rows if name in policies]
        makers = {name: ChunkMaker(policy, seed=0) for name, policy in policies.items()}
        observations = {name: observation(policies[name].info, row.image_size) for name, row in rows}
        for name, row in rows:
            for _ in range(row.warm_up):
                makers[name].make(observations[name], '')
        seconds, evaluations = ({name: [] for name, _ in rows} for _ in range(2))
        for turn in range(max((row.chunks for _, row in rows), default=0)):
            for name, row in rows:
                if turn < row.chunks:
                    made = makers[name].make(observations[name], '')
                    seconds[name].append(round(made.seconds, 6))
                    evaluations[name].append(made.evaluations)
        session = f'{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {platform.node()}'
        return Result(errors | {name: {
            'seconds': seconds[name], 'evaluations': float(np.mean(evaluations[name])), 'session': session,
            'parameters': sum(weights.numel() for weights in policies[name].policy.parameters())}
            for name, _ in rows})


def observation(info, image_size):
    """What policy_node would hand to the policy: states, and pictures as JPEG bytes."""
    from kiwi_policy.core.features import DIM
    from kiwi_policy.nodes.history import Observation
    from kiwi_policy.nodes.images import encode_rgb
    rng = np.random.default_rng(0)
    height, width = image_size
    coarse = rng.integers(0, 256, ((height + 7) // 8, (width + 7) // 8, 3), dtype=np.uint8)
    picture = coarse.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    images = [{camera: encode_rgb(picture) for camera in info.cameras} for _ in range(info.n_obs_steps)]
    return Observation(0, (np.zeros(DIM),) * info.n_obs_steps, tuple(images), {})
