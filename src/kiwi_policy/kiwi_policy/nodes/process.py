"""The frame around every node's process: signals, spinning, one clear line for an error, exit codes."""

import contextlib
import gc
import logging
import os
import signal
import sys
import threading
import time

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

MISCONFIGURED = 2
"""Exit code of a node that cannot run as it was configured: starting it again would not help."""

SETTLE = 0.2
"""s after spinning in which callbacks that a pool of threads has already taken up come to their end."""


class Interrupt:
    """Set by SIGINT and SIGTERM; `number` is the signal, 0 before.

    While `impatient` a signal also raises KeyboardInterrupt, so that a long start ends at once.
    """

    def __init__(self):
        self.number = 0
        self.impatient = False
        self._event = threading.Event()

    def install(self):
        """Take over both signals. Call it in the main thread."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._handle)
        return self

    def is_set(self):
        """True after a signal."""
        return self._event.is_set()

    def wait(self, seconds):
        """Sleep up to `seconds` s; returns True at once on a signal."""
        return self._event.wait(seconds)

    def trigger(self):
        """As a signal would, without one."""
        self._event.set()

    def _handle(self, number, _frame):
        self.number = number
        self._event.set()
        if self.impatient:
            raise KeyboardInterrupt


def start(args=None, help_text=''):
    """Initialise rclpy without its own signal handlers and return the `Interrupt`.

    Args:
        args: of the process; default: sys.argv.
        help_text: printed for --help, which ends the process.
    """
    if {'-h', '--help'} & set(sys.argv[1:] if args is None else args):
        print(help_text)
        raise SystemExit(0)
    logging.basicConfig(level=logging.WARNING, format='[%(levelname)s] %(name)s: %(message)s')
    interrupt = Interrupt().install()
    rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    return interrupt


def spin(node, ended, executor=None):
    """Spin until `ended()` is true or rclpy shuts down."""
    executor = executor or SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while rclpy.ok() and not ended():
            executor.spin_once(timeout_sec=0.2)
    except ExternalShutdownException:
        pass
    finally:
        time.sleep(SETTLE)
        executor.remove_node(node)
        executor.shutdown(timeout_sec=1.0)


def ask_for_priority():
    """Run before ordinary processes, all threads to come included, where this one has the privilege for it."""
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))


def give_way(niceness):
    """Run all threads of this process after those of others: `niceness` is 0 to 19."""
    for thread in os.listdir('/proc/self/task'):
        os.setpriority(os.PRIO_PROCESS, int(thread), niceness)


def settle_memory():
    """Take what the start has loaded out of garbage collection, whose pauses would disturb real time."""
    gc.collect()
    gc.freeze()


def fail(name, error, code=1):
    """Print one line for an error that ends the process; returns `code`."""
    print(f'{name}: error: {" ".join(str(error).split())}', file=sys.stderr, flush=True)
    return code


def finish(node):
    """Destroy the node and shut rclpy down, whatever is left of them."""
    if node is not None:
        node.destroy_node()
    if rclpy.ok():
        rclpy.shutdown()
