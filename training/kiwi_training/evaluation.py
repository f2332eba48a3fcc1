"""Many rollouts in worker processes, and what they say in sum."""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from types import SimpleNamespace

import numpy as np

from kiwi_policy.core import metrics
from kiwi_policy.core.executor import ChunkExecutor
from kiwi_policy.nodes.chunk_maker import ChunkMaker
from kiwi_policy.nodes.policy_check import check_policy
from kiwi_training.rollouts import MEASURED, RolloutSettings, run_rollout, traits
from kiwi_training.worker_process import follow_parent

WARM_UP = 4
"""Inferences by which a policy's latency is measured where it is played back; the first does not count."""


@dataclass(frozen=True)
class Evaluation:
    """What to evaluate.

    Attributes:
        checkpoint: folder of a LeRobot checkpoint.
        settings: how rollouts are run.
        seeds: (environment seed, sampling seed) per rollout.
        sampling: overrides of the head's sampling, e.g. {'steps': 4}.
        image_size: (height, width) rendered for the policy.
        jobs: worker processes.
        make_policy: called with (checkpoint, sampling); builds the policy in each worker.
        make_env: called with (image_size, policy.info); builds the environment in each worker.
    """

    checkpoint: str
    settings: RolloutSettings
    seeds: tuple
    sampling: dict
    image_size: tuple
    jobs: int
    make_policy: object
    make_env: object


def load_checkpoint(checkpoint, sampling, allow_short_action_steps=False, device='cpu'):
    """The policy of a checkpoint on a torch device, one CPU thread; refused as by policy_node.

    Raises:
        ValueError: it cannot be loaded, or its n_action_steps is below half its chunk.
    """
    from kiwi_policy.heads.info import check_action_steps
    from kiwi_policy.heads.loader import load_policy
    policy = load_policy(checkpoint, device=device, num_threads=1, **sampling)
    check_action_steps(policy.info, override=allow_short_action_steps)
    return policy


def check_fit(policy, settings):
    """Refuse a policy that the robot's executor would not begin an episode with.

    Args:
        policy: with the latency that `settings` plays back; where that is measured, so it is here.
        settings: `RolloutSettings`.

    Raises:
        ExecutorError: other action names, or another rate than the executor's.
        Infeasible: too slow for the interval between requests.
    """
    info, config = policy.info, settings.executor
    check_policy(SimpleNamespace(names=info.names, period=info.period or config.period, horizon=info.horizon), config)
    latency = settings.latency
    if latency == MEASURED:
        maker = ChunkMaker(policy, seed=0)
        maker.warm_up(WARM_UP)
        latency = maker.latency.percentile(95)
    elif isinstance(latency, tuple):
        latency = float(np.percentile(latency, 95))
    executor = ChunkExecutor(config)
    executor.set_policy(replace(traits(info), latency_p95=latency))
    executor.check_feasible()


def make_fork_env(image_size, info, spread=1.0):
    """The simulated task as a policy sees it, its starts scattered `spread` times as wide as the demonstrations'."""
    from kiwi_training.frugal_env import environment_for
    return environment_for(info, image_size, spread=spread)


def run_all(evaluation, progress=None):
    """Run every rollout; `progress` is called with each as it finishes.

    Returns:
        list of `Rollout` in the order of `evaluation.seeds`.
    """
    if evaluation.jobs == 1:
        _prepare(evaluation)
        results = []
        for index in range(len(evaluation.seeds)):
            results.append(_run(index))
            if progress is not None:
                progress(results[-1])
        return results
    context = multiprocessing.get_context('spawn')
    results = [None] * len(evaluation.seeds)
    with ProcessPoolExecutor(evaluation.jobs, context, _start_worker, (evaluation,)) as pool:
        running = {pool.submit(_run, index): index for index in range(len(evaluation.seeds))}
        try:
            for done in as_completed(running):
                results[running[done]] = done.result()
                if progress is not None:
                    progress(done.result())
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for child in multiprocessing.active_children():
                child.terminate()
            raise
    return results


