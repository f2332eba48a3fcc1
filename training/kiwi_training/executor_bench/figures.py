"""The figures of the table: one entry per executor and profile."""

from kiwi_training.bakeoff.figures import paired, pooled_pairs, success_figures
from kiwi_training.bakeoff.report.pairing import holm
from kiwi_training.executor_bench.variants import REFERENCE

OUTCOMES = ('post_hit', 'timeout', 'not_lifted', 'fault')


def entries(runs):
    """The entries of bench.json.

    Args:
        runs: {(executor, profile): list of `Run`}, in the order of the table; empty lists are left out.

    Returns:
        list of dicts ready for JSON: executor, profile, trials, success (share) with successes, success_low
        and success_high (95 % Wilson), smoothness (deg), seam_ratio, expired_executed and underruns (sums), and
        expired_share (of the rows executed), starved_seconds (sum), failures by outcome, seconds (mean of the
        successes), chunks_per_second, dissents (sum), mode_switches (mean per rollout), and against the reference
        on the same seeds `paired` ({trials, both, only_a, only_b, neither, p_value}, a being this executor; None for
        the reference itself) and `differs` (True where p holds after Holm's correction over all entries).
    """
    found = [_entry(*cell, cell_runs, runs.get((REFERENCE, cell[1]))) for cell, cell_runs in runs.items() if cell_runs]
    tested = [entry for entry in found if entry['paired'] is not None]
    for entry, differs in zip(tested, holm([entry['paired']['p_value'] for entry in tested]), strict=True):
        entry['differs'] = differs
    return found


def _entry(executor, profile, runs, reference):
    trials = [run.trial for run in runs]
    figures = success_figures(trials)
    expired, executed = sum(run.expired for run in runs), sum(run.executed for run in runs)
    against = None
    if reference and executor != REFERENCE:
        against = paired(trials, [run.trial for run in reference])
    names = ('trials', 'successes', 'success', 'success_low', 'success_high', 'smoothness', 'seam_ratio')
    return {
        'executor': executor, 'profile': profile, **{name: figures[name] for name in names},
        'expired_executed': expired, 'expired_share': expired / executed if executed else None,
        'underruns': figures['underruns'], 'starved_seconds': figures['starved_seconds'],
        'failures': {name: figures['failures'].get(name, 0) for name in OUTCOMES}, 'seconds': figures['seconds'],
        'chunks_per_second': sum(len(trial.rollout.inference_seconds) for trial in trials)
        / sum(trial.rollout.seconds for trial in trials),
        'dissents': figures['dissents'], 'mode_switches': figures['mode_switches'],
        'paired': against, 'differs': None,
    }


def pair(runs, a, b, profiles):
    """McNemar's exact test of two executors over several profiles' rollouts on the same seeds; None without any."""
    pairs = [paired([run.trial for run in runs[a, profile]], [run.trial for run in runs[b, profile]])
             for profile in profiles if runs.get((a, profile)) and runs.get((b, profile))]
    pairs = [each for each in pairs if each is not None]
    return pooled_pairs(pairs) if pairs else None
