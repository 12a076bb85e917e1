"""A model on loopback that asks for three notes and then is done: the same for both sides of a comparison.

Who was told what was done before asks for the notes that are missing.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

NOTES = 3
_BEFORE = re.compile(r"(\d+) tool calls were made before")


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers.get("content-length") or 0)))
        content = json.dumps(_answer(asked)).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(content)}\r\n\r\n"
        self.wfile.write(head.encode() + content)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def _answer(asked: dict[str, Any]) -> dict[str, Any]:
    before = _BEFORE.search(json.dumps(asked["messages"]))
    said = sum(message["role"] == "tool" for message in asked["messages"]) + (int(before[1]) if before else 0)
    name, arguments = "write_note", {"text": f"note {said + 1}"}
    if said >= NOTES:
        name, arguments = "final_answer", {"answer": "Three notes are written."}
    call = {"id": "c", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return {"model": "scripted", "choices": [{"index": 0, "message": message}], "usage": usage}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


@contextmanager
def note_model() -> Iterator[str]:
    """The base address."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()
