"""The colours of the report: one meaning each, apart for the colour-blind (after Okabe and Ito), light and dark."""

LIGHT = {
    'paper': '#ffffff', 'ink': '#1f2328', 'quiet': '#5b656f', 'rule': '#d6dbe0',
    'left': '#0072b2', 'right': '#d55e00',
    'bc': '#76808a', 'cvae': '#b04f8d', 'diffusion': '#b87a00', 'flow': '#00866a',
    'other': '#5560b8', 'another': '#8a5a2b',
}
DARK = {
    'paper': '#15191e', 'ink': '#e7eaed', 'quiet': '#9ba6b1', 'rule': '#38414a',
    'left': '#56b4f0', 'right': '#ff8f47',
    'bc': '#a5afb9', 'cvae': '#e294c4', 'diffusion': '#ecb13f', 'flow': '#3fcaa4',
    'other': '#99a4f5', 'another': '#cfa170',
}
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
