"""The arithmetic of a training, and the memory its steps reuse."""

import subprocess
import sys

import pytest
import torch
from kiwi_training.precision import BF16_INSTRUCTIONS, choose_precision

FAULTS = """
import ctypes, resource, sys
from kiwi_training.freed_memory import keep_freed_memory
libc = ctypes.CDLL(None)
libc.malloc.restype, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
if sys.argv[1] == 'kept' and not keep_freed_memory():
    sys.exit(print('unknown'))
def step():
    blocks = [libc.malloc(1 << 20) for _ in range(30)]
    for block in blocks:
        libc.memset(block, 1, 1 << 20)
    for block in reversed(blocks):
        libc.free(block)
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(which):
    return subprocess.run([sys.executable, '-c', FAULTS, which], capture_output=True, text=True, check=True).stdout.strip()


def test_freed_memory_is_reused():
    kept = faults('kept')
    if kept == 'unknown':
        pytest.skip('no mallopt here')
    assert int(kept) < 0.1 * int(faults('given back'))


@pytest.mark.parametrize('native', BF16_INSTRUCTIONS)
def test_auto_takes_bf16_where_the_processor_multiplies_it(monkeypatch, native):
    for name in BF16_INSTRUCTIONS:
        monkeypatch.setattr(torch.cpu, name, lambda name=name: name == native, raising=False)
    assert choose_precision('auto', 'cpu') == 'bf16'
    assert choose_precision('fp32', 'cpu') == 'fp32'


def test_auto_stays_with_fp32_elsewhere(monkeypatch):
    for name in BF16_INSTRUCTIONS:
        monkeypatch.setattr(torch.cpu, name, lambda: False, raising=False)
    assert choose_precision('auto', 'cpu') == 'fp32'
    assert choose_precision('bf16', 'cpu') == 'bf16'


def test_another_precision_is_refused():
    with pytest.raises(ValueError, match=r"auto, fp32, bf16, got 'fp16'"):
        choose_precision('fp16', 'cpu')
