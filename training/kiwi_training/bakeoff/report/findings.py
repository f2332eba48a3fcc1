"""What the figures say, one sentence each, computed from the data."""

import math

from kiwi_training.bakeoff.report.pairing import SIGNIFICANT, holm, overlap, peers
from kiwi_training.report.text import (
    count,
    degrees,
    interval,
    known,
    listing,
    milliseconds,
    number,
    p_value,
    percent,
    plural,
    tally,
)


def measured(entries, *fields):
    """The entries that have all of these figures."""
    return [entry for entry in entries if all(known(entry[field]) for field in fields)]


def success_latency(rows, pairs=()):
    """Who is best, who does not differ from it, and the fastest of those."""
    found = peers(rows, pairs)
    best = found.best
    if best is None:
        return []
    said = [f'{best["head"]} succeeds most often: {percent(best["success"], 1)} ({interval(best)}).']
    alike = []
    if found.equal:
        alike.append(f'{plural(len(found.equal), "other head does", "other heads do")} not differ from it at the 5 % '
                     "level (McNemar's exact test on the same starts)")
    if found.overlapping:
        alike.append(f'without such a test, the 95 % {"interval" if len(found.overlapping) == 1 else "intervals"} of '
                     f'{listing(row["head"] for row in found.overlapping)} '
                     f'{"overlaps" if len(found.overlapping) == 1 else "overlap"} its own')
    fast = measured(found.all, 'latency_p50_ms')
    if alike and fast:
        fastest = min(fast, key=lambda row: row['latency_p50_ms'])
        text = ', and '.join(alike)
        said.append(text[:1].upper() + text[1:] + '; ' + (
            'it is also the fastest of them' if fastest is best else
            f'the fastest of them all is {fastest["head"]} with {percent(fastest["success"], 1)}')
            + f' at {milliseconds(fastest["latency_p50_ms"])} per chunk.')
    elif found.below and not alike:
        said.append("Every other head is below it: p < 0.05 by McNemar's exact test on the same starts, or without such "
                    'a test by 95 % intervals that do not overlap.')
    unable = [row['head'] for row in rows if row['multimodal'] is False]
    able = [row['head'] for row in rows if row['multimodal']]
    if able:
        said.append(f'From one fixed start {listing(able)} {"takes" if len(able) == 1 else "take"} both sides of the post'
                    + (f', {listing(unable)} always or nearly always the same.' if unable else '.'))
    elif unable:
        said.append('From one fixed start every head takes always or nearly always the same side of the post.')
    return said


def smoothness(rows):
    """The smoothest, the roughest, the smoothest of those that take both sides."""
    rows = measured(rows, 'smoothness_successes') or measured(rows, 'jerk')
    if not rows:
        return []
    smoothest, roughest = (pick(rows, key=lambda row: row['jerk']) for pick in (min, max))
    if len(rows) == 1:
        return [f'{smoothest["head"]}: {degrees(smoothest["jerk"])}.']
    factor = roughest['jerk'] / smoothest['jerk'] if smoothest['jerk'] else float('nan')
    times = f', {factor:.1f} times as much' if factor >= 1.1 else ''
    said = [f'{smoothest["head"]} is smoothest ({degrees(smoothest["jerk"])}), {roughest["head"]} roughest '
            f'({degrees(roughest["jerk"])}{times}).']
    able = [row for row in rows if row['multimodal']]
    if able:
        best = min(able, key=lambda row: row['jerk'])
        said.append(f'Of the heads that take both sides {best["head"]} is smoothest: {degrees(best["jerk"])}.')
    return said


def latency(rows):
    """The span of latencies and what an evaluation costs."""
    rows = measured(rows, 'latency_p50_ms')
    if not rows:
        return []
    fastest, slowest = (pick(rows, key=lambda row: row['latency_p50_ms']) for pick in (min, max))
    if len(rows) == 1:
        return [f'{fastest["head"]}: {milliseconds(fastest["latency_p50_ms"])} at the median.']
    said = [f'A chunk takes from {milliseconds(fastest["latency_p50_ms"])} ({fastest["head"]}) to '
            f'{milliseconds(slowest["latency_p50_ms"])} ({slowest["head"]}) at the median.']
    fed = [row for row in measured(rows, 'underruns') if row['executor'] != 'sync']
    starved = [row for row in fed if row['underruns'] > 0]
    if starved:
        said.append('The executor ran out of actions under ' + listing(
            f'{row["head"]} ({plural(int(row["underruns"]), "time")})' for row in starved) + '.')
    elif fed:
        said.append('The executor never ran out of actions.')
    return said


