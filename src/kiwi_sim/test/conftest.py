"""Marks of this package's tests."""


def pytest_configure(config):
    config.addinivalue_line('markers', 'slow: starts LeRobot as a process of its own')
