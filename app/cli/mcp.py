"""`flr mcp`: the runtime as an MCP server, for an agent of any make."""

import argparse
import os

from app.cli.output import Commands, command
from app.settings import Settings


def add(commands: Commands) -> None:
    parser = command(
        commands,
        "mcp",
        mcp,
        help="be an MCP server: agents take tickets and propose calls through it",
        about="Speaks MCP on standard input and output under the token in FLR_TOKEN, or a service's of this machine; "
        "with --port over streamable HTTP at http://127.0.0.1:PORT/mcp, where each client sends its own "
        "`Authorization: Bearer ...`. docs/tools.md shows how to connect.",
    )
    parser.add_argument("--url", help="the runtime's address (default: this machine's)")
    parser.add_argument("--port", type=int, help="listen here instead of on standard input")


def mcp(arguments: argparse.Namespace, settings: Settings) -> None:
    from app.adapters.mcp import serve

    url = arguments.url or f"http://127.0.0.1:{settings.port}"
    serve(url, None if arguments.port else _token(settings), port=arguments.port)


def _token(settings: Settings) -> str:
    given = os.environ.get("FLR_TOKEN", "").strip()
    if given:
        return given
    from app.canon.vocabulary import Rol
    from app.cli.client import company_of

    return company_of(settings).token(settings, Rol.SERVICE, 30 * 86_400)
