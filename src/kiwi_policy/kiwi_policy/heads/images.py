"""Camera images on their way into the encoder: resize, random shift, scale to -1..1."""

import torch
from torch.nn import functional as F


def resize(images, size):
    """Resize to (height, width) by antialiased bilinear interpolation, the whole view kept.

    Args:
        images: (B, C, h, w) uint8 or float. The aspect ratio is not kept: nothing is cropped away.
        size: (height, width) in pixels.

    Returns:
        (B, C, height, width) of the same type; the input itself where the size already fits.
    """
    if tuple(images.shape[-2:]) == tuple(size):
        return images
    return F.interpolate(
        images, size=tuple(size), mode='bilinear', antialias=True, align_corners=False
    )


def random_shift(images, pixels):
    """Shift each image by up to `pixels` in both directions, the edge repeated (Yarats et al. 2021).

    Args:
        images: (B, C, h, w).
        pixels: largest shift in pixels, 0 for none.

    Returns:
        (B, C, h, w) of the same type.
    """
    if pixels == 0:
        return images
    count, _, height, width = images.shape
    rows = torch.arange(-pixels, height + pixels, device=images.device).clamp_(0, height - 1)
    columns = torch.arange(-pixels, width + pixels, device=images.device).clamp_(0, width - 1)
    top, left = torch.randint(0, 2 * pixels + 1, (2, count)).tolist()
    shifted = torch.empty_like(images)
    for i in range(count):
        view = images[i].index_select(1, rows[top[i]:top[i] + height])
        shifted[i] = view.index_select(2, columns[left[i]:left[i] + width])
    return shifted


def to_unit_range(images):
    """uint8 0..255 or float 0..1 -> float -1..1, in the memory order of the encoder's convolutions."""
    if images.dtype == torch.uint8:
        images = images.to(torch.float32, memory_format=torch.channels_last)
        return images.mul_(1.0 / 127.5).sub_(1.0)
    return (images * 2.0 - 1.0).contiguous(memory_format=torch.channels_last)
