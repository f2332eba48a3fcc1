import pytest
from kiwi_bringup import arguments
from kiwi_bringup.arguments import ArgumentError


def test_defaults_fill_what_is_not_given():
    values = arguments.parse(['rollouts:=20', 'task:=Go: now := or never.'])
    assert values == {**arguments.defaults(), 'rollouts': '20', 'task': 'Go: now := or never.'}


@pytest.mark.parametrize(('words', 'names'), [
    (['rollouts=20'], ['rollouts=20', 'name:=value']),
    (['rolouts:=20'], ['rolouts', 'rollouts']),
    (['mode:=fast'], ['fast', 'sync', 'latest', 'ensemble']),
    (['sim:=yes'], ['yes', 'true', 'false']),
])
def test_error_names_the_value_and_the_valid_ones(words, names):
    with pytest.raises(ArgumentError) as error:
        arguments.parse(words)
    assert all(name in str(error.value) for name in names)


def test_description_lists_every_argument():
    text = arguments.describe()
    for argument in arguments.ARGUMENTS:
        assert f'{argument.name}:=' in text
        assert argument.description in text
