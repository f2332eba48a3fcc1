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
    padded = _repeat_edges(images, pixels)
    shifted = torch.empty_like(images)
    tops, lefts = torch.randint(0, 2 * pixels + 1, (2, count)).tolist()
    for i, (top, left) in enumerate(zip(tops, lefts, strict=True)):
        shifted[i] = padded[i, :, top:top + height, left:left + width]
    return shifted


def _repeat_edges(images, pixels):
    """(B, C, h, w) -> (B, C, h + 2 pixels, w + 2 pixels), in the same memory order."""
    count, channels, height, width = images.shape
    rows, columns = slice(pixels, pixels + height), slice(pixels, pixels + width)
    channels_last = images.is_contiguous(memory_format=torch.channels_last)
    padded = torch.empty(
        (count, channels, height + 2 * pixels, width + 2 * pixels),
        dtype=images.dtype, device=images.device,
        memory_format=torch.channels_last if channels_last else torch.contiguous_format,
    )
    padded[..., rows, columns] = images
    padded[..., rows, :pixels] = images[..., :1]
    padded[..., rows, pixels + width:] = images[..., -1:]
    padded[..., :pixels, :] = padded[..., pixels:pixels + 1, :]
    padded[..., pixels + height:, :] = padded[..., pixels + height - 1:pixels + height, :]
    return padded


def to_unit_range(images):
    """uint8 0..255 or float 0..1 -> float -1..1, in the memory order of the encoder's convolutions."""
    if images.dtype == torch.uint8:
        images = images.to(torch.float32, memory_format=torch.channels_last)
        return images.mul_(1.0 / 127.5).sub_(1.0)
    return (images * 2.0 - 1.0).contiguous(memory_format=torch.channels_last)
