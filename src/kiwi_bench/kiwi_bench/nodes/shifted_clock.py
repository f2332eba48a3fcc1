"""Runs a module with a system clock that can be stepped.

    python -m kiwi_bench.nodes.shifted_clock FILE MODULE [ARGUMENT...]

FILE holds one float64, s, that `time.time` and `time.time_ns` of the process add to the true time at every call.
What reads the system clock in Python is moved so; ROS clocks follow use_sim_time.
"""

import mmap
import runpy
import struct
import sys
import time

NO_SHIFT = struct.pack('d', 0.0)


def shift(path, seconds):
    """Step the clock of every process that runs with this file."""
    with open(path, 'r+b') as file:
        file.write(struct.pack('d', seconds))


def _install(path):
    with open(path, 'r+b') as file:
        shared = mmap.mmap(file.fileno(), len(NO_SHIFT))
    true_time, true_time_ns = time.time, time.time_ns
    time.time = lambda: true_time() + struct.unpack_from('d', shared)[0]
    time.time_ns = lambda: true_time_ns() + round(1e9 * struct.unpack_from('d', shared)[0])


if __name__ == '__main__':
    _install(sys.argv[1])
    del sys.argv[:2]
    runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)
