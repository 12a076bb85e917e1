"""A real HTTP server on loopback that counts what it is asked, and answers slowly when told to."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """What arrived: method, path and Idempotency-Key of each request, and from which address; `delay_seconds` before
    each answer."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, str]] = []
        self.asked_by: list[str] = []
        self.delay_seconds = 0.0
        self.arrived = threading.Event()

    def keys(self) -> set[str]:
        return {key for _, _, key in self.requests}


@contextmanager
def http_receiver(host: str = "127.0.0.1") -> Iterator[tuple[Receiver, str]]:
    """A receiver and its `HOST:PORT`."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: Any) -> None:
            return

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("content-length") or 0))
            receiver.requests.append((self.command, self.path, self.headers.get("Idempotency-Key", "")))
            receiver.asked_by.append(self.client_address[0])
            receiver.arrived.set()
            time.sleep(receiver.delay_seconds)
            body = json.dumps({"count": len(receiver.requests)}).encode()
            with suppress(BrokenPipeError, ConnectionResetError):  # whoever asked may be gone
                self._reply(body)

        def _reply(self, body: bytes) -> None:
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815 - names of http.server

    server = ThreadingHTTPServer((host, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver, f"{host}:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
