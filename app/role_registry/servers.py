"""Tool servers: proposed, signed by the founder, pinned as they were listed, in quarantine when they change."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import msgspec

from app.auth import require
from app.canon.approval import ApprovalReader
from app.canon.canonical_json import NotCanonical, digest, exact
from app.canon.errors import Invalid
from app.canon.tool import ToolSpec
from app.canon.tool_server import (
    NEVER_SHOWN,
    HttpServer,
    Place,
    ServerTool,
    StdioServer,
    ToolChanged,
    ToolServer,
    spec_of,
)
from app.canon.vocabulary import Principal, Rol, Tier, new_id
from app.governance_ledger import Event, append
from app.postgres import Transaction
from app.role_registry import server_rows, store
from app.role_registry.errors import ServerUnknown
from app.role_registry.model import SignedServer
from app.role_registry.server_words import server_question
from app.work_queue import Approval, NewApproval, consume, pending_alike, raise_approval

OPEN_SECONDS = 7 * 86_400
TABLE = "role_registry.tool_servers"
_SERVER = re.compile(r"[a-z][a-z0-9_]{0,29}")
_TOOL = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


async def propose_server(tx: Transaction, server: ToolServer, *, by: Principal, undo_seconds: int) -> Approval:
    """Ask the founder to sign a tool server (kind `tool_server`, R2); its tools can be used once that is in effect.

    One of the same name is replaced. Event `server.proposed`. Raises `Forbidden` (founder only), `Invalid`.
    """
    require(by, Rol.FOUNDER)
    checked = _checked(server)
    return await _ask(tx, checked, actor=by.actor, reason="", undo_seconds=undo_seconds)


def _checked(server: ToolServer) -> ToolServer:
    if not _SERVER.fullmatch(server.name):
        raise Invalid("a server's name has small letters, digits and _, at most 30: calendar", code="server.name")
    if not server.tools or len({tool.name for tool in server.tools}) != len(server.tools):
        raise Invalid("name the tools to use, each once", code="server.tools")
    if not 1 <= server.seconds <= 100:
        raise Invalid("`seconds` lies between 1 and 100", code="server.seconds")
    check_place(server.at)
    try:
        return msgspec.structs.replace(server, tools=tuple(map(_checked_tool, server.tools)))
    except NotCanonical as error:
        raise Invalid(f"a tool's schema cannot be pinned: {error}", code="server.schema") from error


def check_place(place: Place) -> None:
    """Whether a server may be there at all. Raises `Invalid`."""
    match place:
        case StdioServer(command, environment, secrets, folders):
            if not command or not command[0].startswith("/"):
                said = "the command begins with the full path of a program on the worker's machine"
                raise Invalid(said, code="server.command")
            if set(environment) & set(secrets):
                raise Invalid("a variable is given a value or a secret, not both", code="server.variable")
            for folder in folders:
                path = PurePosixPath("/", folder.path.lstrip("/"))
                if not folder.path.startswith("/") or ".." in path.parts or str(path) in NEVER_SHOWN:
                    said = f"{folder.path!r} cannot be shown to a server: name a folder of its own"
                    raise Invalid(said, code="server.folder", folder=folder.path)
        case HttpServer(url):
            try:
                parts = urlsplit(url)
                _ = parts.port
            except ValueError:
                raise Invalid(f"{url!r} is no address", code="server.address") from None
            local = parts.hostname in ("localhost", "127.0.0.1", "::1")
            if (
                parts.username
                or not parts.hostname
                or not (parts.scheme == "https" or (parts.scheme == "http" and local))
            ):
                said = "the address is https://..., without user name (http:// on this machine only)"
                raise Invalid(said, code="server.address")


def _checked_tool(tool: ServerTool) -> ServerTool:
    if not _TOOL.fullmatch(tool.name):
        said = f"{tool.name!r} is no tool name that a boundary can hold: letters, digits, _ and -"
        raise Invalid(said, code="server.tool_name", name=tool.name)
    parameters = exact(tool.parameters)
    if not isinstance(parameters, dict):
        raise Invalid(f"the schema of {tool.name} is no object", code="server.schema")
    return msgspec.structs.replace(tool, parameters=parameters)


async def _ask(tx: Transaction, server: ToolServer, *, actor: str, reason: str, undo_seconds: int) -> Approval:
    act_digest = digest(["tool_server", str(tx.tenant), server_rows.terms_digest(server)])
    pending = await pending_alike(tx, act_digest)
    if pending:
        return pending[0]
    expires_at = await store.now(tx) + timedelta(seconds=OPEN_SECONDS)
    before = await server_rows.fetch(tx, server.name)
    approval = await raise_approval(
        tx,
        NewApproval(
            kind="tool_server",
            tier=Tier.R2,
            act_digest=act_digest,
            payload=_payload(server, before, reason, expires_at.isoformat()),
            expires_at=expires_at,
            undo_seconds=undo_seconds,
            actor=actor,
        ),
    )
    subjects = (f"work_queue.approvals/{approval.id}",)
    data = _data(server) | {"approval_id": str(approval.id), "reason": reason}
    await append(tx, Event(type="server.proposed", actor=actor, subjects=subjects, data=data))
    return approval


def _data(server: ToolServer) -> dict[str, object]:
    return {
        "name": server.name,
        "terms_digest": server_rows.terms_digest(server),
        "tools": {tool.name: tool.listing_hash for tool in server.tools},
    }


def _payload(server: ToolServer, before: SignedServer | None, reason: str, expires_at: str) -> dict[str, object]:
    known = None if before is None else msgspec.to_builtins(before.server)
    return {
        "kind": "tool_server",
        "role": None,
        "ticket": None,
        "tool": None,
        "arguments": None,
        "money": None,
        "left_after": None,
        "tier": "R2",
        "reason": reason,
        "facts": [],
        "policy": None,
        "expires_at": expires_at,
        "text": server_question(server),
        "terms": None,
        "cost_ceiling": None,
        "change": [{"field": "tool_servers", "before": known, "after": msgspec.to_builtins(server)}],
    }


class _Change(msgspec.Struct, frozen=True):
    after: ToolServer


async def sign_server(tx: Transaction, approval: Approval, reader: ApprovalReader) -> None:
    """Pin the server once its approval is in effect; its quarantine ends. Idempotent. Event `server.signed`."""
    at = await store.now(tx)
    if approval.consumed_at is not None or approval.status != "approved" or not approval.in_effect(at):
        return
    used = await consume(tx, approval.id, payload_digest=digest(approval.payload), reader=reader)
    server = msgspec.convert(used.payload["change"], list[_Change])[0].after
    before = await server_rows.fetch(tx, server.name, lock=True)
    signed = SignedServer(
        id=new_id() if before is None else before.id,
        server=server,
        quarantined=(),
        approval_id=used.id,
        signed_by=used.decided_by or "",
        signed_at=at,
    )
    await server_rows.put(tx, signed, used.signature or "")
    event = Event(
        type="server.signed",
        actor=signed.signed_by,
        subjects=(f"{TABLE}/{signed.id}", f"work_queue.approvals/{used.id}"),
        data=_data(server) | {"approval_id": str(used.id)},
        approval=used.signature,
        occurred_at=at,
    )
    await append(tx, event)


async def tool_servers(tx: Transaction) -> tuple[SignedServer, ...]:
    """All that are signed and not removed, by name."""
    return await server_rows.fetch_all(tx)


async def remove_server(tx: Transaction, name: str, by: Principal) -> SignedServer:
    """Take a server's tools away, at once. Event `server.removed`. Raises `Forbidden`, `ServerUnknown`."""
    require(by, Rol.FOUNDER, Rol.DEPUTY)
    found = await server_rows.fetch(tx, name, lock=True)
    if found is None:
        raise ServerUnknown(f"there is no tool server {name!r}", name=name)
    await server_rows.remove(tx, found.id, await store.now(tx))
    event = Event(type="server.removed", actor=by.actor, subjects=(f"{TABLE}/{found.id}",), data=_data(found.server))
    await append(tx, event)
    return found


