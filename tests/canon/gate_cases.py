"""Short ways to put a question to the gate."""

from datetime import UTC, datetime
from uuid import UUID

from app.adapters.tools import load_tools
from app.canon.canonical_json import exact
from app.canon.contract import ArgumentRule, Boundary, Constraint, Contract, Terms, ToolRule
from app.canon.gate import Proposal, Spent, Verdict, decide
from app.canon.provenance import Provenance, Reading, Trusted
from app.canon.tool import ToolSpec

ID = UUID("018f0000-0000-7000-8000-000000000007")
NOON = datetime(2026, 11, 23, 5, 0, tzinfo=UTC)  # a Monday, 12:00 in Jakarta
TOOLS: dict[str, ToolSpec] = {name: tool.spec for name, tool in load_tools().items()}
MAIL = {"to": ["ana@mitra.co.id"], "subject": "Laporan", "body": "Terlampir."}
PAY = {
    "amount_minor": 240_000,
    "currency": "IDR",
    "payee": "PT Kopi Gayo",
    "account": "5220304412",
    "reference": "INV-118",
}


def proposal(tool: str, **arguments: object) -> Proposal:
    canonical = {name: exact(value) for name, value in arguments.items()}
    return Proposal(ID, ID, ID, ID, 5, TOOLS[tool], canonical)


def contract(*rules: ToolRule, boundary: Boundary | None = None) -> Contract:
    terms = Terms("Raka", "Clerk", "Does the books.", boundary or Boundary(tools=rules), ())
    return Contract(ID, 1, terms, "", "")


def rule(
    tool: str, mode: str = "allow", *constraints: Constraint, path: str = "to", otherwise: str = "ask"
) -> ToolRule:
    arguments = (ArgumentRule(path, constraints, otherwise),) if constraints else ()  # type: ignore[arg-type]
    return ToolRule(tool, mode, arguments)  # type: ignore[arg-type]


def told(ticket: str = "", *, parties: tuple[str, ...] = (), role: str = "", **fields: str) -> Trusted:
    return Trusted(ticket, fields, role, parties)


def read(text: str, tool: str = "read_input", step: int = 2, *, secret: bool = False) -> Reading:
    return Reading(step, tool, text, secret)


def judge(
    asked: Proposal,
    role: Contract,
    trusted: Trusted | None = None,
    *readings: Reading,
    spent: Spent | None = None,
    documents: dict[str, str] | None = None,
) -> Verdict:
    provenance = Provenance(trusted or told(), readings, documents or {})
    return decide(asked, role, spent or Spent(NOON), provenance)


def codes(verdict: Verdict) -> list[str]:
    """The codes of a Hold's or Refuse's facts; empty for Allow."""
    return [fact.code for fact in getattr(verdict, "facts", ())]