def trajectories(tallies):
    """How the rollouts divide; `tallies` is a list of (head, (left, right, failed, none))."""
    one_sided = [head for head, (left, right, *_) in tallies if left + right and not left * right]
    said = []
    if one_sided:
        said.append(f'All successful rollouts of {listing(one_sided)} pass on one side.')
    both = [(head, left / (left + right)) for head, (left, right, *_) in tallies if left * right]
    if both:
        even = min(both, key=lambda pair: abs(pair[1] - 0.5))
        said.append(f'{plural(len(both), "head passes", "heads pass")} on both sides over the different starts; '
                    f'{even[0]} divides most evenly ({percent(even[1])} left).')
    failed = sum(counts[2] for _, counts in tallies)
    total = sum(sum(counts) for _, counts in tallies)
    said.append(f'{failed} of {plural(total, "rollout")} failed.')
    return said


def chunks(tallies):
    """How chunks sampled from one observation divide; as `trajectories`."""
    forked = [head for head, (left, right, *_) in tallies if left * right]
    through = [head for head, counts in tallies if counts[2]]
    lead = [f'Sampled again and again from the same observation, the chunks of {listing(forked)} go to both sides.'
            if forked else 'No head\'s chunks go to both sides from this observation.']
    if through:
        lead.append(f'Chunks of {listing(through)} run into the post.')
    return lead


def executors(entries):
    """The mode that succeeds most and the one that is smoothest, over the heads."""
    said = []
    success, jerk = ({mode: _mean(entries, mode, field) for mode in dict.fromkeys(e['executor'] for e in entries)}
                     for field in ('success', 'jerk'))
    success, jerk = ({mode: value for mode, value in of.items() if value is not None} for of in (success, jerk))
    if success:
        best, worst = max(success, key=success.get), min(success, key=success.get)
        said.append(f'Over all heads {best} succeeds most often ({percent(success[best])})'
                    + (f', {worst} least ({percent(success[worst])}).' if worst != best else '.'))
    if jerk:
        best, worst = min(jerk, key=jerk.get), max(jerk, key=jerk.get)
        said.append(f'{best[:1].upper() + best[1:]} is smoothest ({degrees(jerk[best])} on average)'
                    + (f', {worst} roughest ({degrees(jerk[worst])}).' if worst != best else '.'))
    return said


def requery(entries):
    """Per head, asking again after the fewest executed actions against after the most."""
    said = []
    for head in dict.fromkeys(entry['head'] for entry in entries):
        line = sorted((entry for entry in measured(entries, 'interval_actions') if entry['head'] == head),
                      key=lambda entry: entry['interval_actions'])
        if len(line) < 2:
            continue
        often, seldom = line[0], line[-1]
        changes = [f'{word} {form(often[field])} instead of {form(seldom[field])}' for word, field, form in (
            ('success', 'success', percent), ('smoothness', 'jerk', degrees),
            ('mode switches per rollout', 'mode_switches', lambda value: number(value, '.1f')),
        ) if known(often[field]) and known(seldom[field])]
        if changes:
            said.append(f'{head}, asked again after {plural(int(often["interval_actions"]), "executed action")} instead '
                        f'of {int(seldom["interval_actions"])}: {", ".join(changes)}.')
    return said


def noise(entries):
    """Per head, what keeping the noise for an episode changes."""
    said = []
    for head in dict.fromkeys(entry['head'] for entry in entries):
        of = {entry['noise']: entry for entry in entries if entry['head'] == head}
        if not {'chunk', 'episode'} <= set(of):
            continue
        kept, fresh = of['episode'], of['chunk']
        said.append(f'{head}: noise kept for an episode gives {percent(kept["success"])} success and '
                    f'{number(kept["mode_switches"], ".1f")} mode switches per rollout, fresh noise '
                    f'{percent(fresh["success"])} and {number(fresh["mode_switches"], ".1f")}'
                    + (' (the intervals of success overlap).' if overlap(kept, fresh) else '.'))
    return said


