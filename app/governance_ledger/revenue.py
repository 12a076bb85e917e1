"""What `revenue.recorded` says: money that came in."""

from typing import Annotated
from uuid import UUID

import msgspec

from app.governance_ledger.errors import EventRefused


class Revenue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`amount_minor` in minor units of `currency` (ISO 4217), negative for a refund; a string from 2^53 on."""

    amount_minor: int | Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,18}$")]
    currency: Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$")]
    source: Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
    description: Annotated[str, msgspec.Meta(max_length=500)] = ""
    role_id: UUID | None = None
    ticket_id: UUID | None = None


def revenue_data(given: dict[str, object]) -> dict[str, object]:
    """The event's data in its one form: `amount_minor` is a string. Raises `EventRefused`."""
    try:
        revenue = msgspec.convert(given, Revenue)
    except msgspec.ValidationError as error:
        raise EventRefused(f"revenue.recorded: {error}") from error
    data: dict[str, object] = msgspec.to_builtins(revenue)
    return data | {"amount_minor": str(revenue.amount_minor)}
