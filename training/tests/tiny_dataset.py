"""Makes small LeRobotDatasets with LeKiwi's features, for tests and development."""

from pathlib import Path

import numpy as np
from lerobot.datasets.lerobot_dataset import LeRobotDataset

from kiwi_policy.core.features import NAMES

TASK = 'Put the cube on the disc.'
FPS = 30


def make_tiny_dataset(root: Path, lengths=(12, 9, 15), size=(24, 32), video=False, seed=0) -> Path:
    """A dataset of `lengths` frames per episode whose actions can be learned from its images.

    A bright square moves over a still, noisy background; the first action says where it is.
    """
    rng = np.random.default_rng(seed)
    height, width = size
    kind = 'video' if video else 'image'
    numbers = {'dtype': 'float32', 'shape': (9,), 'names': list(NAMES)}
    image = {'dtype': kind, 'shape': (height, width, 3), 'names': ['height', 'width', 'channels']}
    dataset = LeRobotDataset.create(
        'local/tiny', FPS, {'observation.state': numbers, 'action': numbers,
                            'observation.images.front': image, 'observation.images.wrist': image},
        root=root, robot_type='lekiwi', use_videos=video)
    for length in lengths:
        background = rng.integers(0, 80, (2, height, width, 3), dtype=np.uint8)
        phase = rng.uniform(0, 2 * np.pi)
        for t in range(length):
            where = 0.5 + 0.4 * np.sin(phase + t / 10)
            images = background.copy()
            column = int(where * (width - 6))
            images[:, height // 3:height // 3 + 6, column:column + 6] = (250, 200, 30)
            state = np.full(9, np.cos(phase + t / 10), np.float32) + rng.normal(0, 0.01, 9).astype(np.float32)
            action = np.linspace(0.5, 1.5, 9, dtype=np.float32) * np.float32(where)
            dataset.add_frame({'observation.state': state, 'action': action, 'observation.images.front': images[0],
                               'observation.images.wrist': images[1], 'task': TASK})
        dataset.save_episode()
    dataset.finalize()
    return root
