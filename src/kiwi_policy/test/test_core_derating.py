"""Hot and overloaded servos slow down, then hold, then recover."""

import pytest
from kiwi_policy.core.derating import Derating, DeratingLimits, ServoHealth


def health(servo='elbow_flex', temperature=30.0, load=0.1, faults=()):
    return ServoHealth(servo, 12.0, temperature, load, 0.2, faults)


def test_a_healthy_servo_runs_at_full_speed():
    derating = Derating()
    assert derating.update(health(), 0.0) == ''
    assert derating.joints == (1.0,) * 6 and derating.base == 1.0 and derating.warnings == []


def test_heat_slows_then_holds_then_lets_go_below_the_slow_mark():
    derating = Derating(DeratingLimits(temperature_slow=60.0, temperature_hold=70.0))
    assert derating.update(health(temperature=65.0), 0.0) == \
        'elbow_flex slows down: 65 deg C (slows from 60, holds at 70)'
    assert derating.joints[2] == pytest.approx(0.5)
    assert derating.warnings == ['elbow_flex runs at 50 % speed: 65 deg C (slows from 60, holds at 70)']
    assert derating.update(health(temperature=71.0), 1.0).startswith('elbow_flex holds: 71 deg C')
    assert derating.joints == (1.0, 1.0, 0.0, 1.0, 1.0, 1.0)
    assert derating.update(health(temperature=65.0), 2.0) == ''
    assert derating.joints[2] == 0.0
    assert derating.update(health(temperature=59.0), 3.0).startswith('elbow_flex has recovered')
    assert derating.joints[2] == 1.0


def test_a_short_load_is_no_overload():
    derating = Derating(DeratingLimits(load_slow=0.8, load_hold=0.9))
    derating.update(health(load=0.2), 0.0)
    assert derating.update(health(load=1.0), 0.3) == ''
    assert derating.joints[2] == 1.0
    texts = [derating.update(health(load=1.0), 0.3 + 0.3 * number) for number in range(1, 12)]
    assert any(text.startswith('elbow_flex slows down') for text in texts)
    assert any(text.startswith('elbow_flex holds') for text in texts)
    assert derating.joints[2] == 0.0


def test_the_weakest_wheel_limits_the_base():
    derating = Derating(DeratingLimits(temperature_slow=60.0, temperature_hold=70.0))
    derating.update(health('base_left_wheel', temperature=40.0), 0.0)
    derating.update(health('base_back_wheel', temperature=67.5), 0.0)
    assert derating.base == pytest.approx(0.25)
    assert derating.joints == (1.0,) * 6


@pytest.mark.parametrize('settings', [{'temperature_slow': 70.0, 'temperature_hold': 60.0}, {'load_slow': 0.0},
                                      {'load_hold': float('inf')}])
def test_marks_that_contradict_each_other_are_refused(settings):
    with pytest.raises(ValueError, match='must lie above 0 and below'):
        DeratingLimits(**settings)
