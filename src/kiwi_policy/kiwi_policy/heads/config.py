"""What the configurations of our heads have in common."""

from dataclasses import dataclass, field

from lerobot.configs import NormalizationMode, PreTrainedConfig
from lerobot.optim import AdamWConfig, DiffuserSchedulerConfig
from lerobot.utils.constants import ACTION, OBS_STATE

from .encoder import REDUCTION


@dataclass
class KiwiConfig(PreTrainedConfig):
    """Observation, chunk, network and training presets of every head of ours.

    Attributes:
        horizon: H, steps of a chunk.
        n_action_steps: steps executed before the policy is asked again; None for the whole chunk.
        n_obs_steps: observations per chunk; these heads look at one.
        fps: Hz, the rate of the dataset, which makes the checkpoint self-contained.
        image_size: (height, width) in pixels every camera is resized to, multiples of 16.
        random_shift: pixels by which training images are shifted at random, 0 for none.
        state_noise: standard deviation of the noise on the normalised state in training.
        camera_channels: widths of the camera encoder's three stages.
        camera_features: features per camera.
        embedding: size of the observation's embedding.
        width: channels of a token.
        depth: number of blocks of the backbone.
        expansion: widening inside a block's channel MLP.
        std_floor: floors under the standard deviations apply when normalising.
        state_feature_names, action_feature_names: as in the dataset, written at training.
    """

    n_obs_steps: int = 1
    horizon: int = 32
    n_action_steps: int | None = None
    fps: float | None = None

    normalization_mapping: dict[str, NormalizationMode] = field(
        default_factory=lambda: {
            'VISUAL': NormalizationMode.IDENTITY,
            'STATE': NormalizationMode.MEAN_STD,
            'ACTION': NormalizationMode.MEAN_STD,
        }
    )
    std_floor: bool = True

    image_size: tuple[int, int] = (96, 96)
    random_shift: int = 4
    state_noise: float = 0.05

    camera_channels: tuple[int, int, int] = (48, 64, 96)
    camera_features: int = 128
    embedding: int = 192
    width: int = 96
    depth: int = 4
    expansion: int = 2

    optimizer_lr: float = 1e-3
    optimizer_weight_decay: float = 1e-4
    optimizer_grad_clip_norm: float = 1.0
    scheduler_warmup_steps: int = 200

    state_feature_names: list[str] | None = None
    action_feature_names: list[str] | None = None

    push_to_hub: bool = False

    def __post_init__(self):
        super().__post_init__()
        if self.n_action_steps is None:
            self.n_action_steps = self.horizon
        if not 1 <= self.n_action_steps <= self.horizon:
            raise ValueError(
                f'n_action_steps {self.n_action_steps} is outside 1..{self.horizon} (the horizon)'
            )
        if self.n_obs_steps != 1:
            raise ValueError(f'n_obs_steps {self.n_obs_steps}: this head looks at 1 observation')
        if any(side < REDUCTION or side % REDUCTION for side in self.image_size):
            raise ValueError(
                f'image_size {tuple(self.image_size)}: both sides must be multiples of {REDUCTION}'
            )

    @property
    def outputs_per_action(self):
        """Values the network puts out per action value."""
        return 1

    @property
    def observation_delta_indices(self):
        return None

    @property
    def action_delta_indices(self):
        return list(range(self.horizon))

    @property
    def reward_delta_indices(self):
        return None

    def get_optimizer_preset(self):
        return AdamWConfig(
            lr=self.optimizer_lr,
            weight_decay=self.optimizer_weight_decay,
            grad_clip_norm=self.optimizer_grad_clip_norm,
        )

    def get_scheduler_preset(self):
        return DiffuserSchedulerConfig(name='cosine', num_warmup_steps=self.scheduler_warmup_steps)

    def validate_features(self):
        """Raise unless there is an action and something to look at."""
        if self.action_feature is None:
            raise ValueError(
                f'output_features must hold {ACTION!r}, got {sorted(self.output_features or {})}'
            )
        if self.robot_state_feature is None and not self.image_features:
            raise ValueError(
                f'input_features must hold {OBS_STATE!r} or an image, '
                f'got {sorted(self.input_features or {})}'
            )

    def set_dataset_feature_metadata(self, features):
        """Take over the names of state and action values from a dataset's `features`."""
        self.state_feature_names = _names(features, OBS_STATE) or self.state_feature_names
        self.action_feature_names = _names(features, ACTION) or self.action_feature_names


def check_choice(name, value, choices):
    """Raise ValueError unless the field's value is one of the choices."""
    if value not in choices:
        raise ValueError(f'{name} {value!r} is none of {", ".join(choices)}')


def check_at_least(config, lowest, *names):
    """Raise ValueError unless each of these numbers of a configuration is at least `lowest`."""
    for name in names:
        if getattr(config, name) < lowest:
            raise ValueError(f'{name} must be at least {lowest}, got {getattr(config, name)}')


def _names(features, key):
    names = (features.get(key) or {}).get('names')
    return [str(name) for name in names] if isinstance(names, list | tuple) else None
