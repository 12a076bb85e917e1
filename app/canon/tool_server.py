"""Tool servers (Model Context Protocol): where one runs, which of its tools the founder has signed, and as what."""

import re
from typing import Literal, TypeAlias

import msgspec

from app.canon.canonical_json import digest, exact
from app.canon.tool import Arguments, ToolFailed, ToolSpec, Wording
from app.canon.vocabulary import Risk

NEVER_SHOWN = ("/", "/etc", "/root", "/home", "/var", "/run", "/proc", "/sys", "/dev", "/tmp", "/boot")  # noqa: S108
"""Folders that no server is shown as a whole, however they are spelled or linked to."""

_PLACES = re.compile(r"(^|_)(url|uri|host|hostname|domain|endpoint|recipient|email|to)$", re.IGNORECASE)


class Folder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file or folder of the worker's machine that the server sees at the same path; read-only unless `writable`."""

    path: str
    writable: bool = False


class HeaderSecret(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The vault's secret `name`, sent after `prefix`."""

    name: str
    prefix: str = ""


class StdioServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="stdio", tag_field="transport"):
    """A program that the worker starts for a run's first call and keeps until the run rests, locked away. `secrets`
    maps a variable of its environment to the name of a secret. With `network` it reaches whatever the worker's machine
    reaches; there is nothing in between."""

    command: tuple[str, ...]
    environment: dict[str, str] = {}
    secrets: dict[str, str] = {}
    folders: tuple[Folder, ...] = ()
    network: bool = False


class HttpServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="http", tag_field="transport"):
    """A server at an address (streamable HTTP)."""

    url: str
    secrets: dict[str, HeaderSecret] = {}


Place: TypeAlias = StdioServer | HttpServer


class ServerTool(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A tool as the server listed it when the founder signed, and as what the founder takes it. What the server says of
    its own harmlessness counts for nothing."""

    name: str
    description: str = ""
    parameters: dict[str, object] = msgspec.field(default_factory=lambda: {"type": "object"})
    risk: Risk = Risk.OUTBOUND
    effect: Literal["read", "external"] = "external"
    idempotent: bool = False
    destinations: tuple[str, ...] | None = None
    text: tuple[str, ...] | None = None
    secret: bool = False

    @property
    def listing_hash(self) -> str:
        """SHA-256 hex over what the server says of the tool: any change of it is a change."""
        return listing_hash(self.name, self.description, self.parameters)


class ToolServer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the founder signs. Tools are called `name.tool` in a role's boundary. `seconds` is the most a call
    takes once the server is there."""

    name: str
    at: Place
    tools: tuple[ServerTool, ...]
    seconds: int = 60

    def tool(self, name: str) -> ServerTool | None:
        return next((tool for tool in self.tools if tool.name == name), None)


def listing_hash(name: str, description: str, parameters: object) -> str:
    return digest([name, description, exact(parameters)])


def qualified(server: ToolServer, tool: ServerTool) -> str:
    return f"{server.name}.{tool.name}"


def spec_of(server: ToolServer, tool: ServerTool) -> ToolSpec:
    """The tool as the gate sees it. Unless the founder says which arguments name places and carry text, every argument
    that is called like a place is one, and all others carry text."""
    properties = tool.parameters.get("properties")
    names = tuple(map(str, properties)) if isinstance(properties, dict) else ()
    places = tuple(name for name in names if _PLACES.search(name)) if tool.destinations is None else tool.destinations
    text = tuple(name for name in names if name not in places) if tool.text is None else tool.text
    name = qualified(server, tool)
    return ToolSpec(
        name=name,
        description=tool.description or f"{tool.name} of {server.name}",
        parameters=tool.parameters,
        risk=tool.risk,
        effect=tool.effect,
        idempotent=tool.idempotent or tool.effect == "read",
        destinations=places,
        text=text,
        secret=tool.secret,
        pin=tool.listing_hash,
        words={
            "en": Wording(f"use {tool.name} of {server.name}", f"{tool.name} of {server.name}."),
            "id": Wording(f"memakai {tool.name} dari {server.name}", f"{tool.name} dari {server.name}."),
        },
    )


class Listed(msgspec.Struct, frozen=True):
    """A tool as a server lists it now."""

    name: str
    description: str
    parameters: Arguments


class ToolChanged(ToolFailed):
    """The server's tool is not the one that was signed. `now` is what it lists instead, None when it is gone."""

    def __init__(self, server: str, tool: str, now: Listed | None) -> None:
        what = "changed what it says of" if now is not None else "no longer has"
        super().__init__(
            f"{server} {what} {tool}: the tool is in quarantine until the founder signs it anew", code="tool.changed"
        )
        self.server = server
        self.tool = tool
        self.now = now
