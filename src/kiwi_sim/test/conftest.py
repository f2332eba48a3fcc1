"""Marks of this package's tests, and signals that reach the processes they start."""

import signal


def pytest_configure(config):
    config.addinivalue_line('markers', 'slow: starts LeRobot as a process of its own')
    # A shell's background job ignores SIGINT, and so would its children.
    signal.signal(signal.SIGINT, signal.default_int_handler)
