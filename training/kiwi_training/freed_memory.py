"""Keeps freed memory for the next batch instead of giving it back to the system."""

import ctypes

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3     # numbers of mallopt(3)
LARGEST_MMAP_THRESHOLD = 32 << 20
KEPT = 1 << 30


def keep_freed_memory() -> bool:
    """Let glibc reuse up to 1 GiB of freed memory; True where that is possible.

    By default blocks the size of an image batch are mapped and unmapped in every step, and each new page costs a fault:
    a tenth of a training step on a CPU.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(mallopt(MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD) and mallopt(TRIM_THRESHOLD, KEPT))
