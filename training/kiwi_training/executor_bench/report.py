"""Writes docs/executor: README.md with the tables, bench.json, and the plot."""

from pathlib import Path

from kiwi_training.bakeoff.report.blocks import Table
from kiwi_training.bakeoff.report.markdown import table
from kiwi_training.bakeoff.store import write_json, write_whole
from kiwi_training.executor_bench import figures
from kiwi_training.executor_bench.plot import TITLE, success_against_latency
from kiwi_training.executor_bench.profiles import PROFILES
from kiwi_training.executor_bench.variants import REFERENCE, VARIANTS
from kiwi_training.report.text import NONE, count, degrees, interval, known, number, p_value, percent, tally

BENCH, PAGE, PLOT = 'bench.json', 'README.md', 'success-latency.svg'
MARK = '*'

ABOUT = """\
One policy, one task, one set of starts; what differs is who decides at each control tick which row of which chunk is
sent. Every executor runs in simulated time through the closed loop of `kiwi-eval`, with the same limits on joints and
base, at the same rate. Rollout i has the same start and sampling seed in every cell, and under one profile the same
link for every executor: what happens to a chunk depends on the seed and the tick at which it was asked for. The policy
draws new noise for every chunk, so that two chunks in a row may mean different sides of the post. It answers one
request at a time.

"""
MEANING = """\
- success: cube at rest on the disc, post untouched; interval: 95 % Wilson; p: McNemar's exact test on the paired starts
  against `kiwi`, not corrected. {mark} marks differences that hold after Holm's correction over all cells.
- smoothness: mean absolute second difference of the executed arm commands. seam ratio: p95 step at takeovers over
  p95 step within chunks. Both over all rollouts, failed ones too.
- expired: executed rows that had been due more than one control period before; of blended chunks the newest counts.
  `kiwi_sync` runs its rows late by the clock, but the robot stands from the request to the chunk.
- underruns: how often actions ran out; without: s spent so, over all rollouts.

"""
LIMITS = """\
- LeRobot's client talks gRPC, which loses and doubles nothing. Its rows under `drops`, `duplicates` and `reordering`
  show what its aggregation and its server's filter do where chunks do get lost, for instance when inference raises.
- A chunk that is overtaken comes only after the next one. An executor that waits for its answer before it asks again
  meets it as a lost one until its request times out.
- Executors that ask for more chunks meet more faults per second, and cost more inference.
- Latency counts as the policy's time: two requests are never worked on at once. Where it is above half a chunk, every
  executor that keeps to the time of its actions must run out of them.
- Simulation only; one task; one checkpoint.
"""


def write_report(plan, store, folder):
    """Write the report of all cells of a plan that a store holds rollouts of.

    Args:
        plan: `Plan`.
        store: `kiwi_training.bakeoff.store.Store`.
        folder: where it goes.

    Returns:
        Path of the page.

    Raises:
        ValueError: there are no rollouts yet.
    """
    runs = {(executor, profile): plan.runs(store, executor, profile)
            for profile in plan.profiles for executor in plan.executors}
    entries = figures.entries(runs)
    if not entries:
        raise ValueError(f'no rollouts of this benchmark in {store.folder}')
    folder = Path(folder)
    write_json(folder / BENCH, entries)
    plot = success_against_latency(entries)
    if plot:
        write_whole(folder / PLOT, lambda file: file.write(plot.encode()))
    page = _page(plan, runs, entries, bool(plot))
    write_whole(folder / PAGE, lambda file: file.write(page.encode()))
    return folder / PAGE


def _page(plan, runs, entries, plotted):
    trials = sorted({entry['trials'] for entry in entries})
    counts = str(trials[0]) if len(trials) == 1 else f'{trials[0]} to {trials[-1]}'
    parts = ['# Executor benchmark\n', ABOUT,
             f'Checkpoint `{plan.digest}`; {counts} rollouts per cell, seeds from {plan.seed}. The same figures: '
             f'`{BENCH}`, one object per executor and profile. Made by `make bench-executor`.\n',
             '## Success\n', table(_overview(entries))]
    if plotted:
        parts.append(f'![{TITLE}]({PLOT})\n')
    parts += [text for text in (_gate(runs, entries), _seams(entries)) if text]
    parts += ['## Each profile\n', MEANING.format(mark=f'`{MARK}`')]
    for profile in dict.fromkeys(entry['profile'] for entry in entries):
        parts += [f'### {profile}\n', f'{_sentence(PROFILES[profile].about)}\n',
                  table(_details([entry for entry in entries if entry['profile'] == profile]))]
    about = [[name, VARIANTS[name].about] for name in _executors(entries)]
    parts += ['## Executors\n', table(Table(('executor', 'what it does'), about, left=('what it does',))),
              '## What this does not say\n', LIMITS]
    return '\n'.join(parts)


