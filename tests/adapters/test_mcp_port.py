"""`flr mcp --port` as a web page of another origin meets it: it answers local clients with their own tokens alone."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tests.adapters.tool_calls import free_port

SERVE = "import sys; from app.adapters.mcp import serve; serve(sys.argv[1], None, port=int(sys.argv[2]))"
ACCEPTED = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
BEGIN = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "page", "version": "1"},
    },
}
LIST_WORK = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "list_work", "arguments": {}}}


class Runtime:
    """What stands behind the door: it notes under which token it was asked."""

    def __init__(self) -> None:
        self.tokens: list[str | None] = []
        self.port = 0


@pytest.fixture(scope="module")
def runtime() -> Iterator[Runtime]:
    behind = Runtime()

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            return

        def do_GET(self) -> None:
            behind.tokens.append(self.headers.get("authorization"))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"[]")

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    behind.port = int(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield behind
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(scope="module")
def port(runtime: Runtime) -> Iterator[int]:
    port = free_port()
    argv = [sys.executable, "-c", SERVE, f"http://127.0.0.1:{runtime.port}", str(port)]
    server = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            if _listens(port):
                break
            time.sleep(0.1)
        yield port
    finally:
        server.kill()
        server.wait()


def _listens(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=2).status_code > 0
    except httpx.HTTPError:
        return False


def post(port: int, body: object, **headers: str) -> httpx.Response:
    given = ACCEPTED | {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.post(f"http://127.0.0.1:{port}/mcp", json=body, headers=given, timeout=20)


def session(port: int, **headers: str) -> dict[str, str]:
    begun = post(port, BEGIN, **headers)
    assert begun.status_code == 200
    given = {"mcp_session_id": begun.headers["mcp-session-id"], "mcp_protocol_version": "2025-06-18"}
    post(port, {"jsonrpc": "2.0", "method": "notifications/initialized"}, **given, **headers)
    return given


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "evil.example"},
        {"host": "evil.example:8500"},
        {"host": "127.0.0.1.evil.example:8500"},
        {"host": "localhost.evil.example"},
        {"origin": "https://evil.example"},
        {"origin": "http://localhost.evil.example:8500"},
        {"origin": "null"},
        {"content_type": "text/plain"},
        {"content_type": "application/x-www-form-urlencoded"},
    ],
)
def test_a_page_of_another_origin_is_turned_away(headers: dict[str, str], port: int, runtime: Runtime) -> None:
    before = len(runtime.tokens)
    for body in (BEGIN, LIST_WORK):
        assert post(port, body, authorization="Bearer x", **headers).status_code in (400, 403, 415, 421)
    assert len(runtime.tokens) == before


def test_no_origin_is_let_in_by_a_preflight(port: int) -> None:
    asked = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    answer = httpx.options(f"http://127.0.0.1:{port}/mcp", headers=asked)
    assert "access-control-allow-origin" not in answer.headers


def test_without_a_token_nothing_is_asked_for(port: int, runtime: Runtime) -> None:
    before = len(runtime.tokens)
    answer = post(port, LIST_WORK, **session(port))
    assert '"isError":true' in answer.text.replace(" ", "")
    assert len(runtime.tokens) == before


def test_in_a_session_of_another_each_request_has_its_own_token(port: int, runtime: Runtime) -> None:
    given = session(port, authorization="Bearer first")
    post(port, LIST_WORK, authorization="Bearer first", **given)
    post(port, LIST_WORK, authorization="Bearer second", **given)
    before = len(runtime.tokens)
    post(port, LIST_WORK, **given)
    assert runtime.tokens[-2:] == ["Bearer first", "Bearer second"]
    assert len(runtime.tokens) == before


def test_a_body_of_gigabytes_is_not_read(port: int) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(1 << 10):
            yield b" " * (1 << 20)

    try:
        answer = httpx.post(f"http://127.0.0.1:{port}/mcp", content=endless(), headers=ACCEPTED, timeout=20)
    except httpx.HTTPError:
        return
    assert answer.status_code == 413
