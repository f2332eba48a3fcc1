"""Which policies an executor refuses before an episode begins, and in which words."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip('rclpy')

from kiwi_policy.core.executor import ExecutorConfig, ExecutorError  # noqa: E402
from kiwi_policy.core.features import NAMES, UNITS  # noqa: E402
from kiwi_policy.core.joint_units import RANGE  # noqa: E402
from kiwi_policy.nodes.policy_check import check_policy  # noqa: E402

CONFIG = ExecutorConfig()


def info(**changes):
    return SimpleNamespace(**({'names': list(NAMES), 'units': list(UNITS), 'period': 1.0 / 30.0, 'horizon': 32} | changes))


def test_a_policy_that_fits_is_taken():
    check_policy(info(), CONFIG)
    check_policy(info(units=[]), CONFIG)


@pytest.mark.parametrize('changes, text', [
    ({'names': ['x']}, r"the policy commands \('x',\)"),
    ({'period': 0.0}, 'the period 0.0 s; it must be finite and > 0'),
    ({'period': float('nan')}, 'the period nan s'),
    ({'horizon': 0}, 'a horizon of 0 rows'),
    ({'period': 0.1}, 'trained at 10.00 Hz, the executor runs at 30.00 Hz'),
    ({'units': [RANGE] * 5 + list(UNITS[5:])}, 'arm_shoulder_pan.pos in percent of range.*calibrated in degrees'),
])
def test_what_does_not_fit_is_named(changes, text):
    with pytest.raises(ExecutorError, match=text):
        check_policy(info(**changes), CONFIG)


def test_no_policy():
    with pytest.raises(ExecutorError, match='start policy_node'):
        check_policy(None, CONFIG)


def test_a_checkpoint_of_data_in_percent_of_range_says_so():
    from kiwi_policy.heads.loader import _action_units

    high = np.array([60.0, 90.0, 100.0, 100.0, 50.0, 100.0, 0.3, 0.3, 60.0])
    stats = {'action': {'min': -high, 'max': high}}
    units, notes = _action_units(NAMES, SimpleNamespace(steps=[SimpleNamespace(stats=stats)]))
    assert units == (RANGE,) * 5 + UNITS[5:]
    assert notes == ('arm positions are no degrees: its training data moves wrist_flex to 100, and it reaches 95 deg',)
