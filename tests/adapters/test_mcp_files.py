"""The file server that npm ships, locked away as any program of strangers: it reads what it is shown, and no more."""

import shutil
from pathlib import Path

import pytest

from app.adapters.mcp import RemoteTools
from app.canon.tool import ToolFailed
from app.canon.tool_server import Folder, StdioServer
from app.canon.vocabulary import new_id
from tests.adapters.test_mcp_client import asking, locked, signed

MODULES = Path(".venv/npm/node_modules").resolve()
SERVER = MODULES / "@modelcontextprotocol" / "server-filesystem" / "dist" / "index.js"
NODE = shutil.which("node")

pytestmark = pytest.mark.skipif(
    NODE is None or not SERVER.exists() or not locked(),
    reason="not tested here: the file server from npm needs Node.js (`make servers` sets it up) and a sandbox",
)


def place(books: Path, *, writable: bool = False) -> StdioServer:
    assert NODE is not None
    return StdioServer(
        (str(Path(NODE).resolve()), str(SERVER), str(books)),
        folders=(Folder(str(books), writable), Folder(str(MODULES))),
    )


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """A folder of the machine with a file, beside one that nobody shows."""
    shown, hidden = tmp_path / "books", tmp_path / "private"
    for folder in (shown, hidden):
        folder.mkdir()
    shown.chmod(0o777)  # the program runs as a user of its own
    (shown / "stock.csv").write_text("rice,12\n")
    (hidden / "salaries.csv").write_text("Budi,1\n")
    return shown


async def test_it_reads_what_it_is_shown_and_nothing_beside(home: Path, books: Path) -> None:
    server, run, remote = await signed(place(books), home), new_id(), RemoteTools(home)
    try:
        assert {"read_text_file", "list_directory", "write_file"} <= {tool.name for tool in server.tools}
        told = await asking(remote, server, "list_directory", run, path=str(books))
        assert "stock.csv" in told.content
        assert "rice,12" in (await asking(remote, server, "read_text_file", run, path=str(books / "stock.csv"))).content
        for beside in (books.parent / "private" / "salaries.csv", Path("/etc/passwd")):
            with pytest.raises(ToolFailed, match="says"):
                await asking(remote, server, "read_text_file", run, path=str(beside))
    finally:
        await remote.close()


async def test_it_writes_only_where_the_founder_lets_it(home: Path, books: Path) -> None:
    remote = RemoteTools(home)
    try:
        for writable in (False, True):
            server = await signed(place(books, writable=writable), home)
            order = {"path": str(books / "order.txt"), "content": "rice 20"}
            if writable:
                await asking(remote, server, "write_file", None, **order)
            else:
                with pytest.raises(ToolFailed, match="says"):
                    await asking(remote, server, "write_file", None, **order)
            assert (books / "order.txt").exists() == writable
    finally:
        await remote.close()
