"""Why a chunk is asked for: regularly, just in time, or because none runs."""

import pytest
from core_support import REST, drive, executor, line, tick

from kiwi_policy.core.schedule import IN_TIME, INTERVAL, NO_ACTIONS


def causes(ex, number):
    """How many requests were made for which cause, up to tick `number`."""
    return ex.status(tick(number)).requests


def test_a_quick_policy_is_asked_regularly():
    ex = executor(replan_interval=4 / 30)
    _, requests, _ = drive(ex, 30, lambda request, at: line(at, 16))
    made = causes(ex, 30)
    assert made[NO_ACTIONS] == 1 and made[INTERVAL] == len(requests) - 1 and IN_TIME not in made


def test_a_policy_that_is_asked_seldom_is_asked_just_in_time():
    ex = executor(replan_interval=10.0)
    _, requests, _ = drive(ex, 60, lambda request, at: line(at, 16), delay=3)
    made = causes(ex, 60)
    assert made[IN_TIME] >= 2 and INTERVAL not in made and sum(made.values()) == len(requests)


@pytest.mark.parametrize('mode', ['sync', 'latest'])
def test_a_policy_that_never_answers_is_asked_because_nothing_runs(mode):
    ex = executor(mode=mode)
    asked = 0
    for number in range(60):
        asked += ex.request(tick(number)) is not None
        ex.step(tick(number), REST)
    assert causes(ex, 60) == {NO_ACTIONS: asked} and ex.status(tick(60)).lost == asked - 1 > 0


def test_causes_are_counted_per_episode():
    ex = executor()
    ex.request(tick(0))
    ex.end()
    ex.begin('next', REST, tick(1))
    assert causes(ex, 1) == {}
