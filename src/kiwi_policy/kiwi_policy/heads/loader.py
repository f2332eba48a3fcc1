"""Any LeRobot checkpoint behind one call: observations in, a chunk in real units out."""

import logging
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from lerobot.configs import PreTrainedConfig
from lerobot.policies.factory import get_policy_class, make_pre_post_processors
from lerobot.utils.constants import ACTION
from safetensors import SafetensorError

from kiwi_policy.core.features import ARM_JOINTS, NAMES, UNITS
from kiwi_policy.core.joint_units import RANGE, beyond_degrees

from .checkpoint import CheckpointError, digest, find_checkpoint
from .config import KiwiConfig
from .evaluations import EvaluationCounter
from .info import PolicyInfo
from .observation import IMAGE_PREFIX, ObservationBatcher
from .prefix import planned_rows

logger = logging.getLogger(__name__)

SAMPLING = ('num_inference_steps', 'solver', 'noise_scheduler_type', 'latent', 'prefix_conditioning', 'prefix_overlap',
            'guidance_limit')
"""Configuration fields that may be overridden when loading: they change sampling, not weights."""

_UNIT = dict(zip(NAMES, UNITS, strict=True))


@dataclass(frozen=True)
class Prediction:
    """A chunk.

    Attributes:
        actions: (H, D) float32 in the dataset's units; row 0 belongs to the newest observation.
        evaluations: function evaluations counted while making it, None where the policy type has
            no counter.
    """

    actions: np.ndarray
    evaluations: int | None


class LoadedPolicy:
    """A checkpoint ready to predict. One call at a time: LeRobot policies keep state."""

    def __init__(self, policy, preprocessor, postprocessor, batcher, info):
        self.policy = policy
        self.info = info
        self._pre, self._post = preprocessor, postprocessor
        self._batcher = batcher
        self._counter = EvaluationCounter(policy)
        # Guidance differentiates, which inference mode forbids.
        self._mode = torch.no_grad if info.prefix_conditioning == 'guidance' else torch.inference_mode

    def predict(self, history, task='', rng=None, prefix=None):
        """Chunk for the newest observation.

        Args:
            history: observations oldest first, newest last, one dataset period apart; each a dict
                `observation.state` float32 (D,), `observation.images.<camera>` uint8 (h, w, 3) RGB.
            task: text for policies that read it.
            rng: int seed or torch.Generator: the same seed gives the same chunk, and the global
                generator is left alone. None draws from the global generator.
            prefix: `core.prefix.Prefix` with rows (R, D) in the dataset's units, one period apart, the
                first due with the chunk's first; None for none. Heeded where `info.continues_prefix`.

        Returns:
            Prediction.

        Raises:
            ValueError: for an observation or a prefix that does not fit the policy.
        """
        batch = self._batcher(history, task)
        continued = self.info.continues_prefix and prefix is not None and len(prefix.rows) > 0
        if continued:
            batch[ACTION] = self._rows(prefix)
        before = self._counter.count
        with self._mode(), _seeded(rng, self.policy.config.device):
            self.policy.reset()
            batch = self._pre(batch)
            options = {}
            if continued:
                options['plan'] = planned_rows(batch[ACTION][0], prefix.committed, self.info.horizon,
                                               self.policy.config.prefix_overlap)
            chunk = self._post(self.policy.predict_action_chunk(batch, **options))
        actions = chunk[0].to('cpu', torch.float32).numpy()
        evaluations = None if before is None else self._counter.count - before
        return Prediction(actions, evaluations)

    def _rows(self, prefix):
        """(1, R, D) the rows of a prefix, for the preprocessor to normalise as it does actions."""
        rows = np.array(prefix.rows, dtype=np.float32)
        if rows.ndim != 2 or rows.shape[1] != len(self.info.names) or not np.all(np.isfinite(rows)):
            raise ValueError(f'the rows of a prefix must be finite and of shape (R, {len(self.info.names)}), '
                             f'got {rows.shape}')
        return torch.from_numpy(rows)[None]


def load_policy(path, device='cpu', num_threads=None, **sampling):
    """Load a checkpoint folder of any LeRobot policy type, offline.

    Args:
        path: folder with config.json, model.safetensors and both processors, or the
            `checkpoints/<step>` folder around it.
        device: torch device.
        num_threads: threads torch may use in this process, None to leave it.
        sampling: overrides of SAMPLING fields the policy type has.

    Returns:
        LoadedPolicy.

    Raises:
        CheckpointError: naming what was found and what was expected.
    """
    folder = find_checkpoint(path)
    if num_threads is not None:
        torch.set_num_threads(num_threads)
    config = _load_config(folder, device)
    notes = _override(config, sampling)
    declared = int(getattr(config, 'n_action_steps', 1))
    notes += _return_whole_chunk(config)
    try:
        policy = get_policy_class(config.type).from_pretrained(
            str(folder), config=config, local_files_only=True, strict=True
        )
    except (RuntimeError, SafetensorError) as error:
        raise CheckpointError(f'the weights in {folder} do not fit its config.json: {error}') from error
    pre, post = make_pre_post_processors(
        config, pretrained_path=str(folder),
        preprocessor_overrides={'device_processor': {'device': device}},
    )
    policy.eval().requires_grad_(False)
    ours = isinstance(config, KiwiConfig)
    steps = int(getattr(config, 'n_obs_steps', 1) or 1)
    batcher = ObservationBatcher(
        config.input_features, steps, stacked=config.type == 'diffusion' or steps > 1, resizes=ours
    )
    info = _describe(config, folder, declared, steps, post, notes)
    for note in info.notes:
        logger.info('%s: %s', info.head, note)
    return LoadedPolicy(policy, pre, post, batcher, info)


