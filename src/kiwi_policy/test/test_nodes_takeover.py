"""Takeover commands on their way to the control loop: the newest counts, silence and nonsense hand back."""

import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('rclpy')
pytest.importorskip('kiwi_msgs')

from kiwi_msgs.msg import ExecutedAction, ExecutorStatus, PolicyInfo, TakeoverCommand  # noqa: E402
from nodes_support import HOME, FakeRobot  # noqa: E402

from kiwi_policy.core.executor import State  # noqa: E402
from kiwi_policy.core.features import NAMES  # noqa: E402
from kiwi_policy.core.records import Verdict  # noqa: E402
from kiwi_policy.core.states import Source  # noqa: E402
from kiwi_policy.nodes import conversions, executor_parameters  # noqa: E402
from kiwi_policy.nodes.executor_session import ExecutorSession  # noqa: E402
from kiwi_policy.nodes.takeover_inbox import TakeoverInbox  # noqa: E402

RATE = 50.0
PATIENCE = 30.0         # s that bound a hang only


def order(values=HOME, engaged=True, operator='anna', stamp=0):
    message = TakeoverCommand(engaged=engaged, operator_name=operator, names=list(NAMES),
                              values=np.asarray(values, np.float32).tolist())
    message.header.stamp = conversions.to_stamp(stamp)
    return message


@pytest.fixture
def session():
    values = SimpleNamespace(**{parameter.name: parameter.default for parameter in executor_parameters.TABLE})
    values.rate, values.health_rate = RATE, 0.0
    seen = []

    def on_tick(session, tick):
        status = session.note(tick)
        action = conversions.action_message(tick, session.board.episode_id, NAMES)
        seen.append((action, status))

    session = ExecutorSession(executor_parameters.executor_config(values), FakeRobot(), values, time.time_ns(), on_tick)
    session.seen = seen
    session.loop.start()
    yield session
    session.loop.stop()


def until(session, wanted, send=None):
    """Wait until a tick has what is `wanted` of (ExecutedAction, ExecutorStatus or None); returns it."""
    looked, deadline = 0, time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if send is not None:
            session.takeover.put(send())
        while looked < len(session.seen):
            action, status = session.seen[looked]
            looked += 1
            if wanted(action, status):
                return action, status
        time.sleep(0.5 / RATE)
    raise AssertionError(f'not seen within {PATIENCE:.0f} s')


def begin(session):
    info = PolicyInfo(names=list(NAMES), period=1.0 / RATE, horizon=16, n_action_steps=16)
    session.set_policy(info)
    done, why = session.begin('one', 'task', info)
    assert done, why
    session.seen.clear()


def test_an_operator_drives_and_silence_hands_back(session):
    begin(session)
    goal = HOME + np.array([10.0] + [0.0] * 8)
    _, status = until(session, lambda _action, status: status is not None and status.state == ExecutorStatus.TAKEOVER,
                      lambda: order(goal))
    assert status.reason == 'anna drives' and status.episode_id == 'one'
    action, _ = until(session, lambda action, _: abs(action.command[0] - goal[0]) < 1e-3, lambda: order(goal))
    assert action.source == ExecutedAction.SOURCE_OPERATOR and (action.run_id, action.index) == (0, -1)
    _, status = until(session, lambda _action, status: status is not None and status.state == ExecutorStatus.WAITING)
    assert 'anna was silent' in status.reason
    assert any('TAKEOVER: anna drives' in text for _, text in session.board.take_news())


def test_a_refusal_is_said_once_and_counted(session):
    for number in range(5):
        session.takeover.put(order(stamp=number))
        session.loop.submit(lambda _now, _measured: None).result(PATIENCE)
    said = [text for _, text in session.board.take_news() if 'takeover command refused' in text]
    assert len(said) == 1 and 'inactive' in said[0] and 'IDLE' in said[0]
    begin(session)
    bad = order()
    bad.values[0] = float('nan')
    for _ in range(5):
        session.takeover.put(bad)
        session.loop.submit(lambda _now, _measured: None).result(PATIENCE)
    said = [text for _, text in session.board.take_news() if 'takeover command refused' in text]
    assert len(said) == 1 and 'arm_shoulder_pan.pos nan' in said[0]
    assert session._core.state is State.WAITING and session._core.takeover.refused['not_finite'] == 5


def test_a_flood_leaves_one_command_in_the_mailbox():
    submitted, taken = [], []
    takeover = SimpleNamespace(take=lambda command, received: taken.append((command, received)) or Verdict(True))
    inbox = TakeoverInbox(submitted.append, takeover, lambda *_: None)
    before = time.monotonic()
    senders = [threading.Thread(target=lambda: [inbox.put(order(stamp=n)) for n in range(200)]) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    inbox.put(order(stamp=10**12))
    assert len(submitted) == 1
    submitted.pop()(0.0, None)
    assert taken[0][0].stamp == pytest.approx(1000.0) and taken[0][1] >= before
    inbox.put(order())
    assert len(submitted) == 1


def test_numbers_of_the_messages():
    assert ExecutedAction.SOURCE_OPERATOR == Source.OPERATOR and ExecutorStatus.TAKEOVER == State.TAKEOVER
