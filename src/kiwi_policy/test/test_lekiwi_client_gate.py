"""What the bridge lets through, and when it brings the base to rest."""

import numpy as np

from kiwi_policy.core import features
from kiwi_policy.hardware.command_gate import CommandGate, at_rest

DRIVE = np.array([10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 0.2, -0.1, 30.0])
TIMEOUT, REST, INTERVAL = 0.15, 1.0, 0.03


def gate():
    return CommandGate(TIMEOUT, REST, INTERVAL)


def test_a_fresh_command_passes_once():
    made = gate()
    made.offer(DRIVE, 10.0, 10.01)
    np.testing.assert_array_equal(made.due(10.01, seen=True), DRIVE)
    assert made.due(10.02, seen=True) is None


def test_the_newest_of_two_commands_passes():
    made = gate()
    made.offer(DRIVE, 10.0, 10.0)
    made.offer(DRIVE + 1, 10.01, 10.01)
    np.testing.assert_array_equal(made.due(10.02, seen=True), DRIVE + 1)


def test_an_old_command_does_not_pass():
    made = gate()
    made.offer(DRIVE, 10.0, 10.2)
    assert made.due(10.2, seen=True) is None
    assert made.late == 1


def test_silence_of_the_executor_brings_the_base_to_rest_for_a_while():
    made = gate()
    made.offer(DRIVE, 10.0, 10.0)
    made.due(10.0, seen=True)
    assert made.due(10.0 + TIMEOUT - 0.01, seen=True) is None
    sent = {}
    for step in range(300):
        now = 10.0 + TIMEOUT + 0.01 + 0.01 * step
        values = made.due(now, seen=True)
        if values is not None:
            sent[now] = values
    assert min(sent) < 10.0 + TIMEOUT + 0.02 and 0.9 * REST < max(sent) - min(sent) <= REST
    assert len(sent) >= REST / INTERVAL * 0.7
    for values in sent.values():
        np.testing.assert_array_equal(values[features.POSITIONS], DRIVE[features.POSITIONS])
        np.testing.assert_array_equal(values[features.BASE], 0.0)
    assert made.rests == 1


def test_a_new_command_ends_the_rest():
    made = gate()
    made.offer(DRIVE, 10.0, 10.0)
    made.due(10.0, seen=True)
    made.due(10.3, seen=True)
    made.offer(DRIVE, 10.31, 10.31)
    np.testing.assert_array_equal(made.due(10.31, seen=True), DRIVE)
    np.testing.assert_array_equal(made.due(10.6, seen=True), at_rest(DRIVE))
    assert made.rests == 2


def test_without_the_robots_state_the_arm_follows_and_the_base_rests():
    made = gate()
    made.offer(DRIVE, 10.0, 10.0)
    np.testing.assert_array_equal(made.due(10.0, seen=False), at_rest(DRIVE))


def test_a_host_that_comes_back_is_sent_to_no_goal_from_before():
    made = gate()
    made.offer(DRIVE, 10.0, 10.0)
    made.due(10.0, seen=True)
    made.forget()
    assert made.due(10.2, seen=True) is None and made.last_rest() is None


def test_an_executor_that_never_spoke_sends_nothing():
    made = gate()
    assert made.due(10.0, seen=True) is None and made.last_rest() is None
