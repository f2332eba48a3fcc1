"""The status as a table that people read."""


def status_markdown(state, reason, rows):
    """Markdown of a state, why, and (name, text) rows."""
    first, *others = [f'| {name} | {text} |' for name, text in rows]
    title = f'### {state}: {reason}' if reason else f'### {state}'
    key = 'Plots: measured blue, commanded orange, planned ahead green.'
    return '\n'.join([title, '', first, '|---|---|', *others, '', key])


def milliseconds(seconds):
    """s as ms in words, '-' for none."""
    if seconds <= 0:
        return '-'
    return f'{1e3 * seconds:.0f} ms' if seconds >= 0.01 else f'{1e3 * seconds:.1f} ms'


def counts(reasons):
    """reason -> count in words."""
    return ', '.join(f'{count} {reason}' for reason, count in reasons.items()) or '0'
