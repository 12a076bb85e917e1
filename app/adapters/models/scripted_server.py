"""The scripted model as an endpoint of its own: chat completions over HTTP, on loopback.

`python -m app.adapters.models.scripted_server --port 8401` serves until it is told to stop.
"""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from app.adapters.models.scripted import MODEL, completion

HOST = "127.0.0.1"
_LARGEST_BODY_BYTES = 32 * 1024 * 1024


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        if self.path == "/healthz":
            self._answer(200, {"ok": True})
        elif self.path == "/v1/models":
            self._answer(200, {"object": "list", "data": [{"id": MODEL, "object": "model", "owned_by": MODEL}]})
        else:
            self._refuse(404, f"no such path: {self.path}")

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if length > _LARGEST_BODY_BYTES:
            self.close_connection = True
            return self._refuse(413, "the request is too large")
        raw = self.rfile.read(length)
        if self.path != "/v1/chat/completions":
            return self._refuse(404, f"no such path: {self.path}")
        try:
            body = json.loads(raw)
        except ValueError:
            return self._refuse(400, "the body is not JSON")
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            return self._refuse(400, "the body holds no messages", "messages")
        if body.get("stream"):
            return self._refuse(400, "the scripted model does not stream", "stream")
        return self._answer(200, completion(body))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Quiet: requests hold what tickets say."""

    def _refuse(self, status: int, message: str, param: str | None = None) -> None:
        error = {"message": message, "type": "invalid_request_error", "param": param, "code": None}
        self._answer(status, {"error": error})

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        content = json.dumps(value, ensure_ascii=False).encode()
        head = f"HTTP/1.1 {status} {self.responses[status][0]}\r\ncontent-type: application/json\r\n"
        self.wfile.write(f"{head}content-length: {len(content)}\r\n\r\n".encode() + content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def listen(port: int = 0) -> ThreadingHTTPServer:
    """A bound server on loopback; port 0 takes a free one. The caller serves and closes it."""
    return _Server((HOST, port), _Handler)


@contextmanager
def serving(port: int = 0) -> Iterator[str]:
    """The base address of a scripted model that answers while the block runs, from a thread of this process."""
    with listen(port) as server:
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="scripted", daemon=True
        )
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="scripted_server", description="A model that does not think, for demo and tests."
    )
    parser.add_argument("--port", type=int, default=8401, help="loopback port; 0 takes a free one (default: 8401)")
    port = parser.parse_args(arguments).port
    try:
        server = listen(port)
    except OSError as error:
        sys.stderr.write(
            f"The scripted model cannot listen on {HOST}:{port}: {error.strerror}. Choose another --port.\n"
        )
        return 1
    with server:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: threading.Thread(target=server.shutdown).start())
        sys.stdout.write(f"scripted model on http://{HOST}:{server.server_address[1]}/v1\n")
        sys.stdout.flush()
        server.serve_forever()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