def control(entries):
    """Who drives into the post where nothing breaks the tie, who holds up, who is in between."""
    found = peers(entries)
    best = found.best
    if best is None:
        return []
    collapsed = [entry for entry in measured(entries, 'post_hits', 'trials', 'success')
                 if entry['post_hits'] > entry['trials'] / 2]
    said = []
    if collapsed:
        said.append(f'{listing(entry["head"] for entry in collapsed)} '
                    f'{"drives" if len(collapsed) == 1 else "drive"} into the post in most rollouts: success '
                    + listing(tally(entry) for entry in collapsed) + '.')
    else:
        said.append('No head drives into the post in most rollouts: the control did not fail as it must.')
    said.append(f'{best["head"]} succeeds most often ({tally(best)})'
                + (f'; intervals overlap with {_tallies(found.overlapping)}.' if found.overlapping else '.'))
    between = [entry for entry in found.below if entry not in collapsed]
    if between:
        said.append(f'Below it, intervals apart: {_tallies(between)}.')
    return said


def latent(entries):
    """Whether the latent carries anything."""
    said = []
    for entry in measured(entries, 'kl_nats'):
        text = entry['head']
        if entry['task']:
            text += f' on the {entry["task"]} task'
        text += f': KL {number(entry["kl_nats"], ".3g")} nats'
        if known(entry['active_dims']):
            text += f', {entry["active_dims"]:.0f}'
            text += f' of {entry["latent_dim"]:.0f}' if known(entry['latent_dim']) else ''
            text += ' latent dimensions in use'
            text += ': collapsed.' if entry['active_dims'] == 0 else '.'
        else:
            text += '.'
        if known(entry['kl_nats_fork']):
            text += (f' At the fork KL {number(entry["kl_nats_fork"], ".3g")} nats, where one bit, the side, would be '
                     f'{number(math.log(2), ".2f")}.')
        said.append(text)
    return said


def pairs(entries):
    """How many differences are beyond chance, also after Holm's correction."""
    entries = measured(entries, 'p_value')
    if not entries:
        return []
    alone = sum(entry['p_value'] < SIGNIFICANT for entry in entries)
    held = holm([entry['p_value'] for entry in entries])
    if not alone:
        return ['No pair differs at the 5 % level.']
    return [f'{alone} of {plural(len(entries), "pair")} differ at the 5 % level, {sum(held)} still so after Holm\'s '
            f'correction for testing {len(entries)} of them.',
            f'The clearest: {_pair(min(entries, key=lambda entry: entry["p_value"]))}.']


def pooled_pairs(entries):
    """Of every pair that was compared over several training seeds as well, the sums."""
    return [f'{entry["a"]} and {entry["b"]} over {plural(len(pooled["seeds"]), "training seed")}: '
            f'only {entry["a"]} succeeds in {count(pooled["only_a"])}, only {entry["b"]} in {count(pooled["only_b"])} of '
            f'{count(pooled["trials"])} pairs of rollouts (p {p_value(pooled["p_value"])}, McNemar\'s exact test on the '
            'sums over the seeds).'
            for entry in entries if isinstance(pooled := entry['pooled'], dict)]


def _pair(entry):
    better, worse = ('a', 'b') if (entry['only_a'] or 0) >= (entry['only_b'] or 0) else ('b', 'a')
    return (f'{entry[better]} succeeds where {entry[worse]} fails from {count(entry[f"only_{better}"])} starts, the '
            f'reverse from {count(entry[f"only_{worse}"])} (p {p_value(entry["p_value"])})')


def _tallies(entries):
    return listing(f'{entry["head"]} ({tally(entry)})' for entry in entries)


def _mean(entries, mode, field):
    values = [entry[field] for entry in measured(entries, field) if entry['executor'] == mode]
    return sum(values) / len(values) if values else None
