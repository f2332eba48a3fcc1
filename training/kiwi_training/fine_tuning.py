"""A run that begins with another checkpoint's weights: where they lie, whether the dataset fits, what normalises it."""

from pathlib import Path

import torch
from lerobot.configs.policies import PreTrainedConfig
from lerobot.policies.factory import make_pre_post_processors

from kiwi_training.checkpoint import CHECKPOINTS, LAST, PRETRAINED, CheckpointError
from kiwi_training.options import TrainOptions
from kiwi_training.overrides import SettingError
from kiwi_training.statistics import mend_constants

WEIGHTS = 'model.safetensors'


def find_pretrained(where: str | Path) -> Path:
    """The folder with config.json and weights meant by `where`: itself, a checkpoint, or a run's output folder.

    Raises:
        CheckpointError: there is none.
    """
    where = Path(where).expanduser()
    for folder in (where, where / PRETRAINED, where / LAST / PRETRAINED, where / CHECKPOINTS / LAST / PRETRAINED):
        if (folder / 'config.json').is_file() and (folder / WEIGHTS).is_file():
            return folder.resolve()
    raise CheckpointError(f'{where} holds no checkpoint: no config.json and {WEIGHTS} there, in {PRETRAINED}, or in '
                          f'{CHECKPOINTS}/{LAST}/{PRETRAINED}')


def fine_tuned(options: TrainOptions, folder: Path, meta) -> PreTrainedConfig:
    """The config of the checkpoint in `folder` for a run on the dataset of `meta`.

    Raises:
        SettingError: the dataset lacks what the policy reads, or has another shape or rate.
    """
    policy = PreTrainedConfig.from_pretrained(folder)
    policy.device = options.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    if options.lr is not None and hasattr(policy, 'optimizer_lr'):
        policy.optimizer_lr = options.lr
    fps = getattr(policy, 'fps', None)
    if fps and round(fps) != round(meta.fps):
        raise SettingError(f'{folder} was trained at {fps} frames per second, the dataset has {meta.fps}')
    for key, feature in {**policy.input_features, **policy.output_features}.items():
        there = meta.features.get(key)
        if there is None:
            raise SettingError(f'{folder} needs {key}, which the dataset lacks; it has {", ".join(sorted(meta.features))}')
        if key not in meta.camera_keys and tuple(there['shape']) != tuple(feature.shape):
            raise SettingError(f'{key} has shape {tuple(feature.shape)} in {folder} and {tuple(there["shape"])} in the '
                               'dataset')
    return policy


def make_processors(policy: PreTrainedConfig, meta, origin: Path | None, say):
    """LeRobot's pre- and postprocessor of a policy.

    Args:
        origin: folder whose normalisation the weights are used to; None normalises by the dataset's statistics.
        say: prints one line.
    """
    if origin is not None:
        device = {'device_processor': {'device': policy.device}}
        return make_pre_post_processors(policy, pretrained_path=str(origin), preprocessor_overrides=device)
    stats, constants = mend_constants(meta.stats)
    for key, indices in constants.items():
        say(f'{key}: values {indices} never change; they are normalised to 0')
    return make_pre_post_processors(policy, dataset_stats=stats, dataset_meta=meta)
