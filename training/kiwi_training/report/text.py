"""Numbers as a reader wants them; what is not known is a dash."""

import math

NONE = '–'


def known(value):
    """True for a finite number."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def number(value, form='.2f', unit='', scale=1.0):
    """`value * scale` in a format, with its unit; a dash where it is unknown."""
    if not known(value):
        return NONE
    return f'{format(value * scale, form)}{" " if unit else ""}{unit}'


def count(value):
    """A whole number, or a dash."""
    return number(value, '.0f')


def percent(share, digits=0):
    """A share 0..1 in percent."""
    return number(share, f'.{digits}f', '%', 100.0)


def interval(entry):
    """The 95 % interval of an entry's success, in percent."""
    if not (known(entry['success_low']) and known(entry['success_high'])):
        return NONE
    return f'{100 * entry["success_low"]:.0f} to {100 * entry["success_high"]:.0f} %'


def tally(entry):
    """Successes of trials, such as 194/200; a dash where they were not counted."""
    if not (known(entry['successes']) and known(entry['trials'])):
        return NONE
    return f'{entry["successes"]:.0f}/{entry["trials"]:.0f}'


def milliseconds(value):
    """ms, with a digit below ten."""
    return number(value, '.1f' if known(value) and abs(value) < 10 else '.0f', 'ms')


def degrees(value):
    """Smoothness in deg."""
    return number(value, '.3f', 'deg')


def evaluations(value):
    """Evaluations per chunk; a digit only where they are no whole number."""
    return number(value, '.0f' if known(value) and abs(value - round(value)) < 0.05 else '.1f')


def amount(value):
    """A large count in k or M."""
    if not known(value):
        return NONE
    for size, letter in ((1e9, 'G'), (1e6, 'M'), (1e3, 'k')):
        if abs(value) >= size:
            return f'{value / size:.3g} {letter}'
    return f'{value:.0f}'


def sides(left_share):
    """Shares left/right in percent."""
    return f'{100 * left_share:.0f}/{100 * (1 - left_share):.0f} %' if known(left_share) else NONE


def p_value(value):
    """A p-value to two digits, never as 0."""
    if not known(value):
        return NONE
    return '< 0.001' if value < 0.001 else f'{value:.2g}'


def listing(names):
    """Names in a sentence: a, b and c."""
    names = [str(name) for name in names]
    return names[0] if len(names) == 1 else f'{", ".join(names[:-1])} and {names[-1]}' if names else 'none'


def plural(number_of, one, many=None):
    """A count, a number or its text, with its noun."""
    return f'{number_of} {one if str(number_of) == "1" else many or one + "s"}'
