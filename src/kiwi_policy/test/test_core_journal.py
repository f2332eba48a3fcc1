"""What an executor was told, told to another one again, gives the same commands."""

import numpy as np
import pytest
from core_support import EPISODE, REST, SPREAD, chunk, line, tick

from kiwi_policy.core.executor import ExecutorConfig, ExecutorError, PolicyTraits, State
from kiwi_policy.core.features import NAMES
from kiwi_policy.core.journal import STANDING, Event, JournalledExecutor, Kind, tell
from kiwi_policy.core.takeover import OperatorCommand

POSE = np.array([5.0, -60.0, 50.0, 60.0, -90.0, 40.0, 0.0, 0.0, 0.0])


def command(values=REST, engaged=True, stamp=1.0, names=NAMES):
    return OperatorCommand(stamp, engaged, 'hand', names, np.asarray(values))


def started(**settings):
    ex = JournalledExecutor(ExecutorConfig(**settings))
    ex.set_policy(PolicyTraits(horizon=16, n_action_steps=12, action_spread=SPREAD, latency_p95=0.05))
    ex.begin(EPISODE, REST, tick(0))
    return ex


def test_what_holds_stands_before_the_begin():
    ex = JournalledExecutor()
    ex.operator.set_speed_scale(0.5)
    ex.operator.derate((1.0, 1.0, 0.5, 1.0, 1.0, 1.0), 0.25)
    ex.set_policy(PolicyTraits(horizon=16))
    ex.step(tick(0), REST)
    assert [event.kind for event in ex.told] == [Kind.SPEED, Kind.DERATE, Kind.POLICY]
    ex.begin(EPISODE, REST, tick(1))
    ex.step(tick(1), REST)
    assert ex.told == (Event(Kind.POLICY, values=(16.0, 0.0, 0.0)), Event(Kind.RUNS), Event(Kind.SPEED, values=(0.5,)),
                       Event(Kind.DERATE, values=(1.0, 1.0, 0.5, 1.0, 1.0, 1.0, 0.25)), Event(Kind.BEGIN, text=EPISODE))
    assert {event.kind for event in ex.told[:-1]} == STANDING
    ex.step(tick(2), REST)
    assert ex.told == ()


def test_what_is_refused_by_raising_is_no_event():
    ex = started()
    ex.step(tick(0), REST)
    for wrong in (lambda: ex.begin('other', REST, tick(1)), ex.operator.release, ex.operator.engage,
                  lambda: ex.operator.move_to('start', POSE[:6], 30.0, REST, tick(1))):
        with pytest.raises(ExecutorError):
            wrong()
    with pytest.raises(ValueError):
        ex.operator.set_speed_scale(2.0)
    assert ex.reset() is False
    ex.operator.derate((1.0,) * 6, 1.0)                 # nothing new
    assert not ex.takeover.take(command(names=('a',)), tick(1)).accepted
    ex.step(tick(1), REST)
    assert ex.told == ()


def test_a_refused_chunk_is_an_event():
    ex = started()
    late, ours = chunk(-100, chunk_id=9), chunk(0, chunk_id=2**63 + 1)
    assert not ex.add(late, tick(0)).accepted and ex.add(ours, tick(0)).accepted
    ex.step(tick(0), REST)
    assert ex.told[-2:] == (Event(Kind.CHUNK, (1, 9), (late.stamp,)), Event(Kind.CHUNK, (1, 2**63 + 1), (ours.stamp,)))


def test_what_is_told_after_a_step_belongs_to_the_next():
    ex = started()
    ex.step(tick(0), REST)
    ex.fault('no answer')
    assert ex.told[-1] == Event(Kind.BEGIN, text=EPISODE)
    ex.step(tick(1), REST)
    assert ex.told == (Event(Kind.FAULT, text='no answer'),)


@pytest.mark.parametrize('mode', ['sync', 'latest', 'ensemble'])
def test_another_executor_told_the_same_does_the_same(mode):
    first, second = started(mode=mode), JournalledExecutor(ExecutorConfig(mode=mode))
    chunks, rng = {}, np.random.default_rng(0)

    def give(number, **changes):
        made = chunk(number, actions=line(number, 16) + rng.normal(0, 1, (16, 9)), chunk_id=len(chunks) + 1, **changes)
        chunks[made.run_id, made.chunk_id] = made
        first.add(made, tick(number))

    script = {
        30: lambda: first.operator.set_speed_scale(0.3), 40: lambda: first.set_policy(PolicyTraits(16, 4)),
        50: lambda: first.takeover.take(command(POSE), tick(50)), 52: lambda: first.takeover.take(command(engaged=False), tick(52)),
        70: lambda: first.stop('enough'), 75: first.reset,
        76: lambda: first.operator.move_to('start', REST[:6] + 1.0, 90.0, POSE, tick(76)),
        78: lambda: first.fault('cable'), 80: first.reset, 81: first.operator.release, 83: first.operator.engage,
        85: lambda: first.begin('second', POSE, tick(85)), 88: lambda: give(88, run_id=1, episode_id='second'),
        90: lambda: give(90, run_id=4, episode_id='second'), 100: first.end, 101: lambda: first.begin('third', POSE, tick(101)),
        102: lambda: give(102, run_id=1, episode_id='third'), 103: lambda: give(103, run_id=4, episode_id='third')}
    states = set()
    for number in range(120):
        if number < 65 and number % 5 == 0:
            give(number, run_id=1 + (number > 20))
        script.get(number, lambda: None)()
        state = POSE if number >= 76 else REST
        one = first.step(tick(number), state)
        states.add(first.state)
        for event in first.told:
            tell(second, event, tick(number), state, chunks.get(event.ids))
        other = second.step(tick(number), state)
        assert np.array_equal(one.values, other.values), number
        assert (one.source, one.index, one.blended, one.takeover, one.clamped) == (
            other.source, other.index, other.blended, other.takeover, other.clamped)
        if number not in (85, 101):     # the standing events are told, then noted again
            assert [event for event in second.told if event.kind not in STANDING] == [
                event for event in first.told if event.kind not in STANDING]
    assert states >= set(State) - {State.RAMPING, State.STARVED}
    assert first.status(tick(120)).reject_counts == second.status(tick(120)).reject_counts


def test_a_run_that_was_replaced_before_an_episode_stays_replaced():
    ex = started()
    for number, run in enumerate((1, 2)):
        assert ex.add(chunk(number, run_id=run), tick(number)).accepted
        ex.step(tick(number), REST)
    ex.end()
    ex.begin('second', REST, tick(3))
    ex.step(tick(3), REST)
    assert Event(Kind.RUNS, (2, 1, 1)) in ex.told
    again = JournalledExecutor()
    for event in ex.told:
        if event.kind is not Kind.END:
            tell(again, event, tick(3), REST)
    assert again.add(chunk(3, run_id=1, episode_id='second'), tick(3)).reason == 'old_run'
    assert again.add(chunk(3, run_id=2, episode_id='second', chunk_id=1), tick(3)).reason == 'duplicate'
