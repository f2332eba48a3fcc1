"""A history of raw observations to the batch a policy was trained on."""

import logging

import numpy as np
import torch
from lerobot.utils.constants import OBS_STATE

from .images import resize

logger = logging.getLogger(__name__)

IMAGE_PREFIX = 'observation.images.'


class ObservationBatcher:
    """Builds batches of one, in the shapes the checkpoint's features ask for.

    Images of another size than the checkpoint's are resized, antialiased bilinear, the whole view
    kept; said once per camera. Policies of ours do that themselves from any size.

    Args:
        features: the configuration's input features.
        n_obs_steps: observations per batch.
        stacked: the policy wants a time axis, (1, n_obs_steps, ...).
        resizes: the policy itself takes uint8 images of any size.
    """

    def __init__(self, features, n_obs_steps, stacked, resizes):
        self._shapes = {key: tuple(feature.shape) for key, feature in features.items()}
        self._steps = n_obs_steps
        self._stacked = stacked
        self._resizes = resizes
        self._said = set()

    def __call__(self, history, task):
        """Batch of one.

        Args:
            history: observations oldest first, one period apart; where it is shorter than
                n_obs_steps the oldest is repeated.
            task: text, passed on.

        Raises:
            ValueError: naming a missing or misshapen observation.
        """
        if not history:
            raise ValueError('the history holds no observation')
        recent = list(history)[-self._steps:]
        recent = [recent[0]] * (self._steps - len(recent)) + recent
        batch = {key: self._stack([self._read(step, key) for step in recent]) for key in self._shapes}
        return batch | {'task': task, 'robot_type': 'lekiwi'}

    def _stack(self, values):
        """n_obs_steps tensors (1, ...) -> (1, n_obs_steps, ...), or the newest alone."""
        return torch.stack(values, dim=1) if self._stacked else values[-1]

    def _read(self, observation, key):
        if key not in observation:
            raise ValueError(f'the policy needs {key!r}, the observation has {sorted(observation)}')
        if key.startswith(IMAGE_PREFIX):
            return self._image(observation[key], key)
        values = np.array(observation[key], dtype=np.float32)
        if values.shape != self._shapes[key]:
            what = 'state' if key == OBS_STATE else 'value'
            raise ValueError(
                f'{what} {key!r} must be of shape {self._shapes[key]}, got {values.shape}'
            )
        return torch.from_numpy(values)[None]

    def _image(self, pixels, key):
        pixels = np.asarray(pixels)
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[-1] != 3:
            raise ValueError(
                f'image {key!r} must be uint8 (height, width, 3), got {pixels.dtype} {pixels.shape}'
            )
        if not (pixels.flags.writeable and pixels.flags.c_contiguous):
            pixels = pixels.copy(order='C')
        image = torch.from_numpy(pixels).permute(2, 0, 1)[None]
        if self._resizes:
            return image
        size = self._shapes[key][-2:]
        if image.shape[-2:] != size and key not in self._said:
            self._said.add(key)
            logger.warning(
                '%s: images of %d x %d are resized to the %d x %d the policy was trained on '
                '(height x width, antialiased bilinear, whole view kept)',
                key, *image.shape[-2:], *size,
            )
        return resize(image.to(torch.float32) / 255.0, size)
