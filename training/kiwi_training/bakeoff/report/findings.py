"""What the figures say, one sentence each, computed from the data."""

from kiwi_training.bakeoff.report.text import (
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

SIGNIFICANT = 0.05


def measured(entries, *fields):
    """The entries that have all of these figures."""
    return [entry for entry in entries if all(known(entry[field]) for field in fields)]


def within_noise(entries):
    """(best entry, entries whose interval reaches the best one's) by success."""
    entries = measured(entries, 'success', 'success_low', 'success_high')
    if not entries:
        return None, []
    best = max(entries, key=lambda entry: entry['success'])
    return best, [entry for entry in entries if entry['success_high'] >= best['success_low']]


def success_latency(rows):
    """Who is best, who is as good, and the fastest of those."""
    best, peers = within_noise(rows)
    if best is None:
        return []
    said = [f'{best["head"]} succeeds most often: {percent(best["success"], 1)} ({interval(best)}).']
    others = [row for row in peers if row is not best]
    fast = measured(peers, 'latency_p50_ms')
    if others and fast:
        fastest = min(fast, key=lambda row: row['latency_p50_ms'])
        said.append(f'{plural(len(others), "other head is", "other heads are")} not told apart from it (95 % intervals '
                    'overlap); ' + ('it is also the fastest of them' if fastest is best else 'the fastest of them all is '
                                    f'{fastest["head"]} with {percent(fastest["success"], 1)}')
                    + f' at {milliseconds(fastest["latency_p50_ms"])} per chunk.')
    elif len(rows) > 1 and not others:
        said.append('No other head\'s 95 % interval reaches its own.')
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
    rows = measured(rows, 'smoothness')
    if not rows:
        return []
    smoothest, roughest = (pick(rows, key=lambda row: row['smoothness']) for pick in (min, max))
    if len(rows) == 1:
        return [f'{smoothest["head"]}: {degrees(smoothest["smoothness"])}.']
    factor = roughest['smoothness'] / smoothest['smoothness'] if smoothest['smoothness'] else float('nan')
    times = f', {factor:.1f} times as much' if factor >= 1.1 else ''
    said = [f'{smoothest["head"]} is smoothest ({degrees(smoothest["smoothness"])}), {roughest["head"]} roughest '
            f'({degrees(roughest["smoothness"])}{times}).']
    able = [row for row in rows if row['multimodal']]
    if able:
        best = min(able, key=lambda row: row['smoothness'])
        said.append(f'Of the heads that take both sides {best["head"]} is smoothest: {degrees(best["smoothness"])}.')
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
    starved = [row for row in measured(rows, 'underruns') if row['underruns'] > 0]
    fed = measured(rows, 'underruns')
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
                     for field in ('success', 'smoothness'))
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
    """Per head, asking at every action against asking at every chunk."""
    said = []
    for head in dict.fromkeys(entry['head'] for entry in entries):
        line = sorted((entry for entry in measured(entries, 'interval_actions') if entry['head'] == head),
                      key=lambda entry: entry['interval_actions'])
        if len(line) < 2:
            continue
        often, seldom = line[0], line[-1]
        changes = [f'{word} {form(often[field])} instead of {form(seldom[field])}' for word, field, form in (
            ('success', 'success', percent), ('smoothness', 'smoothness', degrees),
            ('mode switches per rollout', 'mode_switches', lambda value: number(value, '.1f')),
        ) if known(often[field]) and known(seldom[field])]
        if changes:
            said.append(f'{head}, asked for a chunk after every {plural(int(often["interval_actions"]), "action")} instead '
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
        overlap = all(known(e[f]) for e in (kept, fresh) for f in ('success_low', 'success_high')) and (
            kept['success_high'] >= fresh['success_low'] and fresh['success_high'] >= kept['success_low'])
        said.append(f'{head}: noise kept for an episode gives {percent(kept["success"])} success and '
                    f'{number(kept["mode_switches"], ".1f")} mode switches per rollout, fresh noise '
                    f'{percent(fresh["success"])} and {number(fresh["mode_switches"], ".1f")}'
                    + (' (the intervals of success overlap).' if overlap else '.'))
    return said


def control(entries):
    """Who drives into the post where nothing breaks the tie, who holds up, who is in between."""
    best, peers = within_noise(entries)
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
    others = [entry for entry in peers if entry is not best]
    said.append(f'{best["head"]} succeeds most often ({tally(best)})'
                + (f'; not told apart from it: {_tallies(others)}.' if others else '.'))
    between = [entry for entry in measured(entries, 'success') if entry not in peers and entry not in collapsed]
    if between:
        said.append(f'Below it beyond noise: {_tallies(between)}.')
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


def holm(p_values, level=SIGNIFICANT):
    """Which of several hypotheses Holm's step-down procedure rejects, list of bool."""
    rejected, going = [False] * len(p_values), True
    for rank, index in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
        going = going and p_values[index] < level / (len(p_values) - rank)
        rejected[index] = going
    return rejected


def _pair(entry):
    better, worse = ('a', 'b') if (entry['only_a'] or 0) >= (entry['only_b'] or 0) else ('b', 'a')
    return (f'{entry[better]} succeeds where {entry[worse]} fails from {count(entry[f"only_{better}"])} starts, the '
            f'reverse from {count(entry[f"only_{worse}"])} (p {p_value(entry["p_value"])})')


def _tallies(entries):
    return listing(f'{entry["head"]} ({tally(entry)})' for entry in entries)


def _mean(entries, mode, field):
    values = [entry[field] for entry in measured(entries, field) if entry['executor'] == mode]
    return sum(values) / len(values) if values else None
