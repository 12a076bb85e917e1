"""`flr server`: tool servers (MCP). `add` asks the server for its tools, and asks the founder to sign them."""

import argparse
import asyncio
import shlex
import shutil
from typing import TYPE_CHECKING, Any

from app.cli.output import Commands, Failed, command, show
from app.settings import Settings

if TYPE_CHECKING:
    from app.canon.tool_server import Place


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "server",
        server,
        help="list, add and remove tool servers (MCP)",
        about="`flr server add time --command '/opt/mcp/bin/python -m mcp_server_time' --tool get_current_time:read` "
        "starts the program locked away, reads which tools it has, and asks you to sign it. Each --tool is NAME, "
        "NAME:read (it changes nothing) or NAME:RISK (reversible, outbound, money, irreversible; outbound by default); "
        "without --tool all tools are taken.",
    )
    parser.add_argument("action", nargs="?", choices=("list", "add", "remove"), default="list")
    parser.add_argument("name", nargs="?", help="how the boundary of a role calls it: NAME.tool")
    parser.add_argument("--command", dest="program", help="a program on the worker's machine with its arguments")
    parser.add_argument("--url", help="or the address of a server (streamable HTTP)")
    parser.add_argument("--tool", action="append", default=[], help="a tool to take (repeatable)")
    parser.add_argument("--secret", action="append", default=[], help="VARIABLE=secret, or Header=secret with --url")
    parser.add_argument("--prefix", default="", help="with --url: what stands before a secret, 'Bearer '")
    parser.add_argument("--env", action="append", default=[], help="VARIABLE=value for the program (repeatable)")
    parser.add_argument("--folder", action="append", default=[], help="a folder that the program may read")
    parser.add_argument("--writable-folder", action="append", default=[], help="a folder that it may write too")
    parser.add_argument("--network", action="store_true", help="let the program use this machine's network, all of it")
    parser.add_argument("--seconds", type=int, default=60, help="the most that a call may take (default 60)")


def server(arguments: argparse.Namespace, settings: Settings) -> None:
    from app.cli.client import Api

    with Api(settings) as api:
        if arguments.action == "list":
            found = api.get("/tool-servers")["items"]
            show(arguments, found, "\n".join(map(_line, found)) or "There is no tool server.")
            return
        if not arguments.name:
            raise Failed(f"which server? `flr server {arguments.action} NAME`")
        if arguments.action == "remove":
            removed = api.delete(f"/tool-servers/{arguments.name}")
            show(arguments, removed, f"the tools of {removed['server']['name']} are taken away")
            return
        proposed = api.post("/tool-servers", asyncio.run(_proposal(arguments, settings)))
    show(arguments, proposed, f"{proposed['payload']['text']['en']}\nSign it: flr approve {proposed['id']} --yes")


def _line(found: Any) -> str:
    barred = set(found["quarantined"])
    tools = ", ".join(
        f"{one['name']}{' (barred)' if one['name'] in barred else ''}" for one in found["server"]["tools"]
    )
    return f"{found['server']['name']:16} {found['server']['at']['transport']:6} {tools}"


async def _proposal(arguments: argparse.Namespace, settings: Settings) -> Any:
    import msgspec

    from app.adapters.mcp import list_tools
    from app.canon.tool import ToolFailed
    from app.canon.tool_server import ToolServer

    place = _place(arguments)
    try:
        listed = await list_tools(arguments.name, place, Asked(), settings.home, arguments.seconds)
    except ToolFailed as error:
        raise Failed(str(error)) from error
    wanted = dict(_declared(given) for given in arguments.tool) or {one.name: {} for one in listed}
    known = {one.name: one for one in listed}
    missing = sorted(set(wanted) - set(known))
    if missing:
        raise Failed(f"the server has no {', '.join(missing)}; it has: {', '.join(sorted(known))}")
    tools = tuple(
        msgspec.convert({**msgspec.to_builtins(known[name]), **said}, type=_tool_type())
        for name, said in wanted.items()
    )
    return msgspec.to_builtins(ToolServer(name=arguments.name, at=place, tools=tools, seconds=arguments.seconds))


def _tool_type() -> Any:
    from app.canon.tool_server import ServerTool

    return ServerTool


def _declared(given: str) -> tuple[str, dict[str, Any]]:
    name, colon, risk = given.partition(":")
    if risk and risk not in ("read", "reversible", "outbound", "money", "irreversible"):
        raise Failed(f"{given}: after the colon stands read, reversible, outbound, money or irreversible")
    if not colon:
        return name, {}
    return name, {"risk": risk, "effect": "read" if risk == "read" else "external"}


def _place(arguments: argparse.Namespace) -> "Place":
    from app.canon.tool_server import Folder, HeaderSecret, HttpServer, StdioServer

    pairs = dict(_pair(given) for given in arguments.secret)
    if (arguments.program is None) == (arguments.url is None):
        raise Failed("say where the server is: --command PROGRAM or --url ADDRESS")
    if arguments.url:
        return HttpServer(
            arguments.url, {name: HeaderSecret(secret, arguments.prefix) for name, secret in pairs.items()}
        )
    words = shlex.split(arguments.program)
    program = shutil.which(words[0]) if words else None
    if program is None:
        raise Failed(f"there is no program {arguments.program!r} on this machine")
    folders = [Folder(path) for path in arguments.folder] + [Folder(path, True) for path in arguments.writable_folder]
    environment = dict(_pair(given) for given in arguments.env)
    return StdioServer((program, *words[1:]), environment, pairs, tuple(folders), arguments.network)


def _pair(given: str) -> tuple[str, str]:
    name, equals, value = given.partition("=")
    if not equals or not name:
        raise Failed(f"{given!r}: write NAME=VALUE")
    return name, value


class Asked:
    """`canon.tool.Vault` for this terminal: the vault opens for calls alone, so a value is asked for."""

    async def value(self, name: str) -> str:
        import getpass

        return await asyncio.to_thread(getpass.getpass, f"the secret {name}, to ask the server once: ")

    async def headers(self, host: str, port: int | None) -> dict[str, str]:
        del host, port
        return {}
