"""The parameter tables, the YAML files written from them, and what they refuse."""

from pathlib import Path

import pytest
import yaml

from kiwi_policy.core.executor import ExecutorConfig
from kiwi_policy.core.parameters import Parameter, ParameterError, help_text, refuse_unknown, settle, to_yaml
from kiwi_policy.nodes import executor_parameters, write_config

CONFIG = Path(__file__).resolve().parents[1] / 'config'


@pytest.mark.parametrize('name', sorted(write_config.FILES))
def test_the_file_is_written_from_the_table(name):
    text = (CONFIG / name).read_text()
    assert text == write_config.texts()[name], 'run python -m kiwi_policy.nodes.write_config config'
    values = yaml.safe_load(text)['/**']['ros__parameters']
    table = write_config.FILES[name][1]
    assert values == {parameter.name: parameter.default for parameter in table}
    assert {key: type(value) for key, value in values.items()} == {p.name: type(p.default) for p in table}


@pytest.mark.parametrize('name', sorted(write_config.FILES))
def test_every_default_is_within_its_bounds_and_described(name):
    for parameter in write_config.FILES[name][1]:
        assert parameter.check(parameter.default) == parameter.default
        assert parameter.description.endswith('.')


@pytest.mark.parametrize('parameter, value, text', [
    (Parameter('mode', 'latest', 'd.', choices=('sync', 'latest')), 'fast', "mode is 'fast', must be one of sync, latest"),
    (Parameter('age', 0.1, 'd.', 's', 0.0, 1.0), 2.0, 'age is 2.0, must lie in s, 0 .. 1'),
    (Parameter('age', 0.1, 'd.', 's', 0.0), float('nan'), 'age is nan'),
    (Parameter('low', [1.0, 2.0], 'd.', 'deg', -5.0, 5.0), [0.0, 9.0], r'low is \[0.0, 9.0\]'),
])
def test_a_bad_value_is_named_with_the_choices(parameter, value, text):
    with pytest.raises(ParameterError, match=text):
        parameter.check(value)


def test_the_yaml_names_unit_and_bounds_above_each_value():
    text = to_yaml('T', [Parameter('age', 0.1, "The operator's bound.", 's', 0.0, 1.0)])
    assert "    # The operator's bound. [s, 0 .. 1]\n    age: 0.1\n" in text


def test_a_misspelt_name_is_refused_with_the_nearest():
    with pytest.raises(ParameterError, match='there is no parameter mod; did you mean mode'):
        refuse_unknown(['rate', 'qos_overrides./x.reliability', 'mod'], executor_parameters.TABLE)
    refuse_unknown(['rate', 'mode'], executor_parameters.TABLE)


@pytest.mark.parametrize('name', sorted(write_config.FILES))
def test_the_help_shows_every_parameter(name):
    table = write_config.FILES[name][1]
    text = help_text('kiwi_policy', 'node', 'What it does.', table)
    assert text.startswith('usage: ros2 run kiwi_policy node') and 'What it does.' in text
    assert [line.split(':=')[0].strip() for line in text.splitlines() if ':=' in line][1:] == [p.name for p in table]


def test_given_values_are_settled_with_the_defaults():
    values = settle(executor_parameters.TABLE, {'mode': 'sync', 'rate': 20.0})
    assert (values.mode, values.rate, values.seam_ticks) == ('sync', 20.0, ExecutorConfig().seam_ticks)
    assert vars(values).keys() == {parameter.name for parameter in executor_parameters.TABLE}


@pytest.mark.parametrize('given, text', [
    ({'rat': 30.0}, 'there is no parameter rat; did you mean rate'), ({'rate': 30}, r'rate is 30, must be like 30.0 \(write 20.0'),
    ({'seam_ticks': 1.0}, 'seam_ticks is 1.0, must be like'), ({'resample': 1}, 'resample is 1, must be like False'),
    ({'base_speed': [1, 1, 1]}, r'base_speed is \[1, 1, 1\], must be like'), ({'gate': -1.0}, 'gate is -1.0, must lie in')])
def test_what_cannot_be_settled_is_named(given, text):
    with pytest.raises(ParameterError, match=text):
        settle(executor_parameters.TABLE, given)


class Values:
    def __init__(self, **changes):
        for parameter in executor_parameters.TABLE:
            setattr(self, parameter.name, changes.get(parameter.name, parameter.default))


def test_the_defaults_make_the_cores_defaults():
    made, core = executor_parameters.executor_config(Values()), ExecutorConfig()
    for name in ('mode', 'period', 'n_action_steps', 'replan_interval', 'ensemble_interval', 'ensemble_coeff', 'favor',
                 'blend', 'gate', 'gate_latest', 'seam_ticks', 'decay_seconds', 'decay', 'ramp_speed', 'resample',
                 'max_age', 'request_timeout', 'initial_latency'):
        assert getattr(made, name) == getattr(core, name), name
    assert made.limits.low == pytest.approx(core.limits.low, abs=0.01)
    assert made.limits.joint_speed == core.limits.joint_speed


def test_zero_switches_the_gate_off():
    assert executor_parameters.executor_config(Values(gate=0.0)).gate == float('inf')


@pytest.mark.parametrize('changes, text', [
    ({'position_low': [0.0]}, 'limits.low must hold 6'),
    ({'base_speed': [0.1, 0.0, 90.0]}, 'limits.base_speed must be > 0'),
])
def test_what_the_core_refuses_is_a_parameter_error(changes, text):
    with pytest.raises(ParameterError, match=text):
        executor_parameters.executor_config(Values(**changes))
