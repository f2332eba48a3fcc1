"""What the view calls an event, and how often."""

from kiwi_policy.view.journal import Journal
from kiwi_policy.view.pace import Pace


def status(journal, state='RUNNING', reason='', episode='e1', rejects=None, underruns=0):
    return journal.on_status(state, reason, episode, rejects or {}, underruns)


def test_a_status_like_the_last_is_no_event():
    journal = Journal()
    assert status(journal, reason='executing chunks') == [
        ('INFO', 'episode e1 begins'), ('INFO', 'RUNNING: executing chunks')]
    assert status(journal, reason='executing chunks') == []


def test_states_that_matter_are_warnings():
    journal = Journal()
    assert status(journal, 'STARVED', 'no actions')[-1] == ('WARN', 'STARVED: no actions')
    assert status(journal, 'FAULT', 'the bus')[-1] == ('ERROR', 'FAULT: the bus')
    assert status(journal, 'TAKEOVER')[-1] == ('WARN', 'TAKEOVER')


def test_rejections_and_underruns_are_told_as_they_come_and_counted_anew_per_episode():
    journal = Journal()
    status(journal)
    assert status(journal, rejects={'late': 1}) == [('WARN', '1 chunk refused: late (1 in this episode)')]
    assert status(journal, rejects={'late': 1}, underruns=1) == [
        ('WARN', 'out of actions, for the 1. time in this episode')]
    assert status(journal, rejects={'late': 3, 'nan': 1}, underruns=1) == [
        ('WARN', '2 chunks refused: late (3 in this episode)'), ('WARN', '1 chunk refused: nan (1 in this episode)')]
    assert status(journal, episode='e2', rejects={'late': 1})[:2] == [
        ('INFO', 'episode e2 begins'), ('WARN', '1 chunk refused: late (1 in this episode)')]
    assert status(journal, 'IDLE', episode='', rejects={'inactive': 1}) == [('INFO', 'episode e2 is over'), ('INFO', 'IDLE')]


def test_an_operators_takeover_is_two_events():
    journal = Journal()
    told = [journal.on_takeover(engaged, 'keyboard') for engaged in (False, True, True, False, False)]
    assert told == [[], [('WARN', 'keyboard drives, the dead-man is held')], [],
                    [('INFO', 'keyboard hands back to the policy')], []]


def test_a_policys_restart_is_a_warning():
    journal = Journal()
    assert journal.on_policy(1, 'flow', 'abc') == [('INFO', 'policy flow abc runs')]
    assert journal.on_policy(1, 'flow', 'abc') == []
    assert journal.on_policy(2, 'flow', 'abc') == [('WARN', 'policy flow abc has started again')]


def test_health_is_told_where_it_changes():
    journal = Journal()
    told = [journal.on_health('servos', level, 'm') for level in (0, 1, 1, 2, 3, 0)]
    assert told == [[], [('WARN', 'servos: m')], [], [('ERROR', 'servos: m')], [],
                    [('INFO', 'servos is well again: m')]]


def test_the_pace_lets_through_what_is_due():
    pace = Pace(10.0)
    assert sum(pace.allows(index / 30.0) for index in range(300)) in range(98, 102)
    assert not Pace(0.0).allows(1.0)
    late = Pace(10.0)
    assert late.allows(0.0) and late.allows(5.0) and not late.allows(5.05)
