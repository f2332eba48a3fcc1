"""The figures of one measured run of the control loop, taken from what the executor itself tells."""

import os
import platform

CONTROL = 'chunk_executor_node: control'


def control_values(diagnostics):
    """Key -> text of the control loop's part of a DiagnosticArray, None where it has none."""
    for status in diagnostics.status:
        if status.name == CONTROL:
            return {value.key: value.value for value in status.values}
    return None


def processor_times():
    """Ticks of all processors: (all, not idle, taken away by the host), from /proc/stat."""
    with open('/proc/stat') as file:
        times = [int(word) for word in file.readline().split()[1:9]]
    return sum(times), sum(times) - times[3] - times[4], times[7]


def figures(status, before, after, processors, probe):
    """The run's figures as a dict that JSON takes; times in ms.

    Args:
        status: the episode's final ExecutorStatus.
        before, after: `control_values` at the episode's begin and at its end.
        processors: `processor_times` at begin and end.
        probe: what `loop.wake_probe` printed, as a dict; None where it did not run.
    """
    passed, busy, stolen = (late - early for early, late in zip(*processors))

    def times(name):
        return {figure: float(after[f'{name} {figure} (ms)']) for figure in ('p50', 'p95', 'p99', 'max')}

    def since(name):
        return int(after[name]) - int(before[name])

    return {
        'scheduling': after['scheduling'], 'ticks': status.ticks, 'missed_ticks': since('missed ticks'),
        'bus_errors': since('bus errors'), 'underruns': status.underruns, 'skipped': status.skipped,
        'rejected': status.rejected, 'accepted': status.accepted, 'lost_requests': int(after['lost requests']),
        'jitter_ms': times('jitter'), 'cycle_ms': times('cycle'), 'bus_ms': times('bus'),
        'jitter_histogram': {'upper_ms': [float(word) for word in after['jitter histogram (ms)'].split(', ')],
                             'ticks': [int(word) for word in after['jitter histogram (ticks)'].split(', ')]},
        'requests': {key.removeprefix('requests, '): int(value) for key, value in after.items()
                     if key.startswith('requests, ')},
        'request_interval_ms': float(after['request interval (ms)']),
        'chunk_latency_ms': {'p50': float(after['latency p50 (ms)']), 'p95': float(after['latency p95 (ms)'])},
        'processors': os.cpu_count(), 'busy_percent': round(100.0 * busy / max(passed, 1), 1),
        'stolen_percent': round(100.0 * stolen / max(passed, 1), 1), 'kernel': platform.release(), 'probe_ms': probe,
    }
