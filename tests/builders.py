"""Small builders that arrange a company through the rooms' front doors."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from app.auth import ApprovalTokens, KeyRing, SigningKey
from app.canon.approval import Decision, Statement, VerifiedProof
from app.canon.canonical_json import digest
from app.canon.contract import Boundary, BudgetLimit, EngineBinding, Terms, ToolRule
from app.canon.mandate import DELEGABLE, Mandate
from app.canon.vocabulary import Money, Principal, Rol, Tier, new_id
from app.messages import ApprovalDecided
from app.postgres import Transaction
from app.role_registry import Role, create_company, get_role, hire, on_approval_decided
from app.work_queue import Approval, NewApproval, NewTicket, Ticket, decide, get_approval, open_ticket, propose_mandate

_KEY = SigningKey(Ed25519PrivateKey.generate())
APPROVALS = ApprovalTokens(KeyRing({_KEY.kid: _KEY.public}, "approval", _KEY))
PROCEDURE = EngineBinding(worker="procedure")
ROOMY_BUDGET = (
    BudgetLimit("usd_micros", "month", 50_000_000),
    BudgetLimit("tokens", "month", 50_000_000),
    BudgetLimit("calls", "day", 10_000),
    BudgetLimit("money", "month", 100_000_000, "IDR"),
    BudgetLimit("minutes", "month", 10_000),
)


def principal(tenant: UUID, rol: Rol = Rol.FOUNDER, sub: str | None = None) -> Principal:
    """Somebody of the tenant; the founder unless said otherwise."""
    return Principal(sub or str(uuid4()), tenant, rol)


async def a_company(tx: Transaction) -> Principal:
    """A company in the transaction's tenant, and its founder."""
    await create_company(
        tx, name="Warung Test", time_zone="Asia/Jakarta", currency="IDR", language="en", actor="system"
    )
    return principal(tx.tenant)


def some_terms(
    name: str = "Mira",
    *,
    tools: tuple[ToolRule, ...] = (ToolRule("note_write", "allow"),),
    budget: tuple[BudgetLimit, ...] = ROOMY_BUDGET,
    engine: EngineBinding = PROCEDURE,
) -> Terms:
    """Terms that a founder could sign."""
    return Terms(name, "Assistant", "Helps where help is needed.", Boundary(tools=tools), budget, engine=engine)


def signed(approval: Approval, decision: Decision = "approve") -> VerifiedProof:
    """What a verifier of the founder's device key gives for exactly this decision."""
    statement = Statement(
        str(approval.id),
        decision,
        approval.version,
        approval.payload_digest,
        str(new_id()),
        int(datetime.now(UTC).timestamp()),
    )
    return VerifiedProof("device_key", {"statement": msgspec.to_builtins(statement), "kid": "test"})


async def approve(tx: Transaction, approval_id: UUID, by: Principal) -> Approval:
    """The founder's yes, with a key."""
    approval = await get_approval(tx, approval_id)
    return await decide(tx, approval_id, "approve", by=by, signer=APPROVALS, proof=signed(approval))


async def a_deputy(tx: Transaction, founder: Principal, sub: str | None = None, /, **bounds: object) -> Principal:
    """A deputy with a signed mandate: all that can be delegated for a month, unless `bounds` say otherwise."""
    deputy = principal(tx.tenant, Rol.DEPUTY, sub)
    wanted: dict[str, object] = {
        "tiers": (Tier.R1, Tier.R2),
        "kinds": DELEGABLE,
        "cap": Money(10_000_000),
        "ends_at": datetime.now(UTC) + timedelta(days=30),
        **bounds,
    }
    mandate = Mandate(person=deputy.sub, name="Budi", **wanted)  # type: ignore[arg-type]
    text = {"id": "Beri Budi wewenang?", "en": "Give Budi a mandate?"}
    asked = await propose_mandate(tx, mandate, text=text, by=founder, undo_seconds=0)
    await sign(tx, asked.id, founder)
    return deputy


async def a_second_founder(tx: Transaction, founder: Principal) -> Principal:
    """Another founder, whom the first has admitted."""
    other = principal(tx.tenant)
    text = {"id": "Jadikan pendiri?", "en": "Make a founder?"}
    wanted = Mandate(person=other.sub, name="Sari", rol="founder")
    asked = await propose_mandate(tx, wanted, text=text, by=founder, undo_seconds=0)
    await sign(tx, asked.id, founder)
    return other


async def a_role(tx: Transaction, founder: Principal, terms: Terms | None = None) -> Role:
    """A role that the founder has hired and signed."""
    role = await hire(tx, terms or some_terms(), by=founder, undo_seconds=0)
    assert role.pending is not None
    await sign(tx, role.pending.approval_id, founder)
    return await get_role(tx, role.id)


async def sign(tx: Transaction, approval_id: UUID, founder: Principal) -> None:
    """Approve, and let the registry act on it at once."""
    approval = await approve(tx, approval_id, founder)
    await on_approval_decided(tx, ApprovalDecided(tx.tenant, approval.id, None, None), reader=APPROVALS)


async def a_ticket(tx: Transaction, founder: Principal, **changes: object) -> Ticket:
    """An open ticket in the founder's words."""
    asked: dict[str, object] = {"title": "Count the stock", "instructions": "Count all boxes.", **changes}
    return await open_ticket(tx, NewTicket(**asked), actor=founder.actor, founder_wrote=True)  # type: ignore[arg-type]


def a_question(*, actor: str = "worker:mira", in_seconds: float = 3600, **changes: object) -> NewApproval:
    """Something to ask the founder: a tool call of tier R1 unless said otherwise."""
    asked: dict[str, object] = {
        "kind": "tool_call",
        "tier": Tier.R1,
        "act_digest": digest(["send", "mail"]),
        "payload": {"kind": "tool_call", "tier": "R1", "tool": {"name": "mail"}, "arguments": {"to": "a@b.example"}},
        "expires_at": datetime.now(UTC) + timedelta(seconds=in_seconds),
        "undo_seconds": 0,
        "actor": actor,
        "tool": "mail",
        "money": Money(5000),
        **changes,
    }
    return NewApproval(**asked)  # type: ignore[arg-type]
