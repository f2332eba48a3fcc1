"""The recorder's diagnostics message."""

import os

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

MB = 1e6


class RecorderDiagnostics:
    """Makes diagnostics, rates taken between two of them."""

    def __init__(self):
        self._before = None

    def message(self, recording, lost, cpu, now, stamp):
        """DiagnosticArray of what the recorder does.

        Args:
            recording: a `Recording`, None where nothing is recorded.
            lost: topic -> messages the middleware lost.
            cpu: s of processor time that this process has used.
            now: s on a steady clock.
            stamp: ROS Time message.
        """
        size = recording.size if recording else 0
        written, share = self._rates(recording, size, cpu, now)
        level, text = DiagnosticStatus.OK, 'nothing is recorded'
        figures = {'processor (%)': round(100 * share, 1), 'niceness': os.getpriority(os.PRIO_PROCESS, 0)}
        if recording is not None:
            count = sum(lost.values()) + sum(recording.dropped.values())
            text = f'recording {recording.folder.name}: {size / MB:.1f} MB'
            if count:
                level, text = DiagnosticStatus.WARN, f'{text}, {count} messages lost'
            if recording.failure:
                level, text = DiagnosticStatus.ERROR, recording.failure
            figures |= {
                'folder': str(recording.folder), 'written (MB)': round(size / MB, 2),
                'rate (MB/min)': round(60 * written / MB, 1), 'messages': recording.messages,
                'queue (MB)': round(recording.queued / MB, 2), 'lost': count, 'failure': recording.failure,
            }
        message = DiagnosticArray(status=[DiagnosticStatus(
            level=level, name='recorder_node: recording', message=text,
            values=[KeyValue(key=key, value=str(value)) for key, value in figures.items()])])
        message.header.stamp = stamp
        return message

    def _rates(self, recording, size, cpu, now):
        """(bytes per s, share of a processor) since the last time."""
        before, self._before = self._before, (recording, size, cpu, now)
        if before is None or now <= before[3]:
            return 0.0, 0.0
        seconds = now - before[3]
        written = size - before[1] if recording is before[0] else size
        return written / seconds, (cpu - before[2]) / seconds
