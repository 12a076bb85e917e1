"""What of this machine a locked-away program is never shown, however the founder's folder is spelled or linked."""

import socket
import sys
from pathlib import Path

import pytest

from app.adapters.mcp import list_tools
from app.adapters.mcp.connecting import mounts_of
from app.canon.errors import Invalid
from app.canon.tool import NoSecrets, ToolFailed
from app.canon.tool_server import Folder, HttpServer, StdioServer
from app.role_registry import check_place


def shown(*folders: Path | str) -> StdioServer:
    return StdioServer((sys.executable,), folders=tuple(Folder(str(one)) for one in folders))


@pytest.fixture
def installation(tmp_path: Path) -> Path:
    """An FLR_HOME whose database lies elsewhere, as it does for root under a private path."""
    home, database = tmp_path / "home", tmp_path / "elsewhere" / "database"
    (database / "postgres").mkdir(parents=True)
    home.mkdir()
    (home / "postgres.at").write_text(f"{database}\n", encoding="utf-8")
    (tmp_path / "own").mkdir()
    return home


@pytest.mark.parametrize(
    "folder", ["home", "home/keys", ".", "elsewhere", "elsewhere/database", "elsewhere/database/postgres"]
)
def test_no_program_is_shown_the_home_or_its_database(installation: Path, folder: str) -> None:
    (installation / "keys").mkdir()
    with pytest.raises(ToolFailed):
        mounts_of(shown(installation.parent / folder), installation)


def test_no_program_is_shown_a_databases_socket_or_a_link_to_what_is_never_shown(installation: Path) -> None:
    sockets, link = installation.parent / "sockets", installation.parent / "link"
    sockets.mkdir()
    with socket.socket(socket.AF_UNIX) as database:
        database.bind(str(sockets / ".s.PGSQL.5432"))
        for folder in (sockets, sockets / ".s.PGSQL.5432"):
            with pytest.raises(ToolFailed):
                mounts_of(shown(folder), installation)
    link.symlink_to("/etc")
    with pytest.raises(ToolFailed):
        mounts_of(shown(link), installation)
    assert mounts_of(shown(installation.parent / "own"), installation)


@pytest.mark.parametrize("folder", ["/etc", "//etc", "//", "/", "/etc/", "/srv/../etc", "etc"])
def test_no_spelling_of_a_folder_that_is_never_shown_can_be_signed(folder: str) -> None:
    with pytest.raises(Invalid):
        check_place(shown(folder))


@pytest.mark.parametrize("url", ["http://[", "https://a:99999999/", "https://a:b/", "https://", "ftp://a/"])
def test_what_is_no_address_is_said_to_be_none(url: str) -> None:
    with pytest.raises(Invalid):
        check_place(HttpServer(url))


async def test_a_refused_folder_is_said_before_anything_is_started(installation: Path) -> None:
    with pytest.raises(ToolFailed):
        await list_tools("trial", shown(installation), NoSecrets(), installation, 5)
