"""The base of our policies: observation in, chunk out, LeRobot's interface around it."""

from abc import abstractmethod
from collections import deque
from dataclasses import dataclass, field

import torch
from lerobot.policies.pretrained import PreTrainedPolicy
from lerobot.utils.constants import ACTION, OBS_STATE
from torch import Tensor

from .backbone import ChunkBackbone
from .config import KiwiConfig
from .encoder import ObservationEncoder
from .images import random_shift, resize, to_unit_range

PAD = 'action_is_pad'


@dataclass(frozen=True)
class Loss:
    """Loss of a batch, not yet reduced.

    Attributes:
        chunk: (B, H, D), averaged over random draws if there are any; padded steps are masked out.
        terms: further scalar terms by name, added as they are and logged.
    """

    chunk: Tensor
    terms: dict = field(default_factory=dict)


class KiwiPolicy(PreTrainedPolicy):
    """Shared by all heads: the encoder, the backbone, the action queue.

    Batches hold normalised values: `observation.state` (B, state_dim), every image feature of the
    configuration as (B, 3, h, w) float 0..1 or uint8 0..255 of any size, and for training `action`
    (B, H, D) with the optional mask `action_is_pad` (B, H), true beyond the episode's end.

    Args:
        config: the head's configuration, with input and output features.
        dataset_meta: its `fps` is written into the configuration unless one is set.
    """

    config_class = KiwiConfig
    name = 'kiwi'

    def __init__(self, config, dataset_meta=None, **kwargs):
        super().__init__(config)
        config.validate_features()
        if config.fps is None and dataset_meta is not None:
            config.fps = float(dataset_meta.fps)
        self.cameras = tuple(config.image_features)
        state = config.robot_state_feature
        self.action_dim = config.action_feature.shape[0]
        self.encoder = ObservationEncoder(
            state.shape[0] if state else 0, len(self.cameras), config.image_size,
            config.camera_channels, config.camera_features, config.embedding,
        )
        self.backbone = ChunkBackbone(
            config.horizon, self.action_dim, config.embedding,
            config.width, config.depth, config.expansion, config.outputs_per_action,
        )
        self.reset()

    @abstractmethod
    def chunk_loss(self, condition, chunk):
        """Unreduced loss of a batch of normalised chunks.

        Args:
            condition: Condition of B observations.
            chunk: (B, H, D).

        Returns:
            Loss.
        """

    @abstractmethod
    def sample(self, condition, noise=None):
        """Normalised chunks (B, H, D) for a Condition of B observations.

        Args:
            condition: Condition of B observations.
            noise: what the head starts from, drawn from N(0, I) where None: (B, H, D), for the CVAE
                (B, latent_dim). Heads without noise ignore it.
        """

    def condition(self, batch):
        """Encode the batch's observations, once per chunk; augmented while training."""
        state = batch[OBS_STATE] if self.config.robot_state_feature else None
        if state is not None and self.training and self.config.state_noise > 0:
            state = state + self.config.state_noise * torch.randn_like(state)
        images = [self._image(batch[key]) for key in self.cameras]
        return self.backbone.condition(self.encoder(state, images))

    def _image(self, image):
        image = resize(image, self.config.image_size)
        if self.training:
            image = random_shift(image, self.config.random_shift)
        return to_unit_range(image)

    def forward(self, batch):
        """Training loss of a batch, padded steps masked out.

        Returns:
            the scalar loss and a dict of what to log.
        """
        loss = self.chunk_loss(self.condition(batch), batch[ACTION])
        terms = {'chunk': _valid_mean(loss.chunk, batch.get(PAD))} | loss.terms
        total = sum(terms.values())
        logged = {name: term.item() for name, term in terms.items()} if loss.terms else {}
        return total, {'loss': total.item()} | logged

    @torch.no_grad()
    def predict_action_chunk(self, batch, noise=None):
        """Normalised chunk (B, H, D) for a batch of observations."""
        self.eval()
        return self.sample(self.condition(batch), noise=noise)

    @torch.no_grad()
    def select_action(self, batch, noise=None):
        """Next normalised action (B, D); a new chunk is asked for after n_action_steps."""
        if not self._queue:
            chunk = self.predict_action_chunk(batch, noise=noise)
            self._queue.extend(chunk[:, :self.config.n_action_steps].unbind(dim=1))
        return self._queue.popleft()

    def noise(self, condition, given=None):
        """Noise (B, H, D) of N(0, I) for a Condition of B observations; `given` is checked instead.

        Raises:
            ValueError: `given` has another shape.
        """
        return standard_normal(
            (len(condition.embedding), self.config.horizon, self.action_dim), condition, given
        )

    def reset(self):
        """Forget the actions left of the last chunk."""
        self._queue = deque()

    def get_optim_params(self):
        return self.parameters()


def standard_normal(shape, condition, given=None):
    """Noise of N(0, I) beside a Condition; `given` is returned where its shape fits.

    Raises:
        ValueError: `given` has another shape.
    """
    if given is None:
        return torch.randn(shape, device=condition.embedding.device)
    if tuple(given.shape) != tuple(shape):
        raise ValueError(f'noise must be of shape {tuple(shape)}, got {tuple(given.shape)}')
    return given


def _valid_mean(loss, pad):
    """Mean of (B, H, D) over the steps that are not padding; pad (B, H) bool or None."""
    if pad is None:
        return loss.mean()
    valid = (~pad)[..., None].expand_as(loss)
    return torch.where(valid, loss, 0.0).sum() / valid.sum().clamp(min=1)
