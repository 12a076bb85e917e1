"""An S3 server that keeps no promise: no conditions, no signatures, no ranges, no checksums. And one that is worse."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, TypeAlias

Mood: TypeAlias = Literal["lax", "locked", "no bucket", "cut short", "silent"]
KEPT = ("content-type", "x-amz-meta-sha256")


class LaxS3:
    """`objects` by path; `seen` are the requests as method, path and headers."""

    def __init__(self, mood: Mood) -> None:
        self.mood = mood
        self.endpoint = ""
        self.objects: dict[str, tuple[bytes, dict[str, str]]] = {}
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.closing = threading.Event()

    def answer(
        self, command: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, bytes, dict[str, str]] | None:
        """Status, body and headers; None for no answer at all."""
        match self.mood, command:
            case "silent", _:
                return None
            case "no bucket", _:
                return 404, _error("NoSuchBucket"), {}
            case "locked", "PUT" | "DELETE" if path in self.objects:
                return 409, _error("ObjectLocked"), {}
            case _, "PUT":
                self.objects[path] = body, {name: headers[name] for name in KEPT if name in headers}
                return 200, b"", {}
            case _, "DELETE":
                self.objects.pop(path, None)
                return 204, b"", {}
            case _:
                return (200, *self.objects[path]) if path in self.objects else (404, _error("NoSuchKey"), {})


def _handler(server: LaxS3) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            return

        def handle_expect_100(self) -> bool:
            """Never says "100 Continue", as R2 doesn't."""
            return True

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            path = self.path.partition("?")[0]
            server.seen.append((self.command, path, headers))
            answer = server.answer(self.command, path, headers, body)
            if answer is None:
                server.closing.wait()
                self.close_connection = True
            else:
                self._answer(*answer)

        do_GET = do_PUT = do_HEAD = do_DELETE = _serve  # noqa: N815 - http.server's names

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if server.mood == "cut short" and self.command == "GET":
                body, self.close_connection = body[:-1], True
            self.wfile.write(body)

    return Handler


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()


@contextmanager
def lax_s3(mood: Mood = "lax") -> Iterator[LaxS3]:
    """The server on loopback; any bucket, any key."""
    server = LaxS3(mood)
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _handler(server))
    httpd.daemon_threads = True
    server.endpoint = f"http://127.0.0.1:{httpd.server_port}"
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()