def summarize(rollouts):
    """Figures over rollouts as a dict ready for JSON; NaN becomes None."""
    successes = sum(rollout.success for rollout in rollouts)
    sides = [rollout.side for rollout in rollouts]
    shares = metrics.side_shares(sides)
    latencies = [seconds for rollout in rollouts for seconds in rollout.inference_seconds]
    evaluations = [count for rollout in rollouts for count in rollout.evaluations]
    p50, p95 = metrics.latency_percentiles(latencies)
    low, high = metrics.wilson_interval(successes, len(rollouts))
    failures = {}
    for rollout in rollouts:
        if not rollout.success:
            failures[rollout.outcome] = failures.get(rollout.outcome, 0) + 1
    statuses = [rollout.status for rollout in rollouts]
    rejected = {}
    for status in statuses:
        for reason, count in status.reject_counts.items():
            rejected[reason] = rejected.get(reason, 0) + count
    return _jsonable({
        'rollouts': len(rollouts), 'successes': successes, 'success_rate': successes / max(len(rollouts), 1),
        'success_low': low, 'success_high': high, 'failures': failures,
        'seconds': _mean([rollout.seconds for rollout in rollouts if rollout.success]),
        'smoothness': _mean([rollout.smoothness for rollout in rollouts]),
        'smoothness_successes': _mean([rollout.smoothness for rollout in rollouts if rollout.success]),
        'seam_ratio': metrics.seam_ratio([rollout.planned for rollout in rollouts]),
        'chunks': len(latencies), 'evaluations_per_chunk': _mean(evaluations),
        'latency_p50': p50, 'latency_p95': p95,
        'sides': {name: sides.count(name) for name in ('left', 'right', 'none')},
        'left_share': shares[0], 'right_share': shares[1], 'side_entropy': metrics.side_entropy(sides),
        'underruns': sum(status.underruns for status in statuses),
        'starved_seconds': sum(status.starved_seconds for status in statuses),
        'skipped': sum(status.skipped for status in statuses),
        'clamped': sum(status.clamped for status in statuses),
        'dissents': sum(status.dissents for status in statuses),
        'rejected': rejected, 'overlap': _mean([status.overlap for status in statuses]),
    })


def rollout_record(rollout):
    """One rollout as a dict ready for JSON, without its actions."""
    return _jsonable({
        'seed': rollout.seed, 'sampling_seed': rollout.sampling_seed, 'success': rollout.success,
        'outcome': rollout.outcome, 'seconds': rollout.seconds, 'side': rollout.side,
        'smoothness': rollout.smoothness, 'chunks': len(rollout.inference_seconds),
        'evaluations_per_chunk': _mean(rollout.evaluations), 'underruns': rollout.status.underruns,
        'skipped': rollout.status.skipped, 'clamped': rollout.status.clamped, 'dissents': rollout.status.dissents,
    })


_worker = {}


def _start_worker(evaluation):
    follow_parent()
    _prepare(evaluation)


def _prepare(evaluation):
    """Build policy and environment once per process; a failure surfaces with the first rollout."""
    os.environ.setdefault('MUJOCO_GL', 'egl')
    _worker.clear()
    _worker['evaluation'] = evaluation
    try:
        _worker['policy'] = evaluation.make_policy(evaluation.checkpoint, evaluation.sampling)
        check_fit(_worker['policy'], evaluation.settings)
        _worker['env'] = evaluation.make_env(evaluation.image_size, _worker['policy'].info)
    except Exception as error:
        _worker['error'] = error


def _run(index):
    if 'error' in _worker:
        raise _worker['error']
    evaluation = _worker['evaluation']
    seed, sampling_seed = evaluation.seeds[index]
    return run_rollout(_worker['env'], _worker['policy'], evaluation.settings, seed, sampling_seed)


def _mean(values):
    values = [value for value in values if not np.isnan(value)]
    return float(np.mean(values)) if values else float('nan')


def _jsonable(value):
    if isinstance(value, dict):
        return {key: _jsonable(item) for key, item in value.items()}
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