def _overview(entries):
    """Executors by profiles, in percent."""
    profiles, held = list(dict.fromkeys(entry['profile'] for entry in entries)), {}
    for entry in entries:
        held[entry['executor'], entry['profile']] = percent(entry['success']) + (f' {MARK}' if entry['differs'] else '')
    names = _executors(entries)
    return Table(('executor', *(profile.replace('latency_', '') + (' ms' if PROFILES[profile].fixed else '')
                                for profile in profiles)),
                 [[name, *(held.get((name, profile), NONE) for profile in profiles)] for name in names],
                 strong=frozenset(index for index, name in enumerate(names) if name == REFERENCE),
                 note=f"{MARK} differs from {REFERENCE} on the same starts, after Holm's correction over all cells.")


def _details(entries):
    rows = [[entry['executor'], tally(entry), percent(entry['success']), interval(entry), _against(entry),
             degrees(entry['smoothness']), number(entry['seam_ratio']), count(entry['expired_executed']),
             percent(entry['expired_share']), count(entry['underruns']), number(entry['starved_seconds'], '.1f', 's'),
             count(entry['failures']['post_hit']), number(entry['chunks_per_second'], '.1f')] for entry in entries]
    return Table(('executor', 'trials', 'success', 'interval', 'p', 'smoothness', 'seam ratio', 'expired',
                  'of all rows', 'underruns', 'without', 'post hit', 'chunks/s'), rows,
                 strong=frozenset(index for index, entry in enumerate(entries) if entry['executor'] == REFERENCE))


def _gate(runs, entries):
    """What the disagreement gate does to temporal ensembling."""
    plain, gated = ({entry['profile']: entry for entry in entries if entry['executor'] == name}
                    for name in ('ensemble', 'ensemble_gated'))
    shared = [profile for profile in plain if profile in gated]
    if not shared:
        return ''
    rows = []
    for profile in shared:
        ungated, guarded = plain[profile], gated[profile]
        test = figures.pair(runs, 'ensemble_gated', 'ensemble', [profile])
        rows.append([profile, tally(ungated), tally(guarded), p_value(test['p_value']),
                     count(ungated['failures']['post_hit']), count(guarded['failures']['post_hit']),
                     number(guarded['mode_switches'], '.1f'), count(guarded['dissents'])])
    pooled = figures.pair(runs, 'ensemble_gated', 'ensemble', shared)
    lead = ('`ensemble` averages every chunk, left and right alike; `ensemble_gated` is the same but for the gate. '
            f'Over all profiles the gated one alone succeeded {pooled["only_a"]} times, the plain one alone '
            f'{pooled["only_b"]} times (p {p_value(pooled["p_value"])}).\n')
    return '\n'.join(('## The disagreement gate\n', lead, table(Table(
        ('profile', 'plain', 'gated', 'p', 'post hit, plain', 'post hit, gated', 'changes of side per rollout',
         'chunks that disagreed'), rows))))


def _seams(entries):
    """What takeovers look like with and without the cross-fade, and with whatever else is kiwi's."""
    names = [name for name in _executors(entries) if name.startswith(REFERENCE)]
    if len(names) < 2:
        return ''
    rows = [[entry['profile'], entry['executor'], tally(entry), number(entry['seam_ratio']),
             degrees(entry['smoothness'])] for entry in entries if entry['executor'] in names]
    return '\n'.join(('## Seams\n', table(Table(('profile', 'executor', 'success', 'seam ratio', 'smoothness'), rows,
                                                left=('executor',)))))


def _against(entry):
    return p_value(entry['paired']['p_value']) if entry['paired'] and known(entry['paired']['p_value']) else NONE


def _executors(entries):
    return list(dict.fromkeys(entry['executor'] for entry in entries))


def _sentence(text):
    return text[0].upper() + text[1:] + '.'
