"""All figures of a bake-off as one dict ready for JSON, and the arrays for its plots."""

import importlib.metadata
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kiwi_policy.core.schedule import replan_rows
from kiwi_training.bakeoff import figures
from kiwi_training.bakeoff.decision import best_feasible, decide
from kiwi_training.bakeoff.names import slug, training_name
from kiwi_training.bakeoff.report.goals import diffusion_row, flow_row

VERSIONS = ('lerobot', 'torch', 'diffusers', 'mujoco', 'numpy', 'kiwi_training', 'ray')
SCATTERED = 50


@dataclass(frozen=True)
class Evidence:
    """What a summary is made of.

    Attributes:
        config: `BakeoffConfig`.
        table: the configuration as it was read.
        known: `plan.Known`.
        gathered: list of `Gathered`.
        efforts: training folder's name -> `Effort`.
        overlays, films, latents: name -> record of what has been made.
    """

    config: object
    table: dict
    known: object
    gathered: list
    efforts: dict
    overlays: dict
    films: dict
    latents: dict


def summarize(evidence):
    """The summary (see the report's documentation) and {file name: arrays} for `traces/`."""
    config = evidence.config
    rows, arrays = [], {}
    for head, row in config.rows:
        entry = _row(evidence, head, row)
        if entry is None:
            continue
        rows.append(entry)
        if entry['path_key']:
            arrays[entry['path_key']] = figures.traces(_trials(evidence, 'main', row.name))
    control = list(_control(evidence, arrays))
    summary = {
        'title': config.title, 'created': f'{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}', 'config': evidence.table,
        'versions': versions(), 'machine': machine(), 'rows': rows,
        'executors': [_variant(item, executor=item.set.variant) for item in _of(evidence, 'executors')],
        'requery': [_variant(item, interval_actions=int(item.set.variant.split()[-1]))
                    for item in _of(evidence, 'requery')],
        'noise': [_variant(item, noise=item.set.variant) for item in _of(evidence, 'noise')],
        'control': control, 'latent': list(_latent(evidence)), 'scene': scene(),
        'datasets': dict(evidence.known.datasets),
        'latency_sessions': sorted({found['session'] for found in evidence.known.latencies.values()}),
    }
    summary['pairs'] = list(_pairs(evidence, summary))
    summary['decision'] = decide(summary, config.decision)
    summary['pairs'] += _goal_pair(evidence, summary)
    return summary, arrays


def _of(evidence, kind):
    return [item for item in evidence.gathered if item.set.kind == kind]


def _trials(evidence, kind, row):
    return next((item.trials for item in _of(evidence, kind) if item.set.row == row), ())


def _row(evidence, head, row):
    trials = _trials(evidence, 'main', row.name)
    config, seeds = evidence.config, evidence.config.seeds(head)
    found = evidence.known.checkpoints.get((head.name, seeds[0], False))
    if found is None or row.name not in evidence.known.latencies or config.rollouts.trials and not trials:
        return None
    latency = evidence.known.latencies[row.name]
    effort = evidence.efforts[training_name(head.name, seeds[0])]
    entry = {'head': row.name, 'family': head.name, 'policy': head.policy, 'stock': head.stock,
             'note': ' '.join(filter(None, (head.note, row.note))), 'sampling': dict(row.sampling),
             'task': 'fork', 'executor': 'latest'}
    entry |= figures.success_figures(trials) | figures.latency_figures(latency)
    if not trials:
        entry |= dict.fromkeys(('success', 'success_low', 'success_high'))
    if entry['evals_per_chunk'] is None:
        entry['evals_per_chunk'] = latency['evaluations'] or None
    per_seed = _per_seed(evidence, head, row, found, trials) if trials else []
    fixed = _trials(evidence, 'coverage', row.name)
    sides = figures.side_figures(fixed) if fixed else dict.fromkeys(('left_share', 'side_entropy', 'left', 'right'))
    entry |= sides | {'coverage_trials': len(fixed) or None}
    entry |= {
        'parameters': latency['parameters'], 'train_minutes': effort.minutes, 'train_cpu_minutes': effort.cpu_minutes,
        'train_steps': effort.steps, 'train_seeds': list(seeds), 'digest': found.digest, 'horizon': found.horizon,
        'n_action_steps': found.n_action_steps, 'period': found.period, 'replan_rows': replan_rows(found.horizon),
        'per_seed': per_seed, **figures.pooled_seeds(per_seed),
        'path_key': slug(row.name) if trials else None,
        'overlay_key': f'{slug(row.name)}-overlay' if slug(row.name) in evidence.overlays else None,
        'film': evidence.films.get(slug(row.name), {}).get('file')}
    return entry


def _per_seed(evidence, head, row, found, trials):
    first = evidence.config.seeds(head)[0]
    entries = [_seed(first, trials, found.digest)]
    for seed, trials in _further_seeds(evidence, row.name).items():
        entries.append(_seed(seed, trials, evidence.known.checkpoints[head.name, seed, False].digest))
    return entries


