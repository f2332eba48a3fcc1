"""What the bridge says of the host: its silence and its return, once each, and the diagnostics message."""

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

SILENT_AFTER = 1.0      # s without an observation that are worth a word
STEADY = 2.0            # s of observations after which a silence counts as over
SLOW = 20.0             # Hz; a host makes 30 unless told otherwise


class HostWatch:
    """Notices when the host falls silent, speaks another format or lacks a camera.

    Args:
        address: of the host.
        cameras: names of the cameras that are published.
        warn, announce: called with a text.
    """

    def __init__(self, address, cameras, warn, announce):
        self.address, self.cameras = address, tuple(cameras)
        self._warn, self._announce = warn, announce
        self._began = self._silent_since = self._well_since = None
        self._told = self._cameras_told = ''
        self._window = None, 0
        self.rate = 0.0         # Hz of the observations

    def look(self, status, now):
        """Take in a `BridgeStatus` at `now` (s)."""
        self._began = now if self._began is None else self._began
        trouble = self._trouble(status, now)
        kind = 'format' if status.trouble else 'silence'
        if trouble:
            self._well_since = None
            if self._told != kind:
                self._told = kind
                if self._silent_since is None:
                    self._silent_since = max(now - status.age, self._began)
                self._warn(trouble)
        elif self._told and status.age < SILENT_AFTER:
            self._well_since = now if self._well_since is None else self._well_since
            if now - self._well_since >= STEADY:
                silence = self._well_since - self._silent_since
                self._announce(f'lekiwi_host on {self.address} answers, after {silence:.1f} s')
                self._told, self._silent_since = '', None
        if status.age < SILENT_AFTER:
            self._look_at_cameras(status)
        self._measure(status, now)

    def missing(self, status):
        """Cameras that are to be published and that the host does not send."""
        return [camera for camera in self.cameras if camera not in status.cameras]

    def _trouble(self, status, now):
        if status.trouble:
            return f'{self.address}: {status.trouble}'
        if status.age < SILENT_AFTER or now - self._began < SILENT_AFTER:
            return ''
        if not status.observations:
            return f'no observation from {self.address} yet: is lekiwi_host running there?'
        return (f'lekiwi_host on {self.address} has been silent for {status.age:.1f} s; it ends by itself after '
                '--host.connection_time_s, which is 30 s unless it is set')

    def _look_at_cameras(self, status):
        lacking = ', '.join(self.missing(status))
        if lacking == self._cameras_told:
            return
        self._cameras_told = lacking
        if lacking:
            self._warn(f'lekiwi_host on {self.address} sends no picture of {lacking}; it has '
                       f'{", ".join(status.cameras) or "no cameras"}')
        else:
            self._announce(f'lekiwi_host on {self.address} sends all cameras again')

    def _measure(self, status, now):
        since, count = self._window
        if since is None or now - since >= 1.0:
            self.rate = 0.0 if since is None else (status.observations - count) / (now - since)
            self._window = now, status.observations


def diagnostics(watch, status, stamp):
    """DiagnosticArray from a `HostWatch` and a `BridgeStatus`; `stamp` is a ROS Time message."""
    missing = watch.missing(status)
    level, message = DiagnosticStatus.OK, 'observations arrive'
    if status.trouble:
        level, message = DiagnosticStatus.ERROR, status.trouble
    elif status.age > SILENT_AFTER:
        level, message = DiagnosticStatus.ERROR, 'no observations arrive'
    elif missing:
        level, message = DiagnosticStatus.WARN, f'no picture of {", ".join(missing)}'
    elif watch.rate < SLOW:
        level, message = DiagnosticStatus.WARN, 'few observations arrive: host or network is slow, pictures may be old'
    figures = {
        'observations (Hz)': round(watch.rate, 1), 'age (ms)': round(1e3 * status.age, 1),
        'observations': status.observations, 'observations overtaken': status.dropped,
        'messages of another format': status.refused, 'cameras': ', '.join(status.cameras),
        'executor connected': status.executor, 'commands passed': status.passed, 'commands too late': status.late,
        'commands without a host': status.unsent, 'base brought to rest': status.rests,
    }
    entry = DiagnosticStatus(
        level=level, name='lekiwi_bridge_node: host', hardware_id=watch.address, message=message,
        values=[KeyValue(key=key, value=str(value)) for key, value in figures.items()])
    message = DiagnosticArray(status=[entry])
    message.header.stamp = stamp
    return message
