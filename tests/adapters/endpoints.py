"""Model endpoints that misbehave as real ones do, on loopback."""

import json
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import chain, repeat
from typing import Any

import msgspec


class Reply(msgspec.Struct, frozen=True):
    """One answer: `body` as JSON, or `raw` as it is; `drop` closes the connection instead, `delay` waits first.

    `events` are streamed, `pace` seconds apart, then the connection is closed; `endless` says the last one for ever.
    """

    status: int = 200
    body: object = None
    raw: bytes | None = None
    headers: Mapping[str, str] = {}
    delay: float = 0.0
    drop: bool = False
    events: Sequence[object] | None = None
    pace: float = 0.0
    endless: bool = False


class Endpoint:
    """What was asked of it, and in how many connections."""

    def __init__(self, replies: Sequence[Reply]) -> None:
        self.replies = list(replies)
        self.asked: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.paths: list[str] = []
        self.connections: set[int] = set()
        self.url = ""
        self.spoke = threading.Event()
        self.hung_up = threading.Event()


def said(content: str | None = "hello", **more: object) -> Reply:
    """A good answer."""
    message = {"role": "assistant", "content": content}
    usage = {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500}
    return Reply(body={"model": "gpt-4o", "choices": [{"index": 0, "message": message}], "usage": usage, **more})


def failed(status: int, message: str = "try later", **more: object) -> Reply:
    return Reply(status=status, body={"error": {"message": message, **more}})


def streamed(*deltas: dict[str, object], finish: str | None = "stop", usage: bool = True, **more: Any) -> Reply:
    """A good answer in pieces; without `finish` it stops in the middle."""
    events: list[object] = [
        {"model": "gpt-4o", "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    if finish is not None:
        events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
        if usage:
            events.append({"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 500}})
        events.append("[DONE]")
    return Reply(events=events, **more)


@contextmanager
def endpoint(*replies: Reply) -> Iterator[Endpoint]:
    """Gives the replies one after the other, the last one for ever."""
    there = Endpoint(replies)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            there.connections.add(self.client_address[1])
            there.paths.append(self.path)
            there.headers.append(dict(self.headers.items()))
            there.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            reply = there.replies.pop(0) if len(there.replies) > 1 else there.replies[0]
            time.sleep(reply.delay)
            if reply.drop:
                self.close_connection = True
                return
            if reply.events is not None:
                self._stream(reply, reply.events)
                return
            content = reply.raw if reply.raw is not None else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"content-type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _stream(self, reply: Reply, events: Sequence[object]) -> None:
            self.close_connection = True
            self.send_response(200)
            self.send_header("content-type", "text/event-stream; charset=utf-8")
            self.send_header("connection", "close")
            self.end_headers()
            try:
                for event in chain(events, repeat(events[-1]) if reply.endless else ()):
                    text = event if isinstance(event, str) else json.dumps(event)
                    self.wfile.write(f"data: {text}\n\n".encode())
                    self.wfile.flush()
                    there.spoke.set()
                    time.sleep(reply.pace)
            except OSError:
                there.hung_up.set()

        def log_message(self, *_: object) -> None:
            """Quiet."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        there.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
        try:
            yield there
        finally:
            server.shutdown()
            thread.join()
