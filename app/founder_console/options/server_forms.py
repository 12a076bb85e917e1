"""Where a tool server is to run, as typed: address or program, the secrets it is given, the folders it sees."""

import shlex
from collections.abc import Mapping
from typing import Any

import msgspec

from app.canon.errors import Invalid
from app.canon.tool_server import Folder, HeaderSecret, HttpServer, Place, StdioServer

SECRET_ROWS = 3


class Given(msgspec.Struct, frozen=True):
    """One secret of the vault and where the server gets it: a variable of its program, or a header of its address."""

    place: str
    secret: str


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The form as typed. `network` and folders count for a program alone, `prefix` for an address."""

    name: str = ""
    where: str = ""
    network: bool = False
    given: tuple[Given, ...] = ()
    prefix: str = ""
    reads: str = ""
    writes: str = ""

    @property
    def outside(self) -> bool:
        return "://" in self.where

    @property
    def more(self) -> bool:
        """Whether anything is asked for beyond the place itself."""
        return bool(self.given or self.reads or self.writes)

    @property
    def rows(self) -> tuple[Given, ...]:
        """The secrets, with empty rows to fill in."""
        return (*self.given, *(Given("", "") for _ in range(SECRET_ROWS - len(self.given))))

    @property
    def place(self) -> Place:
        """Raises `Invalid`."""
        secrets = {one.place: one.secret for one in self.given}
        if self.outside:
            prefix = f"{self.prefix} " if self.prefix else ""
            return HttpServer(self.where, {place: HeaderSecret(name, prefix) for place, name in secrets.items()})
        try:
            command = tuple(shlex.split(self.where))
        except ValueError as error:
            raise Invalid(str(error), code="server.command_line") from error
        folders = (*_folders(self.reads, writable=False), *_folders(self.writes, writable=True))
        return StdioServer(command, {}, secrets, folders, network=self.network)


def _folders(text: str, *, writable: bool) -> tuple[Folder, ...]:
    return tuple(Folder(line.strip(), writable) for line in text.splitlines() if line.strip())


def wanted_of(data: Mapping[str, Any]) -> Wanted:
    def text(name: str) -> str:
        return str(data.get(name) or "").strip()

    rows = tuple(Given(text(f"place-{row}"), text(f"secret-{row}")) for row in range(SECRET_ROWS))
    return Wanted(
        name=text("name"),
        where=text("where"),
        network=data.get("network") == "yes",
        given=tuple(one for one in rows if one.place and one.secret),
        prefix=text("prefix"),
        reads=text("reads"),
        writes=text("writes"),
    )


class ValueMissing(Invalid):
    """The secret of this name is wanted, and no value was typed for it."""

    code = "server.value_missing"


class TypedOnce:
    """`canon.tool.Vault` for one question to a server that is not signed yet: the vault itself opens for calls alone,
    so the founder types a value for it, which is kept nowhere."""

    def __init__(self, wanted: Wanted, data: Mapping[str, Any]) -> None:
        self._values = {one.secret: str(data.get(f"value-{row}") or "") for row, one in _numbered(data, wanted)}

    def check(self, wanted: Wanted) -> None:
        """Raises `ValueMissing` with the name of a secret whose value was not typed."""
        for one in wanted.given:
            if not self._values.get(one.secret):
                raise ValueMissing(f"type the value of {one.secret} once", name=one.secret)

    async def value(self, name: str) -> str:
        return self._values[name]

    async def headers(self, host: str, port: int | None) -> dict[str, str]:
        del host, port
        return {}


def _numbered(data: Mapping[str, Any], wanted: Wanted) -> list[tuple[int, Given]]:
    """The rows that were filled in, with their numbers in the form."""
    known = {(one.place, one.secret): one for one in wanted.given}
    pairs = [
        (row, (str(data.get(f"place-{row}") or "").strip(), str(data.get(f"secret-{row}") or "").strip()))
        for row in range(SECRET_ROWS)
    ]
    return [(row, known[pair]) for row, pair in pairs if pair in known]