def _further_seeds(evidence, row):
    """Training seed -> trials of a row, without the seed that stands for it."""
    return {int(item.set.variant.split()[-1]): item.trials for item in _of(evidence, 'seeds') if item.set.row == row}


def _seed(seed, trials, digest):
    found = figures.success_figures(trials)
    return {'seed': seed, 'digest': digest} | {
        name: found[name] for name in ('trials', 'successes', 'success', 'success_low', 'success_high', 'smoothness',
                                       'smoothness_successes')}


def _variant(item, **what):
    return {'head': item.set.row} | what | figures.success_figures(item.trials) | figures.side_figures(item.trials)


def _control(evidence, arrays):
    for item in _of(evidence, 'control'):
        head = next(head for head in evidence.config.heads if head.name == item.set.head)
        seed = evidence.config.seeds(head)[0]
        effort = evidence.efforts[training_name(head.name, seed, True)]
        latency = evidence.known.latencies.get(item.set.row, {})
        key = f'control-{slug(item.set.row)}'
        arrays[key] = figures.traces(item.trials)
        found = _variant(item, family=head.name, task='forced fork', executor='sync')
        yield found | {'post_hits': found['failures'].get('post_hit', 0), 'parameters': latency.get('parameters'),
                       'train_minutes': effort.minutes, 'train_cpu_minutes': effort.cpu_minutes,
                       'train_steps': effort.steps, 'path_key': key,
                       'digest': evidence.known.checkpoints[head.name, seed, True].digest}


def _latent(evidence):
    for head in evidence.config.heads:
        for suffix, task in (('', 'fork'), ('-control', 'forced fork')):
            record = evidence.latents.get(f'{slug(head.name)}{suffix}')
            if record is not None:
                unmeasured = {name: None for name in record if name.endswith('_fork') and not suffix}
                yield {'head': head.name, 'task': task} | record | unmeasured


def _pairs(evidence, summary):
    names = [row['head'] for row in summary['rows']]
    if not names:
        return
    chosen = evidence.config.decision
    wanted = [tuple(pair) for pair in chosen.pairs]
    if not wanted:
        reference = chosen.reference or names[0]
        wanted = [(reference, name) for name in names if name != reference]
    best = best_feasible(summary['rows'])
    wanted += [(best['head'], name) for name in names if best is not None and name != best['head']]
    for a, b in {frozenset(pair): pair for pair in reversed(wanted)}.values():
        found = _pair(evidence, a, b)
        if found is not None:
            yield found


def _goal_pair(evidence, summary):
    """The pair that the report's goals are judged by, in a list that is empty where it is there already."""
    flow, diffusion = (row and row['head'] for row in (flow_row(summary), diffusion_row(summary)))
    if not (flow and diffusion) or any({pair['a'], pair['b']} == {flow, diffusion} for pair in summary['pairs']):
        return []
    found = _pair(evidence, flow, diffusion)
    return [found] if found is not None else []


def _pair(evidence, a, b):
    """McNemar's test of two rows, None without shared starts."""
    found = figures.paired(_trials(evidence, 'main', a), _trials(evidence, 'main', b))
    return found and {'a': a, 'b': b} | found | {'pooled': _pooled_pair(evidence, a, b, found)}


def _pooled_pair(evidence, a, b, first):
    """The same over all training seeds, where both rows have the same several ones and shared starts in each."""
    seeds = {head.rows[0].name: evidence.config.seeds(head) for head in evidence.config.heads}
    ours, theirs = _further_seeds(evidence, a), _further_seeds(evidence, b)
    if seeds.get(a) is None or seeds.get(a) != seeds.get(b) or not ours or set(ours) != set(theirs):
        return None
    pairs = [first, *(figures.paired(ours[seed], theirs[seed]) for seed in sorted(ours))]
    if None in pairs:
        return None
    return figures.pooled_pairs(pairs) | {'seeds': [seeds[a][0], *sorted(ours)]}


def versions():
    """Versions of what is installed of what matters."""
    found = {}
    for name in VERSIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def machine():
    """Processor, cores this process may use, memory."""
    model = 'unknown'
    try:
        lines = Path('/proc/cpuinfo').read_text().splitlines()
        model = next((line.partition(':')[2].strip() for line in lines if line.startswith('model name')), model)
    except OSError:
        pass
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30
    return {'cpu': model, 'cores': len(os.sched_getaffinity(0)), 'memory_gib': round(memory, 1)}


def scene():
    """Where post and disc stand, m in the world; of the disc, which is scattered, the mean place."""
    import numpy as np
    from kiwi_sim.task import SUCCESS_RADIUS
    from kiwi_sim.world import World
    world = World()
    places = []
    for seed in range(SCATTERED):
        world.reset(seed)
        places.append(world.target_position())
    return {'post': [float(value) for value in world.post_position()],
            'post_radius': float(world.model.geom('post').size[0]),
            'target': [round(float(value), 3) for value in np.mean(places, axis=0)], 'target_radius': SUCCESS_RADIUS}
