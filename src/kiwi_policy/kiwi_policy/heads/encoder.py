"""The observation encoder every head of ours shares: cameras and proprioception to one vector."""

import torch
from torch import nn
from torch.nn import functional as F

PATCH = 4
REDUCTION = 16  # a patch embedding of 4 and two convolutions of stride 2


class CameraEncoder(nn.Module):
    """A patch embedding and two strided convolutions, flattened so that positions survive.

    Args:
        image_size: (height, width) in pixels, each divisible by 16.
        channels: widths of the three stages.
        features: size of the output.
    """

    def __init__(self, image_size, channels, features):
        super().__init__()
        first, second, third = channels
        self.patch = nn.Conv2d(3, first, PATCH, stride=PATCH)
        self.second = nn.Conv2d(first, second, 3, stride=2, padding=1)
        self.third = nn.Conv2d(second, third, 3, stride=2, padding=1)
        height, width = (side // REDUCTION for side in image_size)
        self.project = nn.Linear(third * height * width, features)
        self.norm = nn.LayerNorm(features)

    def forward(self, images):
        """(B, 3, height, width) in -1..1 -> (B, features)."""
        x = F.relu(self.patch(images), inplace=True)
        x = F.relu(self.second(x), inplace=True)
        x = F.relu(self.third(x), inplace=True)
        return F.gelu(self.norm(self.project(x.flatten(1))))


class ObservationEncoder(nn.Module):
    """State and cameras to one embedding.

    Args:
        state_dim: number of state values, 0 for none.
        cameras: number of cameras, each with an encoder of its own.
        image_size: (height, width) in pixels the images have by now.
        channels: widths of the camera encoder's three stages.
        features: size of one camera's features.
        embedding: size of the output.
    """

    def __init__(self, state_dim, cameras, image_size, channels, features, embedding):
        super().__init__()
        self.cameras = nn.ModuleList(
            CameraEncoder(image_size, channels, features) for _ in range(cameras)
        )
        self.mix = nn.Sequential(
            nn.Linear(state_dim + cameras * features, embedding),
            nn.GELU(),
            nn.Linear(embedding, embedding),
        )

    def forward(self, state, images):
        """Encode a batch of observations.

        Args:
            state: (B, state_dim) normalised, or None.
            images: a list of (B, 3, height, width) in -1..1, one per camera.

        Returns:
            (B, embedding).
        """
        parts = [] if state is None else [state]
        parts += [encode(image) for encode, image in zip(self.cameras, images, strict=True)]
        return self.mix(torch.cat(parts, dim=-1))
