"""Tool servers over HTTP."""

from http import HTTPStatus
from typing import Annotated

from litestar import Request, delete, get, post
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.openapi.spec import Example
from litestar.params import Body, FromPath

from app.auth import require
from app.canon.tool_server import ToolServer
from app.canon.vocabulary import Principal
from app.governance_ledger import Page
from app.postgres import Transaction
from app.problems import documented
from app.role_registry import servers
from app.role_registry.company_http import READERS
from app.role_registry.model import SignedServer
from app.settings import Settings
from app.work_queue import Approval

TAGS = ["tool servers"]
EXAMPLE = {
    "name": "time",
    "at": {"transport": "stdio", "command": ["/opt/mcp/bin/python", "-m", "mcp_server_time"]},
    "tools": [{"name": "get_current_time", "description": "Get current time", "risk": "read", "effect": "read"}],
}

Caller = Request[Principal, Principal, State]


@get(
    "/tool-servers",
    tags=TAGS,
    summary="List tool servers",
    description="Each as the founder signed it, with the tools in quarantine.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def list_servers(request: Caller, tx: NamedDependency[Transaction]) -> Page[SignedServer]:
    require(request.auth, *READERS)
    return Page(await servers.tool_servers(tx))


@post(
    "/tool-servers",
    tags=TAGS,
    summary="Propose a tool server",
    description="Founder only. Raises an approval (kind `tool_server`, R2) that shows where the server runs, what it "
    "reaches, and each tool; signed, its tools can be named in a role's boundary as `server.tool`. `flr server add` "
    "asks the server for its tools. Proposing the name again replaces it and ends its quarantine.",
    responses=documented(HTTPStatus.FORBIDDEN),
)
async def propose_server(
    request: Caller,
    tx: NamedDependency[Transaction],
    data: Annotated[ToolServer, Body(examples=[Example(value=EXAMPLE)])],
) -> Approval:
    settings: Settings = request.app.state.settings
    return await servers.propose_server(tx, data, by=request.auth, undo_seconds=settings.undo_seconds)


@delete(
    "/tool-servers/{name:str}",
    status_code=HTTPStatus.OK,
    tags=TAGS,
    summary="Take a server's tools away, at once",
    responses=documented(HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND),
)
async def remove_server(request: Caller, tx: NamedDependency[Transaction], name: FromPath[str]) -> SignedServer:
    return await servers.remove_server(tx, name, request.auth)


READS = (list_servers,)
WRITES = (propose_server, remove_server)
