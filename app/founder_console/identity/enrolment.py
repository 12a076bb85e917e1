"""How a person becomes a founder here: made by the machine, let in by a one-time link, kept by recovery codes."""

import base64
import secrets
from datetime import timedelta
from uuid import UUID

import msgspec

from app.canon.vocabulary import Rol, new_id
from app.founder_console import store
from app.founder_console.errors import FounderUnknown, KeyRefused, LinkUnusable
from app.founder_console.identity.sessions import hashed
from app.founder_console.model import Founder, Language
from app.governance_ledger import Event, append
from app.postgres import Database, Transaction

LINK_SECONDS = 24 * 3600
CODES = 8
CODE_BYTES = 10


class Link(msgspec.Struct, frozen=True):
    """What an enrolment address names."""

    tenant: UUID
    token: str

    @property
    def path(self) -> str:
        return f"/enrol/{self.tenant.hex}.{self.token}"


async def create_founder(tx: Transaction, *, name: str, language: Language, rol: Rol = Rol.FOUNDER) -> Founder:
    """A founder or deputy of the tenant, without keys yet. Event `founder.added`."""
    founder_id = new_id()
    await store.insert_founder(tx, founder_id, name=name, rol=str(rol), language=language)
    data: dict[str, object] = {"founder_id": str(founder_id), "name": name, "rol": str(rol)}
    await append(tx, Event(type="founder.added", actor="system:founder_console", data=data))
    return await get_founder(tx, founder_id)


async def get_founder(tx: Transaction, founder_id: UUID) -> Founder:
    """Raises `FounderUnknown`."""
    founder = await store.fetch_founder(tx, founder_id)
    if founder is None:
        raise FounderUnknown(f"there is no founder {founder_id} here")
    return founder


async def create_enrolment(tx: Transaction, founder_id: UUID, *, ttl_seconds: int = LINK_SECONDS) -> str:
    """The path of a link with which one browser can make a passkey for the founder, once. Event `founder.invited`."""
    await get_founder(tx, founder_id)
    link = Link(tx.tenant, secrets.token_urlsafe(24))
    expires_at = await store.now(tx) + timedelta(seconds=ttl_seconds)
    await store.insert_enrolment(tx, hashed(link.token), founder_id, expires_at)
    data: dict[str, object] = {"founder_id": str(founder_id), "expires_at": expires_at.isoformat()}
    await append(tx, Event(type="founder.invited", actor="system:founder_console", data=data))
    return link.path


def read_link(text: str) -> Link:
    """The link of an address. Raises `LinkUnusable`."""
    tenant, _, token = text.partition(".")
    try:
        return Link(UUID(hex=tenant), token)
    except ValueError:
        raise LinkUnusable("this enrolment link is not complete") from None


async def invited(tx: Transaction, link: Link) -> Founder:
    """Whom the link lets in; it stays usable. Raises `LinkUnusable`."""
    founder_id = await store.fetch_enrolment(tx, hashed(link.token))
    if founder_id is None:
        raise LinkUnusable("this enrolment link was used or has expired: `flr enrol` prints a new one")
    return await get_founder(tx, founder_id)


async def use_link(tx: Transaction, link: Link) -> Founder:
    """Use the link up. Raises `LinkUnusable`."""
    founder_id = await store.use_enrolment(tx, hashed(link.token))
    if founder_id is None:
        raise LinkUnusable("this enrolment link was used or has expired: `flr enrol` prints a new one")
    return await get_founder(tx, founder_id)


async def renew_codes(tx: Transaction, founder_id: UUID) -> tuple[str, ...]:
    """Eight new recovery codes; older ones are void. Only hashes are kept. Event `founder.codes_renewed`."""
    codes = tuple(_code() for _ in range(CODES))
    await store.replace_codes(tx, founder_id, [hashed(plain_code(code)) for code in codes])
    await append(tx, Event(type="founder.codes_renewed", actor=f"founder:{founder_id}", data={"codes": CODES}))
    return codes


def _code() -> str:
    text = base64.b32encode(secrets.token_bytes(CODE_BYTES)).decode().lower()
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def plain_code(code: str) -> str:
    """A code as it was made, however it was typed."""
    return "".join(character for character in code.lower() if character.isalnum())


async def tenant_of_code(database: Database, code: str) -> UUID:
    """The tenant of an unused recovery code. Raises `KeyRefused`."""
    async with database.pool.acquire(timeout=5) as connection:
        tenant: UUID | None = await connection.fetchval(
            "SELECT founder_console.tenant_of_code($1)", hashed(plain_code(code))
        )
    if tenant is None:
        raise KeyRefused("this recovery code is not valid or was used", code="key.recovery")
    return tenant


async def use_code(tx: Transaction, code: str) -> Founder:
    """Use a recovery code up. Raises `KeyRefused`."""
    founder_id = await store.use_code(tx, hashed(plain_code(code)))
    if founder_id is None:
        raise KeyRefused("this recovery code is not valid or was used", code="key.recovery")
    return await get_founder(tx, founder_id)
