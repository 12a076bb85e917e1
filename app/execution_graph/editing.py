"""Edit before approve: the founder changes the arguments of a held call, and the gate looks at it anew."""

from collections.abc import Mapping
from typing import Annotated, assert_never
from uuid import UUID

import msgspec

from app.auth import require
from app.canon.canonical_json import canonical_bytes, exact
from app.canon.errors import Invalid
from app.canon.evidence import EvidenceStore
from app.canon.gate import Allow, Hold, Proposal, Refuse, Verdict
from app.canon.tool import Arguments, ToolSpec
from app.canon.vocabulary import Principal, Rol, Tier
from app.execution_graph import store
from app.execution_graph.cards import Setting, edits, tool_call_card
from app.execution_graph.drive import worker_actor
from app.execution_graph.errors import EditRefused
from app.execution_graph.files import files_of
from app.execution_graph.gates import Judged, Surroundings, judge
from app.execution_graph.inheriting import inherited_secrets
from app.execution_graph.journal import asked_arguments
from app.execution_graph.model import Run, Step
from app.execution_graph.part_rows import earlier
from app.execution_graph.refusals import facts_data
from app.execution_graph.runs import run_event
from app.governance_ledger import Event, Keeper, append, append_about
from app.postgres import Transaction
from app.role_registry import company, contract_in_force
from app.work_queue import Approval, check_reach, get_ticket, hold_open, raise_approval, recipient_of_ticket

_EDITED = "The founder changed the call; as changed, the role's contract would let it pass."


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The whole arguments of the call as they shall be. `version` is the card's that was seen."""

    arguments: dict[str, object]
    version: Annotated[int, msgspec.Meta(ge=1)] | None = None


async def edit_call(
    tx: Transaction,
    approval_id: UUID,
    edit: Edit,
    *,
    by: Principal,
    tools: Mapping[str, ToolSpec],
    evidence: EvidenceStore,
    undo_seconds: int,
    keeper: Keeper | None = None,
) -> Approval:
    """The question in whose place the changed call is asked: new digests, the gate's verdict on what was changed.

    The old question is `superseded` and names its successor; the worker is told what was changed once the call is made.
    Events `approval.superseded`, `approval.raised`, `tool.edited`. What the gate refuses changes nothing.

    Raises `ApprovalUnknown`, `ApprovalClosed`, `ApprovalStale`, `Forbidden` (founder or deputy), `BeyondMandate` (a
    deputy who could not approve it), `Invalid` (no held call, nothing changed), `EditRefused`, `NotInForce`.
    """
    require(by, Rol.FOUNDER, Rol.DEPUTY)
    before = await hold_open(tx, approval_id, edit.version)
    await check_reach(tx, before, by)
    run, step, tool = await _held(tx, before, tools)
    arguments: Arguments = {name: exact(value) for name, value in edit.arguments.items()}
    if arguments == before.payload.get("arguments"):
        raise Invalid("nothing was changed", code="call.unchanged")
    judged = await judged_step(tx, run, step, tool, arguments, evidence, keeper)
    hold = hold_of(judged.verdict, _EDITED)
    asked = asked_arguments(step)
    shown = None if arguments == asked else asked
    card = tool_call_card(judged, hold, await setting_of(tx, run, step, shown, tools, undo_seconds=undo_seconds))
    after = await raise_approval(tx, msgspec.structs.replace(card, replaces=before.id))
    edited = None if arguments == asked else canonical_bytes(arguments).decode()
    if not await store.edit_held_step(tx, run.id, step.step, edited, after.id):
        raise EditRefused("the call is held no more: look at the card again", code="call.not_held")
    await _record(tx, run, step, judged, hold, before, after, by)
    return after


async def setting_of(
    tx: Transaction,
    run: Run,
    step: Step,
    asked: Arguments | None,
    tools: Mapping[str, ToolSpec],
    *,
    undo_seconds: int,
) -> Setting:
    """Where the card of a step belongs that is asked anew; `asked` is what the worker wanted, where it differs."""
    return Setting(
        run_id=run.id,
        step=step.step,
        ticket=await get_ticket(tx, run.ticket_id),
        actor=worker_actor(run.role_id),
        undo_seconds=undo_seconds,
        tools=tools,
        asked=asked,
    )


