"""Signals that reach the processes the tests start."""

import signal


def pytest_configure():
    # A shell's background job ignores SIGINT, and so would its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
