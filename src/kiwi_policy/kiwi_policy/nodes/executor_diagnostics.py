"""The executor's diagnostics message."""

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from kiwi_policy.core.executor import State

_LEVELS = {State.STARVED: DiagnosticStatus.WARN, State.STOPPED: DiagnosticStatus.WARN,
           State.FAULT: DiagnosticStatus.ERROR}


def diagnostics(session, stamp):
    """DiagnosticArray of an `ExecutorSession`; `stamp` is a ROS Time message."""
    message = DiagnosticArray(status=[_control(session.board.status, session.loop), _servos(session.health)])
    message.header.stamp = stamp
    return message


def _control(status, loop):
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
            'operator takeovers': status.operator_takeovers, 'operator drove (s)': round(status.operator_seconds, 2),
            'operator commands refused': sum(status.operator_refused.values()),
        }
    return DiagnosticStatus(
        level=_LEVELS.get(state, DiagnosticStatus.OK), name='chunk_executor_node: control', hardware_id='lekiwi',
        message=f'{state.name}: {status.reason if status else "starting"}',
        values=[KeyValue(key=key, value=str(value)) for key, value in figures.items()])


def _servos(watch):
    values = [KeyValue(key=health.servo, value=f'{health.temperature:.0f} deg C, {health.voltage:.1f} V, '
                                               f'{100 * health.load:.0f} % load, {health.current:.2f} A')
              for health in watch.readings.values()]
    warnings = watch.warnings
    return DiagnosticStatus(
        level=DiagnosticStatus.WARN if warnings else DiagnosticStatus.OK, name='chunk_executor_node: servos',
        hardware_id='lekiwi', message='; '.join(warnings) or f'{len(values)} servos are well',
        values=[*values, KeyValue(key='health readings that failed', value=str(watch.errors))])
