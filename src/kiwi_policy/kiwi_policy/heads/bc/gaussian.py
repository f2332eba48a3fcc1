"""The likelihood of a Gaussian with a learned, diagonal covariance."""

import torch

LOG_STD_LOW, LOG_STD_HIGH = -5.0, 2.0
"""Bounds of log sigma, of normalised actions."""


def split(output):
    """Network output (..., 2 D) -> mean (..., D) and log sigma (..., D), the latter squashed into its bounds."""
    mean, raw = output.chunk(2, dim=-1)
    return mean, LOG_STD_LOW + (LOG_STD_HIGH - LOG_STD_LOW) * torch.sigmoid(raw)


def negative_log_likelihood(value, mean, log_std):
    """((value - mean) / sigma)^2 / 2 + log sigma, without the constant log(2 pi) / 2.

    Args:
        value, mean, log_std: (..., D).
    """
    return 0.5 * torch.square((value - mean) * torch.exp(-log_std)) + log_std
