"""How punctually this machine wakes up a process that does nothing else: the floor below which no control loop gets.

    python -m kiwi_bench.loop.wake_probe RATE      # until SIGINT or SIGTERM, then one JSON object on standard output
"""

import json
import os
import signal
import sys
import threading
import time

from kiwi_policy.nodes import realtime
from kiwi_policy.nodes.jitter import Histogram

PRIORITY = 98       # above everything that is measured


def probe(rate, ended, clock=time.monotonic, sleep=time.sleep):
    """Wake up `rate` times per s at absolute times until `ended()`; returns the `Histogram` of lateness in s."""
    late, period = Histogram(), 1.0 / rate
    due = clock() + period
    while not ended():
        sleep(max(due - clock(), 0.0))
        now = clock()
        late.add(now - due)
        due += max((now - due) // period + 1.0, 1.0) * period
    return late


def main(words=None):
    """Measure; returns the exit status."""
    words = sys.argv[1:] if words is None else words
    try:
        rate = float(words[0]) if len(words) == 1 else 0.0
    except ValueError:
        rate = 0.0
    if not 1.0 <= rate <= 1000.0:
        print('usage: python -m kiwi_bench.loop.wake_probe RATE, from 1 to 1000 Hz', file=sys.stderr)
        return 2
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    realtime.prefer_thread(PRIORITY)
    realtime.fine_timers()
    late = probe(rate, ended.is_set)
    print(json.dumps({'priority': os.sched_getparam(0).sched_priority, 'wakes': late.count}
                     | {f'p{percent}': round(1e3 * late.percentile(percent), 3) for percent in (50, 95, 99)}
                     | {'max': round(1e3 * late.largest, 3)}))
    return 0


if __name__ == '__main__':
    sys.exit(main())
