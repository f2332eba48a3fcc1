"""Chooses the arithmetic of a training run."""

import torch

CHOICES = ('auto', 'fp32', 'bf16')
BF16_INSTRUCTIONS = ('_is_amx_tile_supported', '_is_avx512_bf16_supported')
"""Functions of torch.cpu."""


def choose_precision(wanted: str, device: str) -> str:
    """'fp32' or 'bf16' (autocast); 'auto' takes bf16 where the hardware multiplies it natively.

    On a CPU that means AMX tiles or AVX-512 BF16; on CUDA, compute capability 8 or newer.
    """
    if wanted not in CHOICES:
        raise ValueError(f'precision must be one of {", ".join(CHOICES)}, got {wanted!r}')
    if wanted != 'auto':
        return wanted
    return 'bf16' if _multiplies_bf16(device) else 'fp32'


def _multiplies_bf16(device: str) -> bool:
    kind = torch.device(device).type
    if kind == 'cuda':
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if kind == 'cpu':
        return any(getattr(torch.cpu, name, lambda: False)() for name in BF16_INSTRUCTIONS)
    return False
