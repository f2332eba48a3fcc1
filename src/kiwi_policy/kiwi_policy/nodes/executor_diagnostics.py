"""The executor's diagnostics message."""

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from kiwi_policy.core.executor import State
from kiwi_policy.core.schedule import IN_TIME, INTERVAL, NO_ACTIONS

_LEVELS = {State.STARVED: DiagnosticStatus.WARN, State.STOPPED: DiagnosticStatus.WARN,
           State.FAULT: DiagnosticStatus.ERROR}
JITTER_EDGES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""ms, upper ends of the jitter histogram's intervals; one more counts what lies beyond."""


def diagnostics(session, stamp):
    """DiagnosticArray of an `ExecutorSession`; `stamp` is a ROS Time message."""
    message = DiagnosticArray(status=[_control(session.board.status, session.loop), _servos(session.health)])
    message.header.stamp = stamp
    return message


def _control(status, loop):
    state = status.state if status else State.IDLE
    figures = {
        'bus errors': loop.bus_errors, 'last bus error': loop.last_error, 'missed ticks': loop.missed_ticks,
        'base stops in silence': loop.blind_stops,
        'scheduling': loop.scheduling, **_times('jitter', loop.jitter), **_times('cycle', loop.cycle),
        **_times('bus', loop.bus),
        'jitter histogram (ms)': ', '.join(str(edge) for edge in JITTER_EDGES),
        'jitter histogram (ticks)': ', '.join(map(str, loop.jitter.shares([1e-3 * edge for edge in JITTER_EDGES]))),
    }
    if status:
        figures |= {
            'mode': status.mode, 'episode': status.episode_id, 'accepted': status.accepted,
            'rejected': status.rejected, 'dissents': status.dissents, 'skipped': status.skipped,
            'underruns': status.underruns, 'starved (s)': round(status.starved_seconds, 2),
            **{f'requests, {cause}': status.requests.get(cause, 0) for cause in (INTERVAL, IN_TIME, NO_ACTIONS)},
            'lost requests': status.lost, 'request interval (ms)': round(1e3 * status.request_interval, 1),
            'latency p50 (ms)': round(1e3 * status.latency_p50, 1),
            'latency p95 (ms)': round(1e3 * status.latency_p95, 1), 'overlap': round(status.overlap, 2),
            'operator takeovers': status.operator_takeovers, 'operator drove (s)': round(status.operator_seconds, 2),
            'operator commands refused': sum(status.operator_refused.values()),
        }
    return DiagnosticStatus(
        level=_LEVELS.get(state, DiagnosticStatus.OK), name='chunk_executor_node: control', hardware_id='lekiwi',
        message=f'{state.name}: {status.reason if status else "starting"}',
        values=[KeyValue(key=key, value=str(value)) for key, value in figures.items()])


def _times(name, histogram):
    figures = {f'p{percent}': histogram.percentile(percent) for percent in (50, 95, 99)} | {'max': histogram.largest}
    return {f'{name} {figure} (ms)': round(1e3 * seconds, 3) for figure, seconds in figures.items()}


def _servos(watch):
    values = [KeyValue(key=health.servo, value=f'{health.temperature:.0f} deg C, {health.voltage:.1f} V, '
                                               f'{100 * health.load:.0f} % load, {health.current:.2f} A')
              for health in watch.readings.values()]
    warnings = watch.warnings
    return DiagnosticStatus(
        level=DiagnosticStatus.WARN if warnings else DiagnosticStatus.OK, name='chunk_executor_node: servos',
        hardware_id='lekiwi', message='; '.join(warnings) or f'{len(values)} servos are well',
        values=[*values, KeyValue(key='health readings that failed', value=str(watch.errors))])
