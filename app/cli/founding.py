"""How a company comes to be on a machine: tenant, founder, the founder's device key, a one-time enrolment link."""

from pathlib import Path
from typing import Literal
from uuid import UUID

import msgspec

from app import auth
from app.auth import KeyRing, Tokens
from app.canon.errors import Fault
from app.canon.vocabulary import Principal, Rol, new_id
from app.cli.device import PURPOSE, device_key
from app.database_urls import app_url
from app.founder_console import create_enrolment, create_founder, register_device_key
from app.governance_ledger import ensure_subjects_key
from app.postgres import Database, Transaction
from app.role_registry import create_company, ensure_vault_key
from app.settings import Settings

FILE = "company.json"
TOKEN_SECONDS = 12 * 3600


class Founded(msgspec.Struct, frozen=True):
    """The company that this machine's commands speak for, kept in FLR_HOME/company.json."""

    tenant: UUID
    founder: UUID
    name: str

    @property
    def principal(self) -> Principal:
        return Principal(str(self.founder), self.tenant, Rol.FOUNDER)

    def token(
        self, settings: Settings, rol: Rol = Rol.FOUNDER, ttl_seconds: int = TOKEN_SECONDS, *, sub: str | None = None
    ) -> str:
        """A signed API token for the founder, or for `sub` or a nameless holder of another role."""
        tokens = Tokens(KeyRing.load(settings.keys, "token"))
        sub = str(self.founder) if rol is Rol.FOUNDER else sub or f"{rol}-{new_id()}"
        return tokens.issue(sub=sub, tid=self.tenant, rol=rol, ttl_seconds=ttl_seconds)


class NoCompany(Fault):
    """There is no company on this machine yet: run `make run`, or `flr demo`."""


def read_founded(home: Path) -> Founded:
    """The company of this home. Raises `NoCompany`."""
    try:
        return msgspec.json.decode((home / FILE).read_bytes(), type=Founded)
    except FileNotFoundError:
        raise NoCompany(str(NoCompany.__doc__)) from None


async def found_company(
    settings: Settings,
    *,
    name: str,
    founder: str,
    language: Literal["id", "en"],
    time_zone: str = "Asia/Jakarta",
    currency: str = "IDR",
) -> Founded:
    """Make company, founder and device key. `speak_for` makes this machine's commands speak for it.

    Makes missing keys. Opens and commits a transaction of its own.
    """
    auth.ensure_keys(settings.keys, "token", "approval", "receipt", "seal", PURPOSE)
    ensure_subjects_key(settings.keys)
    ensure_vault_key(settings.keys)
    tenant = new_id()
    async with Database(app_url(settings), max_size=2) as database, database.transaction(tenant) as tx:
        await create_company(tx, name=name, time_zone=time_zone, currency=currency, language=language, actor="system")
        person = await create_founder(tx, name=founder, language=language)
        key = device_key(settings.keys)
        await register_device_key(tx, person.id, public_key=key.raw_public, label="command line")
    return Founded(tenant, person.id, name)


def speak_for(home: Path, founded: Founded) -> None:
    """From now on this machine's commands speak for `founded`."""
    (home / FILE).write_bytes(msgspec.json.encode(founded))


async def enrolment_link(tx: Transaction, settings: Settings, founded: Founded) -> str:
    """A one-time address at which the founder's phone becomes the founder's."""
    return settings.origin + await create_enrolment(tx, founded.founder)
