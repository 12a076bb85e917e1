"""What befalls a caller of the work queue."""

from collections.abc import Sequence
from uuid import UUID

from app.canon.errors import Conflict, Forbidden, Invalid, NotFound, Stale, TooMany
from app.canon.mandate import SENTENCES, Beyond


class TicketUnknown(NotFound):
    """This tenant has no ticket of that id."""

    code = "ticket.unknown"

    def __init__(self, ticket_id: UUID) -> None:
        super().__init__(f"there is no ticket {ticket_id}", ticket_id=str(ticket_id))


class NotErasable(Conflict):
    """The ticket's data cannot be erased, or not yet."""


class TicketStale(Stale):
    """Somebody changed the ticket since it was read."""

    code = "ticket.stale"

    def __init__(self, ticket_id: UUID, seen: int, version: int) -> None:
        said = f"the ticket is at version {version}, you saw {seen}: read it again and repeat"
        super().__init__(said, ticket_id=str(ticket_id), version=version)


class MoveRefused(Conflict):
    """The ticket cannot go from the state it is in to the one asked for."""

    code = "ticket.move"

    def __init__(self, ticket_id: UUID, status: str, to: str) -> None:
        super().__init__(f"a ticket that is {status} cannot become {to}", ticket_id=str(ticket_id), status=status)


class InputRefused(Invalid):
    """The file cannot be attached as it is; the message says why."""


class InputExists(Conflict):
    """The ticket has a file of that name already."""

    code = "file.exists"

    def __init__(self, name: str) -> None:
        super().__init__(f"a file called {name!r} is attached already: choose another name", name=name)


class CursorUnknown(Invalid):
    """The cursor was not made by this list; start again without one."""

    code = "list.cursor"


class ApprovalUnknown(NotFound):
    """This tenant has no approval of that id."""

    code = "approval.unknown"

    def __init__(self, approval_id: UUID) -> None:
        super().__init__(f"there is no approval {approval_id}", approval_id=str(approval_id))


class NothingPending(Conflict):
    """Nothing on this ticket waits for a decision."""

    def __init__(self, ticket_id: UUID) -> None:
        super().__init__("nothing on this ticket waits for a decision", ticket_id=str(ticket_id), approval_ids=[])


class SeveralPending(Conflict):
    """More than one approval waits on this ticket; the body must name one."""

    def __init__(self, ticket_id: UUID, approval_ids: Sequence[UUID]) -> None:
        super().__init__(
            f"{len(approval_ids)} approvals wait on this ticket: name one as approval_id",
            ticket_id=str(ticket_id),
            approval_ids=[str(approval_id) for approval_id in approval_ids],
        )


class ApprovalStale(Stale):
    """The approval changed since it was read."""

    code = "approval.stale"

    def __init__(self, approval_id: UUID, seen: int, version: int) -> None:
        said = f"the approval is at version {version}, you saw {seen}: read it again and repeat"
        super().__init__(said, approval_id=str(approval_id), version=version)


class ApprovalClosed(Conflict):
    """It is decided, expired, withdrawn or superseded already; `data` says what it became, when and by whom."""


class ProofRequired(Forbidden):
    """R2 needs the founder's own key over the exact statement; `data` says how to get one."""

    code = "proof.required"

    def __init__(self, approval_id: UUID, version: int, payload_digest: str) -> None:
        super().__init__(
            "this needs your own key: ask for the statement, sign it with your passkey or with `flr approve`, "
            "and send the signature as `proof`",
            approval_id=str(approval_id),
            version=version,
            payload_digest=payload_digest,
            methods=["passkey", "device_key"],
            statement=f"POST /api/v1/approvals/{approval_id}/statement",
        )


class ProofMismatch(Forbidden):
    """The founder's key does not hold for exactly this decision."""

    code = "proof.mismatch"


class VoteRefused(Forbidden):
    """Separation of duties: this person may not cast this vote."""


class MandateUnknown(NotFound):
    """Nobody of that id has a mandate here."""

    code = "mandate.unknown"


class BeyondMandate(Forbidden):
    """A deputy may not decide this; `data` says which bound of the mandate stands in the way."""

    def __init__(self, beyond: Beyond | None) -> None:
        said = "there is no mandate: a founder can grant one" if beyond is None else SENTENCES[beyond]
        super().__init__(said, code=f"mandate.beyond.{beyond or 'none'}", beyond=beyond or "none")


class TooManyDecisions(TooMany):
    """One person decides faster than anybody reads; nothing was decided."""

    code = "decisions.pace"


class ApprovalUnusable(Conflict):
    """The approval does not permit this act now; the message says why."""


class KeyReused(Invalid):
    """The Idempotency-Key was used for another request."""

    code = "request.key_reused"
