"""Loss on held-out episodes, comparable between steps and runs."""

import math

import numpy as np
import torch

VALIDATION_FRAMES = 512
VALIDATION_SEED = 0


def split_episodes(meta, fraction: float) -> tuple[list[int], list[int]]:
    """(training, validation) episodes: the last ceil(n * fraction) of each task are held out.

    That is lerobot-train's own rule. A fraction of 0 holds nothing out. Of several datasets each is split by
    itself and keeps an episode of each task to train on.

    Raises:
        ValueError: nothing would be left to train on.
    """
    parts = getattr(meta, 'parts', (meta,))
    train, held, first = [], [], 0
    for part in parts:
        groups: dict[str, list[int]] = {}
        for episode, tasks in enumerate(part.episodes['tasks'], first):
            groups.setdefault(tasks[0] if tasks else '', []).append(episode)
        for episodes in groups.values():
            count = min(math.ceil(len(episodes) * fraction), len(episodes) - (len(parts) > 1))
            train += episodes[:len(episodes) - count]
            held += episodes[len(episodes) - count:]
        first += part.total_episodes
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
