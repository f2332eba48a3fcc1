"""What every worker process of a command does first."""

import multiprocessing
import os
import signal
import threading


def follow_parent():
    """Leave Ctrl-C to the parent, end on SIGTERM, and end with the parent however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent():
    multiprocessing.parent_process().join()
    os._exit(1)
