"""Loss on held-out episodes, comparable between steps and runs."""

import math

import numpy as np
import torch

VALIDATION_FRAMES = 512
VALIDATION_SEED = 0


def split_episodes(meta, fraction: float) -> tuple[list[int], list[int]]:
    """(training, validation) episodes: the last ceil(n * fraction) of each task are held out.

    That is lerobot-train's own rule. A fraction of 0 holds nothing out.

    Raises:
        ValueError: nothing would be left to train on.
    """
    groups: dict[str, list[int]] = {}
    for episode, tasks in enumerate(meta.episodes['tasks']):
        groups.setdefault(tasks[0] if tasks else '', []).append(episode)
    train, held = [], []
    for episodes in groups.values():
        count = math.ceil(len(episodes) * fraction)
        train += episodes[:len(episodes) - count]
        held += episodes[len(episodes) - count:]
    if not train:
        raise ValueError(f'a validation split of {fraction} of {meta.total_episodes} episodes leaves none to train on')
    return train, held


def validation_frames(meta, episodes: list[int]) -> np.ndarray:
    """At most `VALIDATION_FRAMES` frames, evenly spaced over the held-out episodes."""
    bounds = meta.episodes.select_columns(['dataset_from_index', 'dataset_to_index'])
    frames = np.concatenate([np.arange(bounds[episode]['dataset_from_index'], bounds[episode]['dataset_to_index'])
                             for episode in episodes])
    return frames[np.linspace(0, len(frames) - 1, min(len(frames), VALIDATION_FRAMES)).astype(int)]


@torch.no_grad()
def validation_loss(policy, batches) -> float:
    """Mean loss over `batches`, in evaluation mode, with the same noise at each call.

    The random state of the training is left as it was.
    """
    training = policy.training
    policy.eval()
    total, count = 0.0, 0
    devices = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    try:
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(VALIDATION_SEED)
            for batch in batches:
                loss, _ = policy.forward(batch)
                size = len(batch['index'])
                total, count = total + loss.item() * size, count + size
    finally:
        policy.train(training)
    return total / count
