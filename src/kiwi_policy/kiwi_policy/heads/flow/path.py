"""The straight (optimal transport) path from noise x_0 ~ N(0, I) to a chunk x_1."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class PathSample:
    """A point on the path.

    Attributes:
        tau: (B,) flow time in 0..1.
        x: (B, H, D), x_tau = (1 - tau) x_0 + tau x_1.
        velocity: (B, H, D), its derivative x_1 - x_0.
    """

    tau: Tensor
    x: Tensor
    velocity: Tensor


def straight_path(x_0, x_1, tau):
    """x_tau = (1 - tau) x_0 + tau x_1 and its velocity x_1 - x_0.

    Args:
        x_0: (B, H, D) noise.
        x_1: (B, H, D) data.
        tau: (B,).
    """
    velocity = x_1 - x_0
    return PathSample(tau, torch.addcmul(x_0, tau[:, None, None], velocity), velocity)
