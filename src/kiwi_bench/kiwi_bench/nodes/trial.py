"""One trial of one fault, and what the emulated bus says about it."""

import time
from dataclasses import dataclass, field

import numpy as np

from kiwi_bench.nodes.faults import AUTOMATIC, Stop
from kiwi_bench.nodes.observer import Unanswered
from kiwi_bench.nodes.rig import FULL_SPEED
from kiwi_bench.witness import largest_step, last_at_full_speed, rest_times
from kiwi_policy.core.features import RATE_HZ
from kiwi_policy.core.limits import Limits
from kiwi_sim.kinematics import TICKS_PER_TURN

DRIVES_ON = (Stop.NEVER, Stop.PAUSES)
BASE_STOP = 0.3         # s within which the base must stand
SETTLE = 0.3            # s that the arm may take to come to rest at its goal
TICKS_PER_DEG = TICKS_PER_TURN / 360.0
STEP = max(Limits().joint_speed[:5]) / RATE_HZ * TICKS_PER_DEG + 2
"""Ticks that an arm goal may change by at once: a period at the limit, rounded."""
SAG = 1.0               # deg that a held joint may move
SWING = 16.0            # deg of the shoulder, beyond what the policy ever asks for


@dataclass
class Outcome:
    """What one trial has shown.

    Attributes:
        base_stop: s until the last wheel that could be reached was told to stand, from what `Stop` says; the others
            from contact. None where the base drives on.
        after_fault: s from the fault until then.
        said: what the operator can read.
        paused: whether a base that drives on slowed down or stood for a while.
        wrong: what should not have happened, in words; empty where the trial was survived.
    """

    base_stop: float | None = None
    after_fault: float | None = None
    said: str = ''
    paused: bool = False
    wrong: list = field(default_factory=list)

    @property
    def survived(self):
        """Whether all was as it should be."""
        return not self.wrong


def run(rig, fault, number, bound=float('inf')):
    """Make `fault` while the robot drives and let it recover.

    Args:
        rig: `Rig`.
        fault: `Fault`.
        number: of the trial.
        bound: s within which the base must stand.

    Returns:
        an `Outcome`.
    """
    outcome = Outcome()
    try:
        rig.drive(seed=number)
        _run(rig, fault, number, outcome)
        if outcome.base_stop is not None and not outcome.base_stop <= bound:
            outcome.wrong.append(f'the base stood after {outcome.base_stop:.2f} s, not within {bound:g} s')
    except Unanswered as error:
        outcome.wrong.append(str(error))
    return outcome


def _run(rig, fault, number, outcome):
    witness = rig.plant.witness
    start = rig.mark()
    fault.inject(rig, number)
    silent = rig.plant.silent_wheels()
    if fault.stop not in DRIVES_ON:
        rig.until(lambda: not np.any(witness.newest.speeds[~silent]), 'the base to stand')
    _sleep_until(start + fault.seconds)
    if fault.until_said:
        rig.until(lambda: fault.said(rig, start), 'a word about the fault')
    if fault.stop not in DRIVES_ON:
        _watch_arm(rig, outcome)
    healed = time.monotonic()
    fault.heal(rig)
    contact = time.monotonic()
    if np.any(silent):
        rig.until(lambda: not np.any(witness.newest.speeds), 'the base to stand after contact')
    end = time.monotonic()
    stopping = witness.between(start, end if np.any(silent) else healed)
    if fault.stop in DRIVES_ON:
        _check_driving(stopping, fault, outcome)
    else:
        _measure_stop(stopping, fault, silent, start, contact, outcome)
    if fault.recovery != AUTOMATIC:
        _sleep_until(end + SETTLE)
        _watch_arm(rig, outcome)
        if np.any(witness.newest.speeds):
            outcome.wrong.append('the wheels turned again before the operator wanted it')
    fault.recover(rig)
    rig.until_driving()
    outcome.said = fault.said(rig, start)
    if not outcome.said:
        outcome.wrong.append('nothing was said about it')
    _check_limits(witness.between(start), outcome)


def _measure_stop(drives, fault, silent, start, contact, outcome):
    rests = rest_times(drives)
    begin = last_at_full_speed(drives) if fault.stop is Stop.LAST_ACTION else start
    took = np.where(silent, rests - contact, rests - begin)
    outcome.base_stop, outcome.after_fault = float(took.max()), float((rests - start).max())


def _check_driving(drives, fault, outcome):
    outcome.paused = any(np.any(np.abs(drive.speeds) < 0.9 * FULL_SPEED) for drive in drives)
    if outcome.paused and fault.stop is Stop.NEVER:
        outcome.wrong.append('the base did not drive on')


def _watch_arm(rig, outcome):
    before, pose = rig.plant.witness.newest, rig.plant.joints()
    time.sleep(SETTLE)
    after = rig.plant.witness.newest
    moved = np.rad2deg(np.abs(rig.plant.joints() - pose)).max()
    if not (np.all(before.torque) and np.all(after.torque)):
        outcome.wrong.append('a servo lost its torque')
    if np.any(before.goals != after.goals):
        outcome.wrong.append('the goals of the arm changed')
    if moved > SAG:
        outcome.wrong.append(f'the arm moved by {moved:.1f} deg')


def _check_limits(drives, outcome):
    if any(np.any(np.abs(drive.speeds) > FULL_SPEED + 2) for drive in drives):
        outcome.wrong.append('a wheel turned faster than the policy asked for')
    if largest_step(drives) > STEP:
        outcome.wrong.append(f'a goal of the arm jumped by {largest_step(drives) / TICKS_PER_DEG:.1f} deg')
    pan = np.array([drive.goals[0] for drive in drives])
    if np.abs(pan - 2048).max() > SWING * TICKS_PER_DEG:
        outcome.wrong.append('the shoulder was sent where the policy did not ask for')
    if not all(np.all(drive.torque) for drive in drives):
        outcome.wrong.append('a servo lost its torque')


def _sleep_until(moment):
    time.sleep(max(moment - time.monotonic(), 0.0))
