"""A camera's diagnostics message."""

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from kiwi_policy.hardware.capture import FROZEN, GONE, OPENING, STREAMING

SLOW = 0.8      # of the rate asked for
SILENT = 1.0    # s

_LEVELS = {STREAMING: DiagnosticStatus.OK, OPENING: DiagnosticStatus.WARN, GONE: DiagnosticStatus.ERROR,
           FROZEN: DiagnosticStatus.ERROR}


def diagnostics(camera, device, asked_rate, capture, output, now, stamp):
    """What a camera does, as a DiagnosticArray.

    Args:
        camera, device: names.
        asked_rate: Hz.
        capture: a `Capture`.
        output: a `PictureOutput`.
        now: s on the clock of time.monotonic.
        stamp: ROS Time message.
    """
    rate = output.rate(now)
    level, text = _LEVELS[capture.state], f'{capture.state}: {capture.last_error}'.rstrip(': ')
    if capture.state == STREAMING:
        text = f'{capture.state}: {rate:.1f} Hz'
        if now - capture.newest > SILENT:
            level, text = DiagnosticStatus.ERROR, f'silent: no new frame for {now - capture.newest:.1f} s'
        elif 0.0 < rate < SLOW * asked_rate:
            level, text = DiagnosticStatus.WARN, f'slow: {rate:.1f} Hz, {asked_rate:g} Hz asked for'
    watch = capture.watch
    figures = {
        'device': device, 'delivers': capture.stream or 'not opened yet',
        'published': 'nothing yet' if output.size is None else '{}x{}'.format(*output.size),
        'rate (Hz)': round(rate, 1), 'frames': capture.frames, 'frozen': capture.frozen, 'gone': capture.gone,
        'repeated frames': watch.repeated, 'damaged frames': watch.damaged + output.damaged,
        'late frames': watch.late, 'skipped frames': output.skipped, 'last error': capture.last_error,
    }
    entry = DiagnosticStatus(level=level, name=f'camera_node: {camera}', hardware_id=device, message=text,
                             values=[KeyValue(key=key, value=str(value)) for key, value in figures.items()])
    message = DiagnosticArray(status=[entry])
    message.header.stamp = stamp
    return message
