"""The executor's diagnostics message."""

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from kiwi_policy.core.executor import State

_LEVELS = {State.STARVED: DiagnosticStatus.WARN, State.STOPPED: DiagnosticStatus.WARN,
           State.FAULT: DiagnosticStatus.ERROR}


def diagnostics(board, loop, stamp):
    """DiagnosticArray from a `StatusBoard` and a `ControlLoop`; `stamp` is a ROS Time message."""
    status = board.status
    state = status.state if status else State.IDLE
    figures = {
        'bus errors': loop.bus_errors, 'last bus error': loop.last_error, 'missed ticks': loop.missed_ticks,
        'jitter p99 (ms)': round(1e3 * loop.jitter.percentile(99), 2),
        'jitter max (ms)': round(1e3 * loop.jitter.largest, 2),
        'cycle p95 (ms)': round(1e3 * loop.cycle.percentile(95), 2),
        'cycle max (ms)': round(1e3 * loop.cycle.largest, 2),
    }
    if status:
        figures |= {
            'mode': status.mode, 'episode': status.episode_id, 'accepted': status.accepted,
            'rejected': status.rejected, 'lost requests': status.lost, 'dissents': status.dissents,
            'underruns': status.underruns, 'starved (s)': round(status.starved_seconds, 2),
            'latency p95 (ms)': round(1e3 * status.latency_p95, 1), 'overlap': round(status.overlap, 2),
        }
    entry = DiagnosticStatus(
        level=_LEVELS.get(state, DiagnosticStatus.OK), name='chunk_executor_node: control', hardware_id='lekiwi',
        message=f'{state.name}: {status.reason if status else "starting"}',
        values=[KeyValue(key=key, value=str(value)) for key, value in figures.items()])
    message = DiagnosticArray(status=[entry])
    message.header.stamp = stamp
    return message
