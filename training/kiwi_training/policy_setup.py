"""LeRobot's config, policy and processors for a training run, built from its options."""

import dataclasses
import importlib
import os
from dataclasses import dataclass

import torch
from lerobot.configs.policies import PreTrainedConfig
from lerobot.datasets.factory import resolve_delta_timestamps
from lerobot.datasets.feature_utils import get_delta_indices
from lerobot.policies.factory import get_policy_class
from lerobot.utils.constants import IMAGENET_STATS

from kiwi_training.dataset_source import camera_shapes
from kiwi_training.options import TrainOptions
from kiwi_training.overrides import SettingError, parse_config, split_settings, suggestion

OWN_HEADS = 'kiwi_policy.heads'
HORIZON_FIELDS = ('chunk_size', 'horizon')


@dataclass(frozen=True)
class Recipe:
    """Configs of one run: LeRobot's policy config, its optimizer and its schedule (None: constant)."""

    policy: PreTrainedConfig
    optimizer: object
    scheduler: object | None


def register_policies() -> list[str]:
    """Makes our own heads known to LeRobot and returns the names of all policy types."""
    import lerobot.policies  # noqa: F401  registers LeRobot's own

    importlib.import_module(OWN_HEADS)
    return sorted(PreTrainedConfig.get_known_choices())


def make_recipe(options: TrainOptions, fps: int) -> Recipe:
    """Config of the policy type that `options` asks for, with its settings checked.

    Args:
        fps: frames per second of the dataset, written into configs that have a field for it.

    Raises:
        SettingError: an unknown policy type or setting, or a value that is refused.
    """
    known = register_policies()
    if options.policy not in known:
        raise SettingError(f'no policy type {options.policy!r}{suggestion(options.policy, known)}')
    config_class = PreTrainedConfig.get_choice_class(options.policy)
    groups = split_settings(options.settings, ('policy', 'optimizer', 'scheduler'))
    settings = _policy_settings(options, config_class, groups['policy'], fps)
    policy = parse_config(config_class, settings)
    return Recipe(policy, *make_presets(options, policy, groups))


def make_presets(options: TrainOptions, policy: PreTrainedConfig, groups: dict | None = None) -> tuple:
    """The optimizer's and the schedule's config: the policy's presets with the options' changes."""
    groups = groups or split_settings(options.settings, ('policy', 'optimizer', 'scheduler'))
    optimizer = _changed(policy.get_optimizer_preset(), groups['optimizer'], 'optimizer')
    if options.lr is not None and not hasattr(policy, 'optimizer_lr'):
        optimizer = dataclasses.replace(optimizer, lr=options.lr)
    return optimizer, _scheduler(options, policy, groups['scheduler'])


def _policy_settings(options: TrainOptions, config_class: type, given: list, fps: int) -> list:
    names = {field.name for field in dataclasses.fields(config_class)}
    chosen = dict(given)
    settings = {'device': options.device or ('cuda' if torch.cuda.is_available() else 'cpu'),
                'push_to_hub': 'false'}
    if 'fps' in names:
        settings['fps'] = str(fps)
    if options.lr is not None and 'optimizer_lr' in names:
        settings['optimizer_lr'] = repr(options.lr)
    if options.horizon is not None:
        settings |= _horizon_settings(options, config_class, names, chosen)
    if 'pretrained_backbone_weights' in names and not _may_download():
        settings['pretrained_backbone_weights'] = 'null'
    return list((settings | chosen).items())


def _horizon_settings(options, config_class, names: set, chosen: dict) -> dict[str, str]:
    """The chunk's length, and as many action steps as such a chunk can give."""
    field = next((name for name in HORIZON_FIELDS if name in names), None)
    if field is None:
        raise SettingError(f'policy type {options.policy!r} has no horizon to set '
                           f'(none of {", ".join(HORIZON_FIELDS)})')
    settings = {field: str(options.horizon)}
    if 'n_action_steps' in names:
        default = parse_config(config_class, [('device', 'cpu')])
        past = int(chosen.get('n_obs_steps', default.n_obs_steps)) - 1 if field == 'horizon' else 0
        settings['n_action_steps'] = str(options.horizon - past)
        if 'drop_n_last_frames' in names:
            settings['drop_n_last_frames'] = '0'
    return settings


def _may_download() -> bool:
    return os.environ.get('HF_HUB_OFFLINE', '').upper() not in ('1', 'TRUE', 'YES', 'ON')


def _changed(config, settings: list, group: str):
    if not settings:
        return config
    if config is None:
        raise SettingError(f'this policy has no {group} preset, so --set {group}.{settings[0][0]} has nothing to set')
    known = {field.name: getattr(config, field.name) for field in dataclasses.fields(config) if field.init}
    for key, _ in settings:
        if key not in known:
            raise SettingError(f'{type(config).__name__} has no setting {group}.{key}'
                               f'{suggestion(key, known, prefix=f"{group}.")}')
    parsed = parse_config(type(config), [(key, str(known[key])) for key in known
                                         if isinstance(known[key], (int, float, str))] + settings, group)
    return dataclasses.replace(config, **{key: getattr(parsed, key) for key, _ in settings})


def _scheduler(options: TrainOptions, policy, settings: list):
    from kiwi_training.budget import CosineSchedule
    if options.schedule == 'constant':
        return None
    if options.schedule == 'cosine':
        return CosineSchedule()
    return _changed(policy.get_scheduler_preset(), settings, 'scheduler')


def natural_size(policy: PreTrainedConfig, meta) -> tuple[int, int] | None:
    """The (height, width) our heads resize images to, None where nothing is gained by caching that.

    Heads that scale images themselves would do it anyway, at each step and from a larger cache.
    """
    size = getattr(policy, 'image_size', None)
    if not takes_uint8_images(policy) or size is None:
        return None
    stored = {shape[:2] for part in getattr(meta, 'parts', (meta,)) for shape in camera_shapes(part).values()}
    return None if stored <= {tuple(size)} else tuple(size)


def set_image_size(meta, size: tuple[int, int] | None) -> None:
    """Makes the metadata describe images resized to (height, width)."""
    for key in meta.camera_keys if size else ():
        feature = meta.features[key]
        channels_first = list(feature.get('names') or ())[:1] in (['channels'], ['channel'])
        feature['shape'] = (3, *size) if channels_first else (*size, 3)


def set_imagenet_stats(meta) -> None:
    """Replaces the cameras' statistics by ImageNet's, as lerobot-train does by default."""
    for key in meta.camera_keys:
        for kind, values in IMAGENET_STATS.items():
            meta.stats[key][kind] = torch.tensor(values, dtype=torch.float32)


def delta_indices(policy: PreTrainedConfig, meta) -> dict[str, list[int]]:
    """Frame offsets per key that this policy trains on."""
    return get_delta_indices(resolve_delta_timestamps(policy, meta) or {}, meta.fps)


def takes_uint8_images(policy: PreTrainedConfig) -> bool:
    """True for policies that scale 0..255 images themselves: our own heads."""
    return get_policy_class(policy.type).__module__.startswith(OWN_HEADS + '.')
