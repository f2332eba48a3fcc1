import signal

import pytest
from kiwi_bringup.exits import EARLY_DEATHS, MISCONFIGURED, SETTLED, ExitRules
from kiwi_bringup.process import OnExit, Process

POLICY = Process('policy', ('x',), OnExit.RESPAWN)
KILLED = -signal.SIGKILL


def test_policy_is_started_again_however_often_it_dies_late():
    rules = ExitRules()
    assert all(rules.decide(POLICY, KILLED, SETTLED + 1).respawn for _ in range(10))


def test_a_long_life_forgives_early_deaths():
    rules = ExitRules()
    for _ in range(5):
        for _ in range(EARLY_DEATHS - 1):
            assert rules.decide(POLICY, 1, 0.1).respawn
        assert rules.decide(POLICY, 1, SETTLED + 1).respawn


@pytest.mark.parametrize('status', [0, 1, MISCONFIGURED, KILLED])
def test_a_viewer_may_end_however_it_likes(status):
    verdict = ExitRules().decide(Process('view', ('x',), OnExit.LEFT), status, 5.0)
    assert verdict.leave and not verdict.respawn
    assert 'goes on without it' in verdict.reason


def test_early_deaths_in_a_row_end_the_run():
    rules = ExitRules()
    verdicts = [rules.decide(POLICY, 1, 0.1) for _ in range(EARLY_DEATHS)]
    assert [verdict.respawn for verdict in verdicts] == [True] * (EARLY_DEATHS - 1) + [False]
    assert verdicts[-1].code == 1


def test_processes_are_counted_apart():
    rules = ExitRules()
    other = Process('camera', ('x',), OnExit.RESPAWN)
    for _ in range(EARLY_DEATHS - 1):
        assert rules.decide(POLICY, 1, 0.1).respawn
        assert rules.decide(other, 1, 0.1).respawn


def test_misconfigured_process_is_not_started_again():
    verdict = ExitRules().decide(POLICY, MISCONFIGURED, 100.0)
    assert not verdict.respawn
    assert verdict.code == 1


@pytest.mark.parametrize(('on_exit', 'status', 'code'), [
    (OnExit.ENDS, 0, 0), (OnExit.ENDS, 3, 3), (OnExit.ENDS, KILLED, 137),
    (OnExit.FAILS, 0, 1), (OnExit.FAILS, 3, 3), (OnExit.FAILS, KILLED, 137),
])
def test_status_of_the_run(on_exit, status, code):
    verdict = ExitRules().decide(Process('p', ('x',), on_exit), status, 1.0)
    assert (verdict.respawn, verdict.code) == (False, code)


def test_reason_names_process_and_signal():
    reason = ExitRules().decide(POLICY, KILLED, 12.3).reason
    assert 'policy' in reason
    assert 'SIGKILL' in reason
