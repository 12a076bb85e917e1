"""What the gate would decide on a proposal: nothing is run, reserved or written."""

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias
from uuid import UUID

import msgspec
from msgspec import Meta

from app import clock
from app.canon.canonical_json import exact
from app.canon.contract import Boundary, Contract, Terms
from app.canon.errors import Invalid
from app.canon.evidence import EvidenceStore
from app.canon.gate import Proposal
from app.canon.tool import ToolAnswer, ToolSpec
from app.canon.validation import require_valid_boundary
from app.canon.vocabulary import new_id
from app.execution_graph import store as journal
from app.execution_graph.files import files_of
from app.execution_graph.gates import Surroundings, judge
from app.execution_graph.history import look_only
from app.execution_graph.inheriting import inherited_secrets
from app.execution_graph.journal import answered, asked_tool, new_step
from app.execution_graph.model import Run, Step
from app.execution_graph.part_rows import earlier
from app.execution_graph.verdicts import Sentences, Shown, shown_verdict
from app.governance_ledger import Keeper
from app.postgres import Transaction
from app.role_registry import company, contract_in_force, get_role, with_server_tools
from app.work_queue import Ticket, get_ticket, rejected_before

Text: TypeAlias = Annotated[str, Meta(max_length=100_000)]

MOST_READINGS = 50
PLENTY = 10**15


