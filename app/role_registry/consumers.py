"""What the registry does when the work queue tells it that a question was answered, and what it sweeps."""

from app.canon.approval import ApprovalReader
from app.messages import ApprovalDecided
from app.postgres import Database, Transaction
from app.role_registry.companies import expire_overdue
from app.role_registry.parties import know_party
from app.role_registry.rules import make_rule
from app.role_registry.servers import sign_server
from app.role_registry.signing import settle_contract
from app.work_queue import CONTRACTS, get_approval, grant_mandate, set_quorum, tenants_with_due_approvals


async def on_approval_decided(tx: Transaction, message: ApprovalDecided, *, reader: ApprovalReader) -> None:
    """Carry out what was approved for a role, a party, a deputy or the quorum, or drop what was not. Idempotent; other
    kinds are left alone.

    Events: `role.hired`, `role.amended`, `budget.raised`, `party.added`, `rule.made`, `mandate.granted`,
    `quorum.set`, `server.signed`; `role.declined` when a hire was not signed, `role.amendment_dropped` when an
    amendment was not. A budget raise that another contract overtook is asked anew.
    """
    approval = await get_approval(tx, message.approval_id)
    if approval.kind == "party":
        await know_party(tx, approval, reader)
    elif approval.kind == "rule":
        await make_rule(tx, approval, reader)
    elif approval.kind == "mandate":
        await grant_mandate(tx, approval, reader)
    elif approval.kind == "quorum":
        await set_quorum(tx, approval, reader)
    elif approval.kind == "tool_server":
        await sign_server(tx, approval, reader)
    elif approval.kind in CONTRACTS and approval.role_id is not None:
        await settle_contract(tx, approval.id, approval.role_id, reader)


async def sweep_approvals(database: Database) -> int:
    """Expire approvals whose time has come, in every tenant, each in a transaction of its own; how many expired.

    Those of a paused role or company freeze instead. Call it every few seconds from one or more workers.
    """
    expired = 0
    for tenant in await tenants_with_due_approvals(database):
        async with database.transaction(tenant) as tx:
            expired += await expire_overdue(tx)
    return expired
