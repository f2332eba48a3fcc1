"""Rerun's web viewer on a page that may talk to this machine only.

Rerun's own server of the page stands behind it. The page as it comes loads fonts from the network and lets the
viewer send usage data from the browser; both are forbidden here by the page's content security policy.
"""

import contextlib
import http.client
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import quote

from kiwi_policy.view.viewer_process import HOST

POLICY = ("default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval' 'wasm-unsafe-eval'; "
          "connect-src 'self' data: blob: http://127.0.0.1:* http://localhost:*")
_NETWORK_FONTS = re.compile(rb'<link[^>]*fonts\.(?:googleapis|gstatic)\.com[^>]*>')
_KEPT = ('Content-Type', 'Content-Encoding', 'rerun-final-length')


class WebPage:
    """Serves the page on 127.0.0.1.

    Args:
        port: of the page.
        origin_port: of Rerun's own server of it.
        data_url: where the viewer is to find the data.

    Raises:
        OSError: the port is taken.
    """

    def __init__(self, port, origin_port, data_url):
        query = f'?url={quote(data_url, safe="")}'
        handler = type('Handler', (_Handler,), {'origin_port': origin_port, 'query': query})
        self._server = ThreadingHTTPServer((HOST, port), handler)
        self._server.daemon_threads = True
        self.url = f'http://{HOST}:{self._server.server_port}'
        threading.Thread(target=self._server.serve_forever, name='page', daemon=True).start()

    def close(self):
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    origin_port, query = 0, ''

    def do_GET(self):
        """Pass a file of the viewer on; the bare page is sent to the one that knows its data."""
        if self.path == '/':
            self.send_response(302)
            self.send_header('Location', f'/{self.query}')
            self.send_header('Content-Length', '0')
            self.end_headers()
            return
        origin = http.client.HTTPConnection(HOST, self.origin_port, timeout=30.0)
        try:
            origin.request('GET', self.path)
            answer = origin.getresponse()
            body = answer.read()
        except OSError as error:
            self.send_error(502, f'the viewer does not answer: {error}')
            return
        finally:
            origin.close()
        if 'html' in answer.headers.get('Content-Type', '') and not answer.headers.get('Content-Encoding'):
            body = _NETWORK_FONTS.sub(b'', body)
        self.send_response(answer.status)
        for name in _KEPT:
            if name in answer.headers:
                self.send_header(name, answer.headers[name])
        self.send_header('Content-Security-Policy', POLICY)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):      # the browser has left
            self.wfile.write(body)

    def log_message(self, *_arguments):
        """Say nothing."""
