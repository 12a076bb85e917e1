"""Tools of MCP servers through the official SDK: real programs, locked away, and what happens when they misbehave."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from app.adapters.mcp import RemoteTools, list_tools
from app.adapters.sandbox import NoSandbox, bubblewrap
from app.canon.tool import NoSecrets, OutcomeUnknown, ToolFailed, ToolResult
from app.canon.tool_server import (
    Folder,
    HeaderSecret,
    HttpServer,
    Place,
    ServerTool,
    StdioServer,
    ToolChanged,
    ToolServer,
)
from app.canon.vocabulary import Risk, new_id
from tests.adapters.tool_calls import call, free_port

TRIAL = Path(__file__).with_name("mcp_servers.py")
PYTHON = str(Path(sys.prefix) / "bin" / "python")


class Told(NoSecrets):
    """A vault with one secret."""

    async def value(self, name: str) -> str:
        return "s3cret-value" if name == "trial_key" else await super().value(name)


def locked() -> bool:
    try:
        bubblewrap()
    except NoSandbox:
        return False
    return True


def trial(behaviour: str = "plain", *arguments: str, **more: object) -> StdioServer:
    place = StdioServer((PYTHON, str(TRIAL), behaviour, *arguments), folders=(Folder(str(TRIAL)),))
    return msgspec.structs.replace(place, **more)


async def signed(place: Place, home: Path, name: str = "trial", seconds: int = 60, **said: object) -> ToolServer:
    """The server as a founder would sign it now."""
    listed = await list_tools(name, place, Told(), home)
    tools = (ServerTool(name=one.name, description=one.description, parameters=one.parameters) for one in listed)
    kept = tuple(msgspec.structs.replace(tool, **said) for tool in tools)
    return ToolServer(name=name, at=place, tools=kept, seconds=seconds)


async def use(server: ToolServer, tool: str, home: Path, **arguments: object) -> ToolResult:
    remote = RemoteTools(home)
    try:
        return await asking(remote, server, tool, None, **arguments)
    finally:
        await remote.close()


async def asking(
    remote: RemoteTools, server: ToolServer, tool: str, run: UUID | None = None, /, **arguments: object
) -> ToolResult:
    found = server.tool(tool)
    assert found is not None
    asked = msgspec.structs.replace(call(None, arguments), vault=Told(), run_id=run or new_id())
    return await remote(server, found).perform(asked)


if not locked():

    async def test_without_a_sandbox_no_program_of_strangers_is_started(home: Path) -> None:
        with pytest.raises(ToolFailed, match="bubblewrap"):
            await list_tools("trial", trial(), Told(), home)

else:

    async def test_a_tool_is_listed_signed_and_called(home: Path) -> None:
        server = await signed(trial(), home)
        assert [tool.name for tool in server.tools] == ["add", "look"]
        result = await use(server, "add", home, a=2, b=40)
        assert result.content == "42"
        assert [item.content for item in result.evidence] == [b"42"]

    async def test_the_servers_hints_lower_nothing(home: Path) -> None:
        server = await signed(trial(), home)
        tool = server.tool("add")
        assert tool is not None
        spec = RemoteTools(home)(server, tool).spec
        assert (spec.risk, spec.effect, spec.idempotent) == (Risk.OUTBOUND, "external", False)

    async def test_a_changed_description_is_found_before_anything_is_called(home: Path) -> None:
        server = await signed(trial(), home)
        changed = msgspec.structs.replace(server, at=trial("changed"))
        with pytest.raises(ToolChanged) as found:
            await use(changed, "add", home, a=1, b=2)
        assert found.value.now is not None
        assert "eve@evil.example" in found.value.now.description

    async def test_a_tool_that_is_gone_is_found(home: Path) -> None:
        server = await signed(trial(), home)
        renamed = msgspec.structs.replace(server.tools[0], name="subtract")
        gone = msgspec.structs.replace(server, tools=(renamed,))
        with pytest.raises(ToolChanged) as found:
            await use(gone, "subtract", home)
        assert found.value.now is None

    async def test_a_server_that_hangs_after_it_was_asked_leaves_the_outcome_unknown(home: Path) -> None:
        server = await signed(trial(), home, seconds=3)
        with pytest.raises(OutcomeUnknown):
            await use(msgspec.structs.replace(server, at=trial("hangs")), "add", home, a=1, b=2)

    async def test_a_server_that_dies_after_it_was_asked_leaves_the_outcome_unknown(home: Path) -> None:
        server = await signed(trial(), home)
        with pytest.raises(OutcomeUnknown):
            await use(msgspec.structs.replace(server, at=trial("dies")), "add", home, a=1, b=2)

    async def test_a_tool_that_fails_says_why(home: Path) -> None:
        server = await signed(trial(), home)
        with pytest.raises(ToolFailed, match="says"):
            await use(msgspec.structs.replace(server, at=trial("fails")), "add", home, a=1, b=2)

    async def test_a_program_that_is_no_server_fails_for_certain(home: Path) -> None:
        place = StdioServer((PYTHON, "-c", "raise SystemExit('not today')"))
        with pytest.raises(ToolFailed, match="not today"):
            await list_tools("trial", place, Told(), home)
        with pytest.raises(ToolFailed, match="no program"):
            await list_tools("trial", StdioServer(("/nowhere/server",)), Told(), home)

    async def test_a_server_sees_no_home_no_network_and_no_variable_of_ours(
        home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (home / "keys").mkdir(parents=True)
        monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@nowhere/flr")
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            port = str(listener.getsockname()[1])
            place = trial(
                "plain", str(home), str(home / "keys"), environment={"PORT": port}, secrets={"TOKEN": "trial_key"}
            )
            result = await use(await signed(place, home), "look", home)
            open_place = msgspec.structs.replace(place, network=True)
            opened = await use(await signed(open_place, home), "look", home)
        assert isinstance(result.data, dict)
        assert result.data["seen"] == []
        assert "DATABASE_URL" not in result.data["variables"]
        assert result.data["told"] == "s3cret-value"
        assert isinstance(opened.data, dict)
        assert opened.data["seen"] == ["network"]

    async def test_a_secret_stands_in_no_command_line(home: Path) -> None:
        place = trial("hangs", secrets={"TOKEN": "trial_key"})
        server = await signed(place, home, seconds=5)
        asking = asyncio.create_task(use(server, "add", home, a=1, b=1))
        seen: set[str] = set()
        while not asking.done():
            lines = await asyncio.to_thread(_command_lines)
            seen |= {line for line in lines if str(TRIAL) in line}
            await asyncio.sleep(0.2)
        with pytest.raises(OutcomeUnknown):
            await asking
        assert seen
        assert [line for line in seen if "s3cret-value" in line] == []

    @pytest.mark.parametrize("inside", ["", "keys"])
    async def test_a_folder_that_holds_or_lies_in_flr_home_is_never_shown(home: Path, inside: str) -> None:
        (home / "keys").mkdir(parents=True)
        for shown in (home / inside, home.parent):
            place = msgspec.structs.replace(trial(), folders=(Folder(str(TRIAL)), Folder(str(shown))))
            with pytest.raises(ToolFailed, match="FLR_HOME"):
                await list_tools("trial", place, Told(), home)

    async def test_the_time_server_of_the_registry_tells_the_time(home: Path) -> None:
        server = await signed(StdioServer((PYTHON, "-m", "mcp_server_time", "--local-timezone", "UTC")), home)
        assert {tool.name for tool in server.tools} == {"get_current_time", "convert_time"}
        told = await use(
            server, "convert_time", home, source_timezone="Asia/Jakarta", time="16:30", target_timezone="UTC"
        )
        assert "09:30" in told.content
        with pytest.raises(ToolFailed, match="says"):
            await use(server, "get_current_time", home, timezone="Atlantis/Capital")

    async def test_the_git_server_of_the_registry_reads_a_repository(home: Path, tmp_path: Path) -> None:
        repository = tmp_path / "books"
        repository.mkdir()
        for words in (
            ("init", "-q"),
            (
                "-c",
                "user.name=Ani",
                "-c",
                "user.email=ani@warung.example",
                "commit",
                "-q",
                "--allow-empty",
                "-m",
                "Open",
            ),
        ):
            await asyncio.to_thread(subprocess.run, ["git", *words], cwd=repository, check=True)
        trusted = {
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "GIT_PYTHON_REFRESH": "quiet",
        }
        place = StdioServer(
            (PYTHON, "-m", "mcp_server_git"),
            environment=trusted,
            folders=(Folder(str(repository)), Folder("/usr/bin"), Folder("/usr/lib")),
        )
        server = await signed(place, home)
        told = await use(server, "git_log", home, repo_path=str(repository))
        assert "Open" in told.content
        with pytest.raises(ToolFailed):
            await use(server, "git_create_branch", home, repo_path=str(repository), branch_name="x")

    async def test_the_fetch_server_of_the_registry_reaches_nothing_without_network(home: Path) -> None:
        server = await signed(StdioServer((PYTHON, "-m", "mcp_server_fetch", "--ignore-robots-txt")), home)
        with pytest.raises(ToolFailed, match="says"):
            await use(server, "fetch", home, url="http://127.0.0.1:9/page")


@pytest.fixture
def address() -> Iterator[str]:
    """The trial server over streamable HTTP, in a process of its own."""
    port = free_port()
    server = subprocess.Popen([sys.executable, str(TRIAL), "http", str(port)], stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        server.kill()
        server.wait()


async def test_a_server_at_an_address_is_listed_and_called(address: str, home: Path) -> None:
    place = HttpServer(address, {"Authorization": HeaderSecret("trial_key", "Bearer ")})
    server = await _once_it_listens(place, home)
    assert (await use(server, "add", home, a=1, b=2)).content == "3"


async def test_an_address_where_nobody_answers_fails_for_certain(home: Path) -> None:
    with pytest.raises(ToolFailed, match="cannot be used"):
        await list_tools("trial", HttpServer(f"http://127.0.0.1:{free_port()}/mcp"), Told(), home)


async def _once_it_listens(place: Place, home: Path) -> ToolServer:
    for _ in range(200):
        try:
            return await signed(place, home)
        except ToolFailed:
            await asyncio.sleep(0.3)
    return await signed(place, home)


def _command_lines() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
        except OSError:
            continue
    return found
