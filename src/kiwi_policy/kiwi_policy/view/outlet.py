"""Where the recording goes: a web viewer or window on this machine, a viewer elsewhere, a file."""

import contextlib
import importlib.util
import os
import re
import socket
from pathlib import Path
from urllib.parse import urlsplit

from kiwi_policy.core.parameters import ParameterError

PACKAGE = 'rerun-sdk==0.33.1'
_REACH_SECONDS = 5.0


def require_rerun():
    """Raise ParameterError where rerun-sdk is not installed; keep it from sending usage data where it is."""
    if importlib.util.find_spec('rerun') is None and importlib.util.find_spec('rerun_sdk') is None:
        raise ParameterError(f'rerun-sdk is not installed: pip install {PACKAGE}, or leave the view out (view:=false)')
    from kiwi_policy.view.viewer_process import QUIET

    os.environ.update(QUIET)


class Outlet:
    """An open recording.

    Attributes:
        stream: `rerun.RecordingStream` to log to.
        places: where to look, a line of text each.

    Args:
        options: values of `view_parameters.TABLE`.
        recording_id: tells runs apart in a viewer.

    Raises:
        ParameterError: a value that cannot work; it names the parameter and the choices.
        ViewerError: rerun's program does not run.
    """

    def __init__(self, options, recording_id=None):
        check(options)
        import rerun as rr

        self._viewer = self._page = None
        self.places, sinks = [], []
        self.stream = rr.RecordingStream('kiwi', recording_id=recording_id)
        if options.connect:
            _check_reachable(options.connect)
            sinks.append(rr.GrpcSink(options.connect))
            self.places.append(f'sending to {options.connect}')
        elif options.viewer != 'none':
            sinks.append(rr.GrpcSink(self._open_viewer(options)))
        if options.save:
            sinks.append(rr.FileSink(options.save, write_footer=False))
            self.places.append(f'saving to {options.save}, to be opened by: rerun {options.save}')
        self.stream.set_sinks(*sinks)

    @property
    def fault(self):
        """Why the viewer is gone, '' while all is well; a window that was closed is no fault."""
        return self._viewer.ended if self._viewer is not None and self._page is not None else ''

    def close(self):
        """Write what waits and end what was started."""
        with contextlib.suppress(RuntimeError):     # a viewer that is gone takes nothing more
            self.stream.flush(timeout_sec=5.0)
        self.stream.disconnect()
        if self._page is not None:
            self._page.close()
        if self._viewer is not None:
            self._viewer.close()

    def _open_viewer(self, options):
        from kiwi_policy.view.viewer_process import ViewerProcess, answers, data_url, free_port
        from kiwi_policy.view.web_page import WebPage

        limit = f'{options.memory_limit}MB'
        if options.viewer == 'spawn':
            if answers(options.port):
                self.places.append(f'showing in the Rerun that listens on port {options.port}')
                return data_url(options.port)
            self._viewer = ViewerProcess(['--memory-limit', limit, '--hide-welcome-screen'], options.port, leave=True)
            self.places.append('showing in a window of Rerun')
            return self._viewer.url
        for name in ('port', 'web_port'):
            if answers(getattr(options, name)):
                raise ParameterError(f'parameter {name} is {getattr(options, name)}, which another program listens on; '
                                     f'choose another, e.g. {free_port()}')
        hidden = free_port()
        self._viewer = ViewerProcess(
            ['--serve-web', '--web-viewer-port', str(hidden), '--server-memory-limit', limit],
            options.port)
        self._page = WebPage(options.web_port, hidden, self._viewer.url)
        self.places.append(f'open {self._page.url} in a browser')
        return self._viewer.url


def _check_reachable(url):
    from kiwi_policy.view.viewer_process import ViewerError

    address = urlsplit(url)
    try:
        socket.create_connection((address.hostname, address.port or 443), _REACH_SECONDS).close()
    except OSError as error:
        raise ViewerError(f'no Rerun answers at {url} ({error}): start one there with rerun --bind 0.0.0.0') from error


def check(options):
    """Raise ParameterError for options that cannot work together or here."""
    if options.connect and not re.fullmatch(r'rerun(\+https?)?://[^/\s]+/proxy', options.connect):
        raise ParameterError(f'parameter connect is {options.connect!r}, must be like '
                             'rerun+http://192.168.1.7:9876/proxy')
    if options.save:
        path = Path(options.save)
        if path.suffix != '.rrd':
            raise ParameterError(f'parameter save is {options.save!r}, must be the name of an .rrd file')
        if not path.absolute().parent.is_dir():
            raise ParameterError(f'parameter save is {options.save!r}, but there is no folder {path.absolute().parent}')
    if options.connect:
        return
    if options.viewer == 'none' and not options.save:
        raise ParameterError('parameter viewer is \'none\', so save or connect must say where the recording goes')
    if options.viewer == 'spawn' and not (os.environ.get('DISPLAY') or os.environ.get('WAYLAND_DISPLAY')):
        raise ParameterError('parameter viewer is \'spawn\', but there is no display (DISPLAY, WAYLAND_DISPLAY); '
                             'choose serve and open the page in a browser')
