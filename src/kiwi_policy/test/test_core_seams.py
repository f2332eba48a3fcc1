import numpy as np
import pytest
from core_support import REST, SPREAD, chunk, drive, executor, line, tick
from hypothesis import given
from hypothesis import strategies as st
from kiwi_policy.core.features import DIM
from kiwi_policy.core.ramp import ramp_step
from kiwi_policy.core.seams import Seam
from kiwi_policy.core.states import Source, State


def test_the_offset_fades_evenly_and_then_the_plan_rules():
    seam = Seam(4)
    last, before = np.full(DIM, 8.0), np.zeros(DIM)
    seam.start(last, before)
    values = [seam.apply(np.zeros(DIM))[0] for _ in range(6)]
    assert values == pytest.approx([6.0, 4.0, 2.0, 0.0, 0.0, 0.0])


def test_the_gripper_follows_at_once():
    seam = Seam(4)
    seam.start(np.full(DIM, 8.0), np.zeros(DIM))
    assert seam.apply(np.zeros(DIM))[5] == 0.0


@given(st.floats(-90, 90), st.integers(2, 15))
def test_a_takeover_steps_at_most_the_plans_step_and_its_share_of_the_offset(offset, ticks):
    ex = executor(ramp_speed=1e9, seam_ticks=ticks, gate=float('inf'))
    ex.add(chunk(0, actions=line(0, 16), chunk_id=1), tick(0))
    for number in range(4):
        last = ex.step(tick(number), REST).values[0]
    moved = line(4, 16)
    moved[:, 0] += offset
    ex.add(chunk(4, actions=moved, chunk_id=2), tick(4))
    command = ex.step(tick(4), REST)
    assert command.takeover
    assert abs(command.values[0] - last) <= 0.5 + abs(offset) / ticks + 1e-9


def test_equal_plans_take_over_without_a_trace():
    ex = executor(ramp_speed=1e9)
    commands, _, _ = drive(ex, 60, lambda request, number: line(number, 16), delay=2)
    ran = [command for command in commands if command.source is Source.CHUNK]
    assert sum(command.takeover for command in ran) >= 6
    assert np.diff([command.values[0] for command in ran]) == pytest.approx([0.5] * (len(ran) - 1))


def test_latest_stays_with_its_chunk_when_the_new_one_disagrees_and_then_takes_the_newest():
    ex = executor(ramp_speed=1e9, gate=1.0, gate_latest=True)
    other = np.zeros((16, DIM))
    other[:, 0] = 3 * SPREAD[0]
    ex.add(chunk(0, chunk_id=1), tick(0))
    ex.step(tick(0), REST)
    ex.add(chunk(1, actions=other, chunk_id=2), tick(1))
    chosen = [ex.step(tick(number), REST).chunk_id for number in range(1, 17)]
    assert chosen == [1] * 15 + [2]


def test_without_the_gate_the_newest_takes_over_at_once():
    ex = executor(ramp_speed=1e9, gate_latest=False)
    other = np.zeros((16, DIM))
    other[:, 0] = 3 * SPREAD[0]
    ex.add(chunk(0, chunk_id=1), tick(0))
    ex.step(tick(0), REST)
    ex.add(chunk(1, actions=other, chunk_id=2), tick(1))
    command = ex.step(tick(1), REST)
    assert (command.chunk_id, command.takeover) == (2, True)


def test_a_ramp_step_is_bounded_and_keeps_the_base_at_rest():
    target = np.array([10.0, -1.0, 0, 0, 0, 50.0, 0.2, 0.2, 20.0])
    command, arrived = ramp_step(REST, target, 2.0)
    assert command == pytest.approx([2.0, -1.0, 0, 0, 0, 2.0, 0, 0, 0])
    assert not arrived
    assert ramp_step(target, target, 2.0)[1]


def test_on_activation_the_arm_ramps_from_its_measured_pose():
    state = REST.copy()
    state[1] = 30.0
    ex = executor(state=state, ramp_speed=60.0)
    still = np.zeros((40, DIM))
    still[:, 6] = 0.1
    ex.add(chunk(0, actions=still), tick(0))
    poses, sources = [state[1]], []
    for number in range(20):
        command = ex.step(tick(number), state)
        poses.append(command.values[1])
        sources.append(command.source)
        assert command.source is Source.CHUNK or command.values[6] == 0.0
    assert np.max(np.abs(np.diff(poses))) <= 2.0 + 1e-9
    assert sources[:14] == [Source.RAMP] * 14
    assert sources[-1] is Source.CHUNK and poses[-1] == pytest.approx(0.0)
    assert ex.state is State.RUNNING
