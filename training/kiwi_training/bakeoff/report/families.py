"""Which colour of the palette a head gets."""

from kiwi_training.report.palette import LIGHT

FAMILIES = {
    'kiwi_bc': 'bc', 'kiwi_cvae': 'cvae', 'act': 'cvae', 'kiwi_diffusion': 'diffusion', 'diffusion': 'diffusion',
    'kiwi_flow': 'flow',
}


def family(row):
    """Name of the colour of a row: heads of one family share it."""
    policy = str(row['policy'] or row['head'] or '')
    if policy in FAMILIES:
        return FAMILIES[policy]
    text = f'{policy} {row["head"] or ""}'.lower()
    for word in ('flow', 'diffusion', 'cvae', 'act', 'bc'):
        if word in text.replace('_', ' ').split():
            return FAMILIES.get(f'kiwi_{word}', 'cvae')
    return ('other', 'another')[sum(policy.encode()) % 2]


def colour(row):
    """The colour of a row, as drawn on light paper."""
    return LIGHT[family(row)]
