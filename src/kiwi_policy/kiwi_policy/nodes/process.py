"""The frame around every node's process: signals, spinning, one clear line for an error, exit codes."""

import gc
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path

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
    try:
        rclpy.init(args=args, signal_handler_options=SignalHandlerOptions.NO)
    except (RuntimeError, ValueError) as error:         # a parameter file that is none, unknown ROS arguments
        raise SystemExit(fail(Path(sys.argv[0]).stem, str(error).partition(', at ')[0], MISCONFIGURED)) from None
    return interrupt


def spin(node, ended, executor=None, at_end=lambda: None, poll=0.2):
    """Spin until `ended()` is true or rclpy shuts down.

    Args:
        node: the node.
        ended: asked every `poll` s at least.
        executor: default: one thread.
        at_end: called at once then, before callbacks come to their end.
        poll: s.
    """
    executor = executor or SingleThreadedExecutor()
    executor.add_node(node)
    try:
        while rclpy.ok() and not ended():
            executor.spin_once(timeout_sec=poll)
    except ExternalShutdownException:
        pass
    finally:
        at_end()
        time.sleep(SETTLE)
        executor.remove_node(node)
        executor.shutdown(timeout_sec=1.0)


def give_way(niceness):
    """Run this thread, and those that it starts from now on, after those of others: `niceness` is 0 to 19.

    Called when the node has been made, it leaves out the middleware's threads, which must empty their sockets in time.
    """
    thread = threading.get_native_id()
    os.setpriority(os.PRIO_PROCESS, thread, max(niceness, os.getpriority(os.PRIO_PROCESS, thread)))


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
