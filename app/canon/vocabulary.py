"""Words that more than one room speaks: ids, money, tiers, people."""

from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

import msgspec
from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A UUIDv7: sorts by time of creation."""
    return uuid7()


FIRST_INSTANT = datetime(1900, 1, 1, tzinfo=UTC)
LAST_INSTANT = datetime(9000, 1, 1, tzinfo=UTC)


def on_calendar(moment: datetime) -> bool:
    """Whether every zone and the database can write it: the ends of the calendar are infinity to the one."""
    return FIRST_INSTANT <= moment < LAST_INSTANT


class Money(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An amount in minor units of its ISO 4217 currency: `Money(240000, "IDR")`. IDR has no minor unit here:
    one minor unit is one rupiah."""

    minor: int
    currency: str = "IDR"


class Tier(StrEnum):
    """How much a held act can hurt. R1: reversible and under caps, one tap. R2: also the founder's own key."""

    R1 = "R1"
    R2 = "R2"


class Risk(StrEnum):
    """The risk class of a tool, declared by its adapter and tightened by the role."""

    READ = "read"
    REVERSIBLE = "reversible"
    IRREVERSIBLE = "irreversible"
    MONEY = "money"
    OUTBOUND = "outbound"


class Rol(StrEnum):
    """Who a token speaks for (claim `rol`)."""

    FOUNDER = "founder"
    DEPUTY = "deputy"
    OPERATOR = "operator"
    AUDITOR = "auditor"
    WORKER = "worker"
    SERVICE = "service"


class Principal(msgspec.Struct, frozen=True):
    """The caller, from a verified token or session alone. `sub` is the founder's id or a service's name."""

    sub: str
    tid: UUID
    rol: Rol
    jti: str = ""
    exp: int = 0

    @property
    def actor(self) -> str:
        """As written into events: `founder:01...`."""
        return f"{self.rol}:{self.sub}"
