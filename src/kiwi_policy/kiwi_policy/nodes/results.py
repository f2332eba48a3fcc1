"""Results of a run of rollouts: folder, JSON file, table. Files are replaced whole, never half."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from kiwi_policy.core.metrics import latency_percentiles, seam_ratio, side_shares, wilson_interval
from kiwi_policy.nodes.episode_log import finite

FILE = 'rollouts.json'


def make_run_folder(output_dir, now=None):
    """Make <output_dir>/<UTC time> and let <output_dir>/latest link to it.

    Nothing is overwritten: a taken name gets a number, and a `latest` that is no link is left alone.

    Args:
        output_dir: made where it does not exist.
        now: datetime in UTC; default: the present.

    Returns:
        absolute Path of the folder.
    """
    output_dir = Path(output_dir).absolute()
    name = (now or datetime.now(UTC)).strftime('%Y-%m-%dT%H-%M-%SZ')
    output_dir.mkdir(parents=True, exist_ok=True)
    for attempt in range(1000):
        folder = output_dir / (f'{name}-{attempt}' if attempt else name)
        try:
            folder.mkdir()
            break
        except FileExistsError:
            continue
    else:
        raise FileExistsError(f'{output_dir / name} and 999 more exist')
    latest = output_dir / 'latest'
    if latest.is_symlink() or not latest.exists():
        fresh = output_dir / f'.latest.{os.getpid()}'
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(folder.name)
        os.replace(fresh, latest)
    return folder


def write_json(path, content):
    """Write JSON so that a reader sees the old file or the new one, never a part."""
    path = Path(path)
    fresh = path.with_name(f'.{path.name}.{os.getpid()}')
    with open(fresh, 'w', encoding='utf-8') as file:
        json.dump(content, file, indent=2, allow_nan=False)
        file.write('\n')
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)


class RunResults:
    """The episodes of a run and their file.

    Args:
        folder: of the run.
        header: dict of what does not change: task, head, digest, versions, ...
    """

    def __init__(self, folder, header):
        self.folder = Path(folder)
        self.episodes = []
        self._header = dict(header)
        self._logs = []
        self.message = ''
        self.write()

    @property
    def path(self):
        """The JSON file."""
        return self.folder / FILE

    @property
    def successes(self):
        """Number of successful episodes."""
        return sum(episode.success for episode in self.episodes)

    @property
    def helped(self):
        """Number of episodes in which an operator drove."""
        return sum(episode.operator_share > 0 for episode in self.episodes)

    def add(self, summary, log):
        """Add a finished episode (`EpisodeSummary`, `EpisodeLog`) and write the file."""
        self.episodes.append(summary)
        self._logs.append(log)
        self.write()

    def finish(self, message=''):
        """Note why the run ended early, empty where it did not, and write the file."""
        self.message = message
        self._header['finished'] = datetime.now(UTC).isoformat(timespec='seconds')
        self.write()

    def write(self):
        """Write the file."""
        write_json(self.path, self.to_dict())

    def to_dict(self):
        """The content of the file."""
        episodes = self.episodes
        low, high = wilson_interval(self.successes, len(episodes))
        latencies = [second for log in self._logs for second in log.latencies]
        evaluations = [count for log in self._logs for count in log.evaluations]
        p50, p95 = latency_percentiles(latencies)
        left, right = side_shares([episode.side for episode in episodes])
        smooth = [e.smoothness for e in episodes if np.isfinite(e.smoothness)]
        smooth_successes = [e.smoothness for e in episodes if e.success and np.isfinite(e.smoothness)]
        total = {
            'finished_rollouts': len(episodes), 'successes': self.successes,
            'helped_by_operator': self.helped,
            'success_rate': self.successes / len(episodes) if episodes else None,
            'success_interval_95': [round(low, 6), round(high, 6)],
            'evaluations_per_chunk': float(np.mean(evaluations)) if evaluations else None,
            'latency_p50': p50, 'latency_p95': p95,
            'response_p95': max((e.response_p95 for e in episodes), default=None),
            'smoothness': float(np.mean(smooth)) if smooth else None,
            'smoothness_successes': float(np.mean(smooth_successes)) if smooth_successes else None,
            'seam_ratio': seam_ratio([log.executed() for log in self._logs]),
            'left_share': left, 'right_share': right,
            'chunks': sum(e.chunks for e in episodes), 'underruns': sum(e.underruns for e in episodes),
            'skipped': sum(e.skipped for e in episodes), 'rejected': sum(e.rejected for e in episodes),
            'clamped': sum(e.clamped for e in episodes),
            'realtime_factor': float(np.mean([e.realtime_factor for e in episodes])) if episodes else None,
            'camera_rate': float(np.mean([e.camera_rate for e in episodes])) if episodes else None,
            'jitter_p99': max((e.jitter_p99 for e in episodes), default=None),
            'message': self.message,
        }
        return self._header | {key: finite(value) for key, value in total.items()} | {
            'episodes': [episode.to_dict() for episode in episodes]}


HEADINGS = ('rollout', 'seed', 'outcome', 'seconds', 'smoothness', 'side', 'chunks', 'evals', 'latency p50/p95',
            'underruns', 'realtime')


def row(episode):
    """Cells of an `EpisodeSummary`, in the order of HEADINGS."""
    helped = f' (operator {100 * episode.operator_share:.0f} %)' if episode.operator_share else ''
    return (str(episode.index + 1), str(episode.seed), episode.outcome + helped, f'{episode.seconds:.1f} s',
            f'{episode.smoothness:.3f} deg', episode.side, str(episode.chunks),
            f'{episode.evaluations_per_chunk:.1f}',
            f'{1e3 * episode.latency_p50:.0f} / {1e3 * episode.latency_p95:.0f} ms', str(episode.underruns),
            f'{episode.realtime_factor:.2f}')


def table(results):
    """The episodes and the sum of `RunResults` as text."""
    total = results.to_dict()
    rows = [HEADINGS, *(row(episode) for episode in results.episodes)]
    widths = [max(len(line[column]) for line in rows) for column in range(len(HEADINGS))]
    lines = ['  '.join(cell.rjust(width) for cell, width in zip(line, widths)) for line in rows]
    low, high = total['success_interval_95']
    lines += [
        '',
        f'{total.get("head") or "unknown head"} {total.get("checkpoint_digest") or ""}, '
        f'mode {total.get("mode") or "?"}: {results.successes}/{len(results.episodes)} successful'
        f'{f" ({results.helped} with an operator at the wheel for a while)" if results.helped else ""}, '
        f'95 % interval {100 * low:.0f} to {100 * high:.0f} %',
        f'{_number(total["evaluations_per_chunk"], "{:.1f}")} evaluations per chunk, latency p50 '
        f'{_number(total["latency_p50"], "{:.0f}", 1e3)} ms, p95 {_number(total["latency_p95"], "{:.0f}", 1e3)} ms, '
        f'{total["underruns"]} underruns, seam ratio {_number(total["seam_ratio"], "{:.2f}")}, '
        f'realtime factor {_number(total["realtime_factor"], "{:.2f}")}, '
        f'cameras {_number(total["camera_rate"], "{:.1f}")} Hz',
        f'results: {results.path}',
        *_bags(results),
    ]
    return '\n'.join(lines)


def _bags(results):
    """A line on the recordings, where there are some."""
    bags = [episode for episode in results.episodes if episode.bag]
    if bags:
        cut = sum(episode.bag_complete != 'true' for episode in bags)
        yield (f'recordings: {len(bags)} in {(results.folder / bags[0].bag).parent}'
               + (f', {cut} of them not complete (bag_complete in the results says why)' if cut else ''))


def _number(value, form, scale=1.0):
    return '?' if value is None else form.format(scale * value)