async def _held(tx: Transaction, approval: Approval, tools: Mapping[str, ToolSpec]) -> tuple[Run, Step, ToolSpec]:
    tool = tools.get(approval.tool or "")
    if approval.kind != "tool_call" or approval.run_id is None or tool is None:
        raise Invalid("only the arguments of a held tool call can be changed", code="call.fixed")
    run = await store.lock_run(tx, approval.run_id)
    steps = [step for step in await store.steps_of(tx, run.id) if step.step == approval.step]
    if not steps or steps[0].state != "held" or run.role_id is None:
        raise EditRefused("the call is held no more: look at the card again", code="call.not_held")
    return run, steps[0], tool


async def judged_step(
    tx: Transaction,
    run: Run,
    step: Step,
    tool: ToolSpec,
    arguments: Arguments,
    evidence: EvidenceStore,
    keeper: Keeper | None,
) -> Judged:
    """The gate's verdict now on a step with these arguments, as whoever only looks sees it."""
    contract = await contract_in_force(tx, run.role_id or UUID(int=0))
    steps = (*(await earlier(tx, run)).steps, *await store.steps_of(tx, run.id))
    ticket = await get_ticket(tx, run.ticket_id)
    around = Surroundings(
        ticket=ticket,
        zone=(await company(tx)).time_zone,
        files=await files_of(tx, run.ticket_id),
        texts={},
        steps=tuple(one for one in steps if one.step < step.step),
        store=evidence,
        narrowed_to=run.tools,
        looking=True,
        keeper=keeper,
        inherited=await inherited_secrets(tx, ticket),
    )
    proposal = Proposal(tx.tenant, contract.role_id, run.ticket_id, run.id, step.step, tool, arguments)
    return await judge(tx, proposal, contract, around)


def hold_of(verdict: Verdict, otherwise: str) -> Hold:
    """What is signed whatever the gate says of it: its own question, or `otherwise`. Raises `EditRefused`."""
    match verdict:
        case Allow(_, money):
            return Hold(Tier.R1, otherwise, (), money)
        case Hold():
            return verdict
        case Refuse(law, reason, facts):
            raise EditRefused(reason, law, facts_data(facts), code="call.law")
        case _:
            assert_never(verdict)


async def _record(
    tx: Transaction,
    run: Run,
    step: Step,
    judged: Judged,
    hold: Hold,
    before: Approval,
    after: Approval,
    by: Principal,
) -> None:
    fields = [str(one["field"]) for one in edits(asked_arguments(step), judged.proposal.arguments)]
    data = {
        **replaced_data(step, judged, hold, before, after),
        "fields": fields,
        "tier": str(hold.tier),
        "tier_before": str(before.tier),
    }
    event = Event(type="tool.edited", actor=by.actor, ticket_id=run.ticket_id, run_id=run.id, step=step.step, data=data)
    await append_about(tx, event, await recipient_of_ticket(tx, run.ticket_id))
    await wait_instead(tx, run, after, by)


def replaced_data(step: Step, judged: Judged, hold: Hold, before: Approval, after: Approval) -> dict[str, object]:
    """What an event says of a question that stands in the place of another one."""
    proposal, contract = judged.proposal, judged.contract
    return {
        "tool": proposal.tool.name,
        "schema_hash": proposal.tool.schema_hash,
        "effect": proposal.tool.effect,
        "risk": str(proposal.tool.risk),
        "request_digest": step.request_digest,
        "act_digest": proposal.act_digest,
        "role_id": str(contract.role_id),
        "role_version": contract.version,
        "policy": contract.digest,
        "approval_id": str(after.id),
        "replaces": str(before.id),
        "reason": hold.reason,
        "facts": facts_data(hold.facts),
        "payload_digest": after.payload_digest,
    }


async def wait_instead(tx: Transaction, run: Run, after: Approval, by: Principal) -> None:
    """Let a held run wait for the question that came in the place of its own. Event `run.held`."""
    waits = await store.change_run(tx, run.id, approval_id=after.id)
    await append(tx, run_event(waits, "held", by.actor, data={"approval_id": str(after.id), "kind": after.kind}))
