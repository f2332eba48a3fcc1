"""Where the recording goes, and what is refused."""

import http.server
import importlib.util
import os
import re
import socket
import threading
import urllib.error
import urllib.request

import pytest
from view_support import contents, options, rr

from kiwi_policy.core.parameters import ParameterError
from kiwi_policy.view import outlet
from kiwi_policy.view.outlet import Outlet, check, require_rerun
from kiwi_policy.view.viewer_process import ViewerError, free_port
from kiwi_policy.view.web_page import WebPage


@pytest.mark.parametrize('changes, text', [
    ({'viewer': 'none'}, "viewer is 'none', so save or connect"),
    ({'save': 'run.mcap'}, r"save is 'run.mcap', must be the name of an .rrd file"),
    ({'save': '/no/such/folder/run.rrd'}, 'there is no folder /no/such/folder'),
    ({'connect': '10.0.0.1:9876'}, r"connect is '10.0.0.1:9876', must be like rerun\+http://"),
    ({'viewer': 'spawn'}, 'there is no display .*; choose serve'),
])
def test_what_cannot_work_is_named_with_the_way_out(changes, text, monkeypatch):
    monkeypatch.delenv('DISPLAY', raising=False)
    monkeypatch.delenv('WAYLAND_DISPLAY', raising=False)
    with pytest.raises(ParameterError, match=text):
        check(options(**changes))


def test_a_missing_rerun_is_one_line_that_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    with pytest.raises(ParameterError, match=r'pip install rerun-sdk==0\.33\.1'):
        require_rerun()


def test_the_version_named_is_the_one_installed():
    assert outlet.PACKAGE == f'rerun-sdk=={rr.__version__}'


def test_rerun_is_told_to_send_nothing(monkeypatch):
    monkeypatch.delenv('CI', raising=False)
    monkeypatch.setattr(os, 'environ', dict(os.environ))
    require_rerun()
    assert os.environ['CI'] == '1' and os.environ['TELEMETRY_ENABLED'] == 'false'


def test_a_port_that_is_taken_is_refused_with_another_proposed():
    with socket.socket() as other:
        other.bind(('127.0.0.1', 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ParameterError, match=f'web_port is {port}, which another program listens on'):
            Outlet(options(port=free_port(), web_port=port))


def test_a_rerun_elsewhere_that_does_not_answer_is_told_at_once():
    url = f'rerun+http://127.0.0.1:{free_port()}/proxy'
    with pytest.raises(ViewerError, match=f'no Rerun answers at {re.escape(url)} .*start one there'):
        Outlet(options(connect=url))


def test_two_views_can_share_a_rerun(tmp_path):
    served = Outlet(options(port=free_port(), web_port=free_port()))
    try:
        other = Outlet(options(connect=served._viewer.url, save=str(tmp_path / 'other.rrd')))
        other.stream.log('a', rr.TextLog('kept'))
        other.close()
        assert served.fault == ''
    finally:
        served.close()
    assert contents(tmp_path / 'other.rrd')['a']['TextLog:text'][0][1] == ['kept']


def test_a_served_view_is_on_this_machine_only_and_is_saved_as_well(tmp_path):
    path = tmp_path / 'run.rrd'
    made = Outlet(options(port=free_port(), web_port=free_port(), save=str(path)))
    try:
        page = made.places[0].split()[1]
        assert page.startswith('http://127.0.0.1:')
        with urllib.request.urlopen(f'{page}/', timeout=60) as answer:
            text, policy = answer.read().decode(), answer.headers['Content-Security-Policy']
            assert 'rerun%2Bhttp%3A%2F%2F127.0.0.1' in answer.url
        assert 're_viewer.js' in text and 'googleapis' not in text and 'gstatic' not in text
        allowed = policy.split('connect-src')[1].split()
        assert [source for source in allowed if '.' in source] == ['http://127.0.0.1:*']
        made.stream.log('a', rr.TextLog('kept'))
        assert made.fault == ''
        made._viewer._process.kill()
        made._viewer._process.wait()
        assert 'rerun ended with status -9' in made.fault
    finally:
        made.close()
    assert contents(path)['a']['TextLog:text'][0][1] == ['kept']


def test_the_page_passes_files_on_and_says_when_the_viewer_is_gone():
    class Origin(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = b'<link href="https://fonts.googleapis.com/css2" /><b>x</b>' if self.path == '/page' else b'\x00asm'
            self.send_response(200)
            self.send_header('Content-Type', 'text/html' if self.path == '/page' else 'application/wasm')
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments):
            pass

    origin = http.server.HTTPServer(('127.0.0.1', 0), Origin)
    threading.Thread(target=origin.serve_forever, daemon=True).start()
    page = WebPage(0, origin.server_port, 'rerun+http://127.0.0.1:1/proxy')
    try:
        assert urllib.request.urlopen(f'{page.url}/page', timeout=30).read() == b'<b>x</b>'
        with urllib.request.urlopen(f'{page.url}/re_viewer_bg.wasm', timeout=30) as answer:
            assert answer.read() == b'\x00asm' and answer.headers['Content-Type'] == 'application/wasm'
        origin.shutdown()
        origin.server_close()
        with pytest.raises(urllib.error.HTTPError, match='502'):
            urllib.request.urlopen(f'{page.url}/page', timeout=30)
    finally:
        page.close()
