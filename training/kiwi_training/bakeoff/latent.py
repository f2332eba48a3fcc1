"""How much a CVAE's decoder makes of its latent z, on episodes it was not trained on."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kiwi_training.bakeoff.figures import number
from kiwi_training.bakeoff.tasks import Result, place

ACTIVE_VARIANCE = 0.01
"""A latent value is active where the variance over the data of its posterior mean exceeds this (Burda et al. 2016)."""
BATCH = 64


@dataclass(frozen=True)
class LatentWork:
    """Measured on a dataset.

    Attributes:
        checkpoint, digest: a kiwi_cvae.
        dataset: folder or Hub id.
        dataset_digest: of its content.
        val_split: fraction of episodes that were held out; with 0 all are used.
        resize: (height, width) the training used, or None.
        frames: at most so many.
        first_frames: at most so many first frames of episodes; at the forced fork that is where the side is chosen.
    """

    checkpoint: str = place()
    dataset: str = place()
    cache_dir: str | None = place(None)
    digest: str = ''
    dataset_digest: str = ''
    val_split: float = 0.05
    resize: tuple | None = None
    frames: int = 512
    first_frames: int = 512

    def run(self):
        """The record of `figures`, with `kl_weight`; under names that end in `_fork`, of first frames alone."""
        import torch

        from kiwi_training.bakeoff.loaded import load_apart
        loaded = load_apart(self.checkpoint, self.digest, ())
        policy = loaded.policy
        every, first = self._batches(policy.config)
        with torch.inference_mode(), torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            record = figures([_measure(policy, batch) for batch in every])
            record |= at_the_fork(figures([_measure(policy, batch) for batch in first]))
        return Result(record | {'kl_weight': policy.config.kl_weight})

    def _batches(self, config):
        """Iterators over batches: of frames spread over the held-out episodes, of the first frame of each."""
        from lerobot.policies.factory import make_pre_post_processors

        from kiwi_training.batches import BatchReader
        from kiwi_training.dataset_source import open_dataset
        from kiwi_training.frame_cache import load_frames
        from kiwi_training.policy_setup import delta_indices, natural_size, set_image_size
        from kiwi_training.validation import split_episodes, validation_frames
        meta = open_dataset(self.dataset)
        size = self.resize or natural_size(config, meta)
        cache = load_frames(meta, Path(self.cache_dir) if self.cache_dir else None, size, say=lambda line: None)
        set_image_size(meta, size)
        reader = BatchReader(cache, meta, delta_indices(config, meta))
        held = split_episodes(meta, self.val_split)[1] or list(range(meta.total_episodes))
        first = np.array([meta.episodes[episode]['dataset_from_index'] for episode in held])
        preprocess, _ = make_pre_post_processors(config, pretrained_path=self.checkpoint)

        def batches(frames, most):
            chosen = frames[np.linspace(0, len(frames) - 1, min(len(frames), most)).astype(int)]
            for start in range(0, len(chosen), BATCH):
                yield preprocess(reader.read(chosen[start:start + BATCH]))

        return batches(validation_frames(meta, held), self.frames), batches(first, self.first_frames)


@dataclass(frozen=True)
class Measured:
    """Of a batch of B chunks.

    Attributes:
        kl: (B,) nats, KL(q(z | chunk, observation) || N(0, I)).
        mean: (B, latent_dim) posterior means.
        errors: how z was chosen -> (B,) mean |reconstruction - chunk| of a normalised value.
    """

    kl: np.ndarray
    mean: np.ndarray
    errors: dict


def _measure(policy, batch):
    import torch
    chunk, pad = batch['action'], batch.get('action_is_pad')
    valid = torch.ones(chunk.shape[:2]) if pad is None else (~pad).to(torch.float32)     # (B, H)
    condition = policy.condition(batch)
    posterior = policy.posterior(chunk, condition.embedding)
    latents = {'posterior': posterior.draw(), 'zero': torch.zeros_like(posterior.mean),
               'sample': torch.randn_like(posterior.mean)}
    errors = {}
    for name, z in latents.items():
        error = torch.abs(policy.decode(condition, z) - chunk).mean(dim=-1)     # (B, H)
        errors[name] = ((error * valid).sum(dim=1) / valid.sum(dim=1).clamp(min=1)).numpy()
    return Measured(posterior.kl().sum(dim=-1).numpy(), posterior.mean.numpy(), errors)


def figures(batches):
    """Figures of a list of `Measured`: KL, active dimensions, reconstruction errors."""
    means = np.concatenate([batch.mean for batch in batches])       # (N, latent_dim)
    return {
        'kl_nats': number(float(np.concatenate([batch.kl for batch in batches]).mean())),
        'active_dims': int((means.var(axis=0) > ACTIVE_VARIANCE).sum()), 'latent_dim': means.shape[1],
        **{f'error_{name}': number(float(np.concatenate([batch.errors[name] for batch in batches]).mean()))
           for name in batches[0].errors},
        'frames': len(means),
    }


def at_the_fork(record):
    """Of a record of first frames what does not need many of them, under names that end in `_fork`."""
    return {f'{name}_fork': value for name, value in record.items()
            if name in ('kl_nats', 'frames') or name.startswith('error_')}
