"""Which rows differ in success: by their paired starts where there are any, else by their intervals."""

from dataclasses import dataclass

from kiwi_training.report.text import known

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Peers:
    """The entry of the highest success, and those that cannot be told to be below it.

    Attributes:
        best: entry, None where no success is known.
        equal: entries from which McNemar's exact test on the same starts does not tell it, p >= SIGNIFICANT.
        overlapping: entries without such a test, whose 95 % interval overlaps the best one's.
        below: the entries that are told to be below it.
    """

    best: dict | None
    equal: list
    overlapping: list
    below: list

    @property
    def all(self):
        """Best, equal and overlapping."""
        return [self.best, *self.equal, *self.overlapping] if self.best is not None else []


def peers(entries, pairs=()):
    """`Peers` of entries with `head` and `success`; `pairs` as in a summary."""
    entries = [entry for entry in entries if known(entry['success'])]
    if not entries:
        return Peers(None, [], [], [])
    best = max(entries, key=lambda entry: entry['success'])
    equal, overlapping, below = [], [], []
    for entry in entries:
        if entry is best:
            continue
        pair = pair_of(pairs, best['head'], entry['head'])
        if pair is not None:
            (below if pair['p_value'] < SIGNIFICANT else equal).append(entry)
        elif (close := overlap(best, entry)) is not None:
            (overlapping if close else below).append(entry)
    return Peers(best, equal, overlapping, below)


def pair_of(pairs, a, b):
    """The entry of `pairs` that compares two heads, None without one that has a p-value."""
    return next((pair for pair in pairs if {pair['a'], pair['b']} == {a, b} and known(pair['p_value'])), None)


def overlap(a, b):
    """True where the 95 % intervals of success of two entries overlap, None where one is unknown."""
    if not all(known(entry[name]) for entry in (a, b) for name in ('success_low', 'success_high')):
        return None
    return a['success_high'] >= b['success_low'] and b['success_high'] >= a['success_low']


def holm(p_values, level=SIGNIFICANT):
    """Which of several hypotheses Holm's step-down procedure rejects, list of bool."""
    rejected, going = [False] * len(p_values), True
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        going = going and p_values[index] < level / (len(p_values) - rank)
        rejected[index] = going
    return rejected
