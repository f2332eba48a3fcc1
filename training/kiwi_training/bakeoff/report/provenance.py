"""How the figures came about: machine, versions, checkpoints, seeds, configuration."""

import json
from pathlib import PurePosixPath

from kiwi_training.bakeoff.report.blocks import Absent, Code, Section, Table
from kiwi_training.bakeoff.report.families import family
from kiwi_training.bakeoff.report.table import name
from kiwi_training.report.text import NONE, amount, count, degrees, known, number, percent


def section(source):
    """The last section; `Absent` where nothing is known."""
    summary = source.summary
    blocks = [block for block in (_checkpoints(summary['rows']), _seeds(summary['rows']), _versions(summary)) if block]
    if isinstance(summary['datasets'], dict) and summary['datasets']:
        blocks.append(Table(('dataset', 'digest'), [[str(name), str(digest)] for name, digest
                                                    in summary['datasets'].items()], left=('digest',)))
    if summary['config']:
        blocks.append(Code('Configuration', json.dumps(summary['config'], indent=2, ensure_ascii=False, default=str)))
    if not blocks:
        return Absent('How it was run', 'neither checkpoints nor versions were noted.')
    return Section('provenance', 'How it was run', [], blocks, _machine(summary))


def introduction(summary):
    """One line on what and when."""
    rows = summary['rows']
    trials = sorted({int(row['trials']) for row in rows if known(row['trials'])})
    facts = [f'{len(rows)} {"head" if len(rows) == 1 else "heads"}']
    if trials:
        facts.append(f'{" or ".join(map(str, trials))} rollouts each')
    seeds = max((len(row['train_seeds'] or ()) for row in rows), default=0)
    if seeds > 1:
        facts.append(f'up to {seeds} training seeds')
    if summary['created']:
        facts.append(str(summary['created']))
    return ' · '.join(facts)


def portable(value):
    """JSON content in which absolute paths, which mean nothing elsewhere, are cut to their last part."""
    if isinstance(value, dict):
        return {portable(key): portable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [portable(item) for item in value]
    if isinstance(value, str) and value.startswith(('/', '~/')):
        return f'…/{PurePosixPath(value).name}'
    return value


def _machine(summary):
    machine = summary['machine']
    parts = [str(machine['cpu'])] if machine['cpu'] else []
    if known(machine['cores']):
        parts.append(f'{machine["cores"]:.0f} cores')
    if known(machine['memory_gib']):
        parts.append(f'{machine["memory_gib"]:.0f} GiB of memory')
    text = f'Machine: {", ".join(parts)}.' if parts else 'The machine was not noted.'
    sessions = summary['latency_sessions'] or []
    if len(sessions) > 1:
        text += f' Latencies were measured in {len(sessions)} sessions and so perhaps under different loads.'
    return text


def _checkpoints(rows):
    columns = ('head', 'policy', 'sampling', 'horizon', 'steps', 'training', 'parameters', 'training seeds', 'digest')
    known_of = [row for row in rows if any(row[key] for key in ('policy', 'digest', 'train_steps', 'sampling'))]
    if not known_of:
        return None
    cells = [[name(row), str(row['policy'] or NONE), _sampling(row['sampling']), count(row['horizon']),
              count(row['train_steps']), number(row['train_minutes'], '.0f', 'min'), amount(row['parameters']),
              ', '.join(map(str, row['train_seeds'] or ())) or NONE, str(row['digest'] or NONE)] for row in known_of]
    return Table(columns, cells, left=('policy', 'sampling', 'digest'), swatches=tuple(map(family, known_of)))


def _seeds(rows):
    entries = [(row, seed) for row in rows if len(row['per_seed'] or ()) > 1 for seed in row['per_seed']]
    if not entries:
        return None
    return Table(
        ('head', 'training seed', 'rollouts', 'success', 'smoothness', 'digest'),
        [[name(row), str(seed.get('seed', NONE)), count(seed.get('trials')), percent(seed.get('success'), 1),
          degrees(seed['jerk']), str(seed.get('digest') or NONE)] for row, seed in entries], left=('digest',),
        fold='Each training seed')


def _versions(summary):
    if not summary['versions']:
        return None
    return Table(('package', 'version'), [[str(package), str(version)] for package, version
                                          in sorted(summary['versions'].items())], left=('version',))


def _sampling(sampling):
    if not isinstance(sampling, dict) or not sampling:
        return NONE
    return ', '.join(f'{key}={value}' for key, value in sampling.items())
