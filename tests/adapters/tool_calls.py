"""Calls as the runtime would make them, for tests of single tools."""

import hashlib
import socket
from collections.abc import Mapping
from uuid import UUID

from app.canon.errors import NotFound
from app.canon.tool import InputFile, ToolCall
from app.canon.vocabulary import new_id

TENANT = UUID("018f0000-0000-7000-8000-000000000001")


class HeldFiles:
    """`canon.tool.Inputs` over bytes in memory."""

    def __init__(self, files: dict[str, tuple[str, bytes]]) -> None:
        self.contents = {name: content for name, (_, content) in files.items()}
        self.files = tuple(
            InputFile(name, media_type, len(content), hashlib.sha256(content).hexdigest())
            for name, (media_type, content) in files.items()
        )
        self.reads: list[str] = []

    async def read(self, name: str) -> bytes:
        self.reads.append(name)
        if name not in self.contents:
            raise NotFound(f"there is no file {name!r}")
        return self.contents[name]


def call(
    files: dict[str, tuple[str, bytes]] | HeldFiles | None = None,
    arguments: Mapping[str, object] | None = None,
    /,
    *,
    key: str = "run:7",
    egress_hosts: tuple[str, ...] = (),
    **more: object,
) -> ToolCall:
    """One allowed call with these arguments over these files (`name: (media type, bytes)`)."""
    held = files if isinstance(files, HeldFiles) else HeldFiles(files or {})
    return ToolCall(key, TENANT, new_id(), 7, {**(arguments or {}), **more}, held, egress_hosts)


def free_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