def _load_config(folder, device):
    try:
        config = PreTrainedConfig.from_pretrained(str(folder))
    except ValueError as error:
        raise CheckpointError(f'config.json of {folder}: {error}') from error
    config.device = device
    if hasattr(config, 'pretrained_backbone_weights'):
        config.pretrained_backbone_weights = None
    return config


def _override(config, sampling):
    if sampling.get('prefix_conditioning') == 'none' and not hasattr(config, 'prefix_conditioning'):
        sampling = {name: value for name, value in sampling.items() if name != 'prefix_conditioning'}
    notes = [f'{name} set to {value}' for name, value in sampling.items() if getattr(config, name, None) != value]
    for name, value in sampling.items():
        if name not in SAMPLING or not hasattr(config, name):
            valid = [field for field in SAMPLING if hasattr(config, field)]
            raise ValueError(
                f'{config.type} has no sampling option {name!r}; it has {", ".join(valid) or "none"}'
            )
        setattr(config, name, value)
    if sampling:
        config.__post_init__()
    return notes


def _return_whole_chunk(config):
    """LeRobot's diffusion returns n_action_steps rows only: ask for all it predicts."""
    if config.type != 'diffusion':
        return []
    declared = config.n_action_steps
    config.n_action_steps = config.horizon - config.n_obs_steps + 1
    return [
        f'loaded with n_action_steps {config.n_action_steps} (horizon {config.horizon} - '
        f'{config.n_obs_steps} observations + 1) so that it returns every row; '
        f'the checkpoint says {declared}'
    ]


def _describe(config, folder, declared, steps, postprocessor, notes):
    names, assumed = _action_names(config)
    fps = getattr(config, 'fps', None)
    units, doubts = _action_units(names, postprocessor)
    return PolicyInfo(
        head=config.type,
        digest=digest(folder),
        names=names,
        units=units,
        period=1.0 / fps if fps else None,
        horizon=_rows(config),
        n_action_steps=declared,
        n_obs_steps=steps,
        cameras=tuple(key.removeprefix(IMAGE_PREFIX) for key in config.image_features),
        action_spread=_action_stat(postprocessor, 'std'),
        temporal_ensembling=getattr(config, 'temporal_ensemble_coeff', None) is not None,
        notes=(*notes, *assumed, *doubts),
        prefix_conditioning=getattr(config, 'prefix_conditioning', None),
    )


def _rows(config):
    if config.type == 'diffusion':
        return config.n_action_steps
    for field in ('chunk_size', 'action_chunk_size', 'horizon'):
        if hasattr(config, field):
            return int(getattr(config, field))
    raise CheckpointError(f'{config.type} is no policy of action chunks (no chunk_size, no horizon)')


def _action_names(config):
    names = getattr(config, 'action_feature_names', None)
    if names:
        return tuple(names), ()
    count = config.action_feature.shape[0]
    if count == len(NAMES):
        return NAMES, ('the checkpoint names no actions: taken for the nine of LeKiwi, in its order',)
    return tuple(f'action_{i}' for i in range(count)), ('the checkpoint names no actions',)


def _action_units(names, postprocessor):
    units = tuple(_UNIT.get(name, '') for name in names)
    extremes = [_action_stat(postprocessor, name) for name in ('min', 'max')]
    if names != NAMES or any(values is None or len(values) != len(NAMES) for values in extremes):
        return units, ()
    why = beyond_degrees(*extremes)
    if not why:
        return units, ()
    return (RANGE,) * len(ARM_JOINTS) + units[len(ARM_JOINTS):], (f'arm positions are no degrees: {why}',)


def _action_stat(postprocessor, name):
    for step in postprocessor.steps:
        values = (getattr(step, 'stats', None) or {}).get(ACTION, {}).get(name)
        if values is not None:
            return np.asarray(values, dtype=np.float32).reshape(-1)
    return None


@contextmanager
def _seeded(rng, device):
    """Global generators seeded inside, as they were outside."""
    if rng is None:
        yield
        return
    if isinstance(rng, torch.Generator):
        rng = int(torch.randint(2**62, (), generator=rng, device=rng.device))
    device = torch.device(device)
    with torch.random.fork_rng([device.index or 0] if device.type == 'cuda' else []):
        torch.manual_seed(rng)
        yield