class TicketText(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A ticket that does not exist, as the founder would write it."""

    title: Text = ""
    instructions: Text = ""
    fields: dict[str, str] = {}


class Told(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a tool would have told the worker before the proposed call."""

    text: Text
    tool: str = "read_input"
    secret: bool = False


class Check(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A proposed call. `boundary` stands in for the role's. `ticket_id` is a real ticket with its files and what its
    last run has read; `ticket` the text of one that does not exist. `readings` come after what was really read."""

    tool: Annotated[str, Meta(min_length=1, max_length=200)]
    arguments: dict[str, object]
    boundary: Boundary | None = None
    ticket_id: UUID | None = None
    ticket: TicketText | None = None
    readings: Annotated[tuple[Told, ...], Meta(max_length=MOST_READINGS)] = ()


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate would decide. `notes` say what was taken for granted, and what else would keep the call back."""

    role_id: UUID | None
    role_version: int | None
    result: Shown
    notes: Sentences


async def check(
    tx: Transaction,
    asked: Check,
    *,
    role_id: UUID | None,
    tools: Mapping[str, ToolSpec],
    store: EvidenceStore,
    keeper: Keeper | None = None,
) -> Checked:
    """The gate's verdict on `asked` now, for a role or for a boundary alone. Reads only, in the caller's transaction.

    Raises `Invalid` (no boundary, an unknown tool, arguments without a canonical form), `InvalidTerms`, `RoleUnknown`,
    `NotInForce`, `TicketUnknown`.
    """
    await look_only(tx)
    tools = await with_server_tools(tx, tools)
    tool = tools.get(asked.tool)
    if tool is None:
        raise Invalid(f"there is no tool {asked.tool!r} here; tools: {', '.join(sorted(tools))}")
    contract = await _contract(tx, asked, role_id, tools)
    ticket = await _ticket(tx, asked)
    runs = () if asked.ticket_id is None else await journal.runs_of_ticket(tx, asked.ticket_id)
    steps = await _steps(tx, asked, runs)
    around = Surroundings(
        ticket=ticket,
        zone=(await company(tx)).time_zone,
        files={} if asked.ticket_id is None else await files_of(tx, ticket.id),
        texts={},
        steps=steps,
        store=store,
        narrowed_to=runs[-1].tools if runs and asked.boundary is None else None,
        looking=True,
        assumed_money=plenty(contract.terms) if role_id is None else None,
        keeper=keeper,
        inherited=await inherited_secrets(tx, ticket),
    )
    proposal = Proposal(
        tenant=tx.tenant,
        role_id=contract.role_id,
        ticket_id=ticket.id,
        run_id=new_id(),
        step=len(steps) + 1,
        tool=tool,
        arguments={name: exact(value) for name, value in asked.arguments.items()},
    )
    judged = await judge(tx, proposal, contract, around)
    return Checked(
        role_id=role_id,
        role_version=None if role_id is None else contract.version,
        result=shown_verdict(judged.verdict, proposal, tools),
        notes=await _notes(tx, asked, proposal, contract, alone=role_id is None),
    )


async def _contract(tx: Transaction, asked: Check, role_id: UUID | None, tools: Mapping[str, ToolSpec]) -> Contract:
    if asked.boundary is not None:
        require_valid_boundary(asked.boundary, tools)
    if role_id is None:
        if asked.boundary is None:
            raise Invalid("without a role there must be a boundary to check against")
        return Contract(new_id(), 0, Terms("", "", "", asked.boundary, ()), "", "")
    if asked.boundary is None:
        return await contract_in_force(tx, role_id)
    role = await get_role(tx, role_id)
    standing = role.terms or (role.pending.terms if role.pending else Terms(role.name, "", "", asked.boundary, ()))
    return Contract(role_id, role.version, with_boundary(standing, asked.boundary), "", "", role.status == "paused")


def with_boundary(terms: Terms, boundary: Boundary) -> Terms:
    return msgspec.structs.replace(terms, boundary=boundary)


def plenty(terms: Terms) -> dict[str, int]:
    """Money that no check of a boundary runs out of: in each currency of the role's budget, else in rupiah."""
    currencies = {line.currency or "IDR" for line in terms.budget if line.unit == "money"}
    return dict.fromkeys(sorted(currencies) or ["IDR"], PLENTY)


async def _ticket(tx: Transaction, asked: Check) -> Ticket:
    if asked.ticket_id is not None:
        if asked.ticket is not None:
            raise Invalid("name a ticket (`ticket_id`) or write one (`ticket`), not both")
        return await get_ticket(tx, asked.ticket_id)
    words = asked.ticket or TicketText()
    return Ticket(
        id=new_id(),
        version=1,
        title=words.title,
        instructions=words.instructions,
        fields=words.fields,
        role_id=None,
        parent_id=None,
        priority=3,
        status="open",
        approval_required=False,
        founder_wrote=True,
        opened_by="",
        due_at=None,
        result="",
        opened_at=clock.now(),
        started_at=None,
        closed_at=None,
    )


async def _steps(tx: Transaction, asked: Check, runs: Sequence[Run]) -> tuple[Step, ...]:
    real: tuple[Step, ...] = ()
    if runs:
        real = (*(await earlier(tx, runs[-1])).steps, *await journal.steps_of(tx, runs[-1].id))
    first = max((step.step for step in real), default=0) + 1
    return (*real, *(_told_step(number, told) for number, told in enumerate(asked.readings, first)))


def _told_step(number: int, told: Told) -> Step:
    step = msgspec.structs.replace(new_step(asked_tool(number, told.tool, {}), "done"), secret=told.secret)
    return answered(step, ToolAnswer("done", told.text))[0]


async def _notes(tx: Transaction, asked: Check, proposal: Proposal, contract: Contract, *, alone: bool) -> Sentences:
    notes: list[tuple[str, str]] = []
    if contract.paused:
        notes.append(("The role is paused: it does nothing now.", "Peran dijeda: sekarang tidak berbuat apa-apa."))
    if alone:
        notes.append(
            (
                "No role, so no budget: money was taken as sufficient.",
                "Tanpa peran, tanpa anggaran: uang dianggap cukup.",
            )
        )
    if asked.ticket_id is not None and await rejected_before(tx, asked.ticket_id, proposal.act_digest) is not None:
        notes.append(
            (
                "The founder has already rejected exactly this in this ticket: the worker would be told so.",
                "Pendiri sudah menolak hal ini di tiket ini: pekerja akan diberi tahu.",
            )
        )
    return {"en": tuple(english for english, _ in notes), "id": tuple(indonesian for _, indonesian in notes)}
