"""What befalls a caller of the work queue."""

from collections.abc import Sequence
from uuid import UUID

from app.canon.errors import Conflict, Forbidden, Invalid, NotFound, Stale, TooMany
from app.canon.mandate import SENTENCES, Beyond


class TicketUnknown(NotFound):
    """This tenant has no ticket of that id."""

    def __init__(self, ticket_id: UUID) -> None:
        super().__init__(f"there is no ticket {ticket_id}")
        self.data: dict[str, object] = {"ticket_id": str(ticket_id)}


class NotErasable(Conflict):
    """The ticket's data cannot be erased, or not yet."""


class TicketStale(Stale):
    """Somebody changed the ticket since it was read."""

    def __init__(self, ticket_id: UUID, seen: int, version: int) -> None:
        super().__init__(f"the ticket is at version {version}, you saw {seen}: read it again and repeat")
        self.data: dict[str, object] = {"ticket_id": str(ticket_id), "version": version}


class MoveRefused(Conflict):
    """The ticket cannot go from the state it is in to the one asked for."""

    def __init__(self, ticket_id: UUID, status: str, to: str) -> None:
        super().__init__(f"a ticket that is {status} cannot become {to}")
        self.data: dict[str, object] = {"ticket_id": str(ticket_id), "status": status}


class InputRefused(Invalid):
    """The file cannot be attached as it is; the message says why."""


class InputExists(Conflict):
    """The ticket has a file of that name already."""

    def __init__(self, name: str) -> None:
        super().__init__(f"a file called {name!r} is attached already: choose another name")
        self.data: dict[str, object] = {"name": name}


class CursorUnknown(Invalid):
    """The cursor was not made by this list; start again without one."""


class ApprovalUnknown(NotFound):
    """This tenant has no approval of that id."""

    def __init__(self, approval_id: UUID) -> None:
        super().__init__(f"there is no approval {approval_id}")
        self.data: dict[str, object] = {"approval_id": str(approval_id)}


class NothingPending(Conflict):
    """Nothing on this ticket waits for a decision."""

    def __init__(self, ticket_id: UUID) -> None:
        super().__init__("nothing on this ticket waits for a decision")
        self.data: dict[str, object] = {"ticket_id": str(ticket_id), "approval_ids": []}


class SeveralPending(Conflict):
    """More than one approval waits on this ticket; the body must name one."""

    def __init__(self, ticket_id: UUID, approval_ids: Sequence[UUID]) -> None:
        super().__init__(f"{len(approval_ids)} approvals wait on this ticket: name one as approval_id")
        self.data: dict[str, object] = {
            "ticket_id": str(ticket_id),
            "approval_ids": [str(approval_id) for approval_id in approval_ids],
        }


class ApprovalStale(Stale):
    """The approval changed since it was read."""

    def __init__(self, approval_id: UUID, seen: int, version: int) -> None:
        super().__init__(f"the approval is at version {version}, you saw {seen}: read it again and repeat")
        self.data: dict[str, object] = {"approval_id": str(approval_id), "version": version}


class ApprovalClosed(Conflict):
    """It is decided, expired, withdrawn or superseded already; `data` says what it became, when and by whom."""

    def __init__(self, message: str, data: dict[str, object]) -> None:
        super().__init__(message)
        self.data = data


class ProofRequired(Forbidden):
    """R2 needs the founder's own key over the exact statement; `data` says how to get one."""

    def __init__(self, approval_id: UUID, version: int, payload_digest: str) -> None:
        super().__init__(
            "this needs your own key: ask for the statement, sign it with your passkey or with `flr approve`, "
            "and send the signature as `proof`"
        )
        self.data: dict[str, object] = {
            "approval_id": str(approval_id),
            "version": version,
            "payload_digest": payload_digest,
            "methods": ["passkey", "device_key"],
            "statement": f"POST /api/v1/approvals/{approval_id}/statement",
        }


class ProofMismatch(Forbidden):
    """The founder's key does not hold for exactly this decision."""


class VoteRefused(Forbidden):
    """Separation of duties: this person may not cast this vote."""


class MandateUnknown(NotFound):
    """Nobody of that id has a mandate here."""


class BeyondMandate(Forbidden):
    """A deputy may not decide this; `data` says which bound of the mandate stands in the way."""

    def __init__(self, beyond: Beyond | None) -> None:
        super().__init__("there is no mandate: a founder can grant one" if beyond is None else SENTENCES[beyond])
        self.data: dict[str, object] = {"beyond": beyond or "none"}


class TooManyDecisions(TooMany):
    """One person decides faster than anybody reads; nothing was decided."""


class ApprovalUnusable(Conflict):
    """The approval does not permit this act now; the message says why."""


class KeyReused(Invalid):
    """The Idempotency-Key was used for another request."""
