"""Keeps processors busy at ordinary priority, where the program `stress` is not installed.

    python -m kiwi_bench.loop.busy COUNT
"""

import multiprocessing
import signal
import sys


def work():
    """Compute until the process that started this one has ended, however it did."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent, value = multiprocessing.parent_process(), 1
    while parent.is_alive():
        for _ in range(1_000_000):
            value = value * 1103515245 + 12345 & 0x7FFFFFFF


def main(words=None):
    """Run COUNT busy processes until a signal comes; they end with this one."""
    words = sys.argv[1:] if words is None else words
    if len(words) != 1 or not words[0].isdecimal() or not int(words[0]):
        print('usage: python -m kiwi_bench.loop.busy COUNT', file=sys.stderr)
        return 2
    signal.signal(signal.SIGINT, signal.default_int_handler)    # a shell's background job has it ignored
    processes = [multiprocessing.Process(target=work, daemon=True) for _ in range(int(words[0]))]
    try:
        for process in processes:
            process.start()
        for process in processes:
            process.join()
    except KeyboardInterrupt:
        pass
    return 0


if __name__ == '__main__':
    sys.exit(main())
