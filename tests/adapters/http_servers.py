"""Web servers on loopback, scripted by path."""

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAGE = b"<title>t</title><p>Hi <a href='http://x.y/z'>there</a><script>bad</script>"
Page = tuple[int, str, bytes] | tuple[int, str, bytes, str]
"""Status, media type, body, and a content coding if it has one."""

PAGES: dict[str, Page] = {
    "/json": (200, "application/json", b'{"rate": 0.1, "n": 2.0}'),
    "/page": (200, "text/html", PAGE),
    "/big": (200, "text/plain", b"a" * 6_000_000),
    "/missing": (404, "text/plain", b"nothing here"),
}


class Site:
    """Answers by path; `seen` are the requests as method, path, headers and body."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.redirects: dict[str, str] = {}
        self.pages: dict[str, Page] = dict(PAGES)
        self.port = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        return f"http://{self.address}{path}"


def _handler(site: Site) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            return

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            site.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            if self.path in site.redirects:
                self._answer(307, "text/plain", b"", location=site.redirects[self.path])
            elif self.path.startswith("/lost"):
                self.close_connection = True
                self.connection.close()
            elif self.path == "/headers":
                self._answer(200, "application/json", json.dumps(dict(self.headers)).encode())
            elif self.path in site.pages:
                self._answer(*site.pages[self.path])
            else:
                self._answer(200, "text/plain", b"echo " + body)

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _serve  # noqa: N815 - http.server's names

        def _answer(
            self, status: int, media_type: str, body: bytes, coding: str | None = None, location: str | None = None
        ) -> None:
            self.send_response(status)
            self.send_header("content-type", media_type)
            self.send_header("content-length", str(len(body)))
            if location:
                self.send_header("location", location)
            if coding:
                self.send_header("content-encoding", coding)
            self.end_headers()
            if self.command != "HEAD":
                try:
                    self.wfile.write(body)
                except OSError:
                    return

    return Handler


class _QuietServer(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        return


@contextmanager
def web_site(tls: ssl.SSLContext | None = None) -> Iterator[Site]:
    """A site that answers until the end of the block."""
    site = Site()
    server = _QuietServer(("127.0.0.1", 0), _handler(site))
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    site.port = int(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