async def with_server_tools(tx: Transaction, tools: Mapping[str, ToolSpec]) -> Mapping[str, ToolSpec]:
    """`tools` and those of the tenant's signed servers."""
    specs = [spec_of(found.server, tool) for found in await tool_servers(tx) for tool in found.server.tools]
    return {**tools, **{spec.name: spec for spec in specs}} if specs else tools


async def why_barred(tx: Transaction, tool: str) -> str | None:
    """Why a server's tool may not be used now, as the worker is told; None when it may, or is no server's."""
    name, dot, called = tool.partition(".")
    if not dot:
        return None
    found = await server_rows.fetch(tx, name)
    if found is None or found.server.tool(called) is None:
        return f"The founder has taken {tool} away."
    if called in found.quarantined:
        return (
            f"{tool} is in quarantine: its server changed what it says of it, and the founder has not signed it anew."
        )
    return None


async def quarantine_tool(tx: Transaction, changed: ToolChanged, *, actor: str, undo_seconds: int) -> None:
    """Bar a tool that is not what was signed any more, and ask the founder about what it is now.

    Does nothing when the founder has signed exactly that meanwhile. Event `server.quarantined`.
    """
    found = await server_rows.fetch(tx, changed.server, lock=True)
    pinned = None if found is None else found.server.tool(changed.tool)
    if found is None or pinned is None or changed.tool in found.quarantined:
        return
    after = _as_listed(pinned, changed)
    if after is not None and after.listing_hash == pinned.listing_hash:
        return
    await server_rows.quarantine(tx, found.id, (*found.quarantined, changed.tool))
    data: dict[str, object] = {
        "name": changed.server,
        "tool": changed.tool,
        "signed": pinned.listing_hash,
        "listed": None if after is None else after.listing_hash,
    }
    await append(tx, Event(type="server.quarantined", actor=actor, subjects=(f"{TABLE}/{found.id}",), data=data))
    tools = tuple(after if tool.name == changed.tool else tool for tool in found.server.tools)
    kept = tuple(tool for tool in tools if tool is not None)
    if kept:
        server = msgspec.structs.replace(found.server, tools=kept)
        await _ask(tx, server, actor=actor, reason=str(changed), undo_seconds=undo_seconds)


def _as_listed(pinned: ServerTool, changed: ToolChanged) -> ServerTool | None:
    if changed.now is None:
        return None
    now = changed.now
    return _checked_tool(msgspec.structs.replace(pinned, description=now.description, parameters=now.parameters))
