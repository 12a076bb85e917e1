"""Tool servers that say too much, or nothing that can be read: little memory, a clear word, and the next call works."""

import resource
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from app.adapters.mcp import RemoteTools, list_tools
from app.canon.tool import OutcomeUnknown, ToolFailed
from app.canon.tool_server import HttpServer, ToolServer
from app.canon.vocabulary import new_id
from tests.adapters.test_mcp_client import Told, asking, locked, signed, trial

MOST_GROWN_KB = 400 << 10

sandboxed = pytest.mark.skipif(not locked(), reason="there is no sandbox on this machine")


def grown_kb(before: int) -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before


async def turned(behaviour: str, home: Path) -> ToolServer:
    """Signed while it behaved."""
    return msgspec.structs.replace(await signed(trial(), home, seconds=40), at=trial(behaviour))


@sandboxed
@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ("endless", "more than 16 MB"),
        ("swollen", "more than 16 MB"),
        ("crumbles", "more than 500000 lists"),
        ("floods", "more than 10000 messages|more than 16 MB"),
        ("asks", "more than 10000 messages"),
    ],
)
async def test_a_server_that_says_too_much_is_ended_and_the_next_call_has_another(
    behaviour: str, said: str, home: Path
) -> None:
    server, run, remote = await turned(behaviour, home), new_id(), RemoteTools(home)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        with pytest.raises(OutcomeUnknown, match=said):
            await asking(remote, server, "add", run, a=1, b=2)
        assert grown_kb(before) < MOST_GROWN_KB
        assert (await asking(remote, server, "look", run)).content
    finally:
        await remote.close()


@sandboxed
@pytest.mark.parametrize("behaviour", ["nests", "babbles"])
async def test_what_is_no_message_is_passed_over(behaviour: str, home: Path) -> None:
    server, remote = await turned(behaviour, home), RemoteTools(home)
    try:
        assert (await asking(remote, server, "add", a=1, b=2)).content == "3"
    finally:
        await remote.close()


@sandboxed
async def test_last_words_in_no_encoding_at_all_are_told(home: Path) -> None:
    server, remote = await turned("mutters", home), RemoteTools(home)
    try:
        with pytest.raises(OutcomeUnknown):
            await asking(remote, server, "add", a=1, b=2)
    finally:
        await remote.close()
    dies = "import os; os.write(2, b'\\xff' * 9000 + b' the till is \\xe9mpty'); os._exit(3)"
    place = msgspec.structs.replace(trial(), command=(trial().command[0], "-c", dies))
    with pytest.raises(ToolFailed, match=r"the till is .mpty"):
        await list_tools("trial", place, Told(), home)


class _Swollen(BaseHTTPRequestHandler):
    """Answers anything with JSON that has no end, or in a packing that has none."""

    coding = ""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        return

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(200)
        self.send_header("content-type", "application/json")
        if self.path == "/packed":
            self.send_header("content-encoding", "gzip")
        self.end_headers()
        try:
            for _ in range(1 << 10):
                self.wfile.write(b" " * (1 << 20))
        except OSError:
            return


@pytest.fixture
def swollen() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Swollen)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.mark.parametrize(("path", "said"), [("/mcp", "more than 16 MB"), ("/packed", "packs its answers")])
async def test_a_server_at_an_address_that_says_too_much_fails(path: str, said: str, swollen: str, home: Path) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ToolFailed, match=said):
        await list_tools("trial", HttpServer(swollen + path), Told(), home)
    assert grown_kb(before) < MOST_GROWN_KB
