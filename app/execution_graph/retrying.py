"""The third answer to a lost outcome: the founder has the call made again, knowingly, with the same key."""

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

import msgspec

from app.auth import require
from app.canon.errors import Invalid
from app.canon.evidence import EvidenceStore
from app.canon.tool import ToolSpec
from app.canon.vocabulary import Principal, Rol
from app.execution_graph import store
from app.execution_graph.cards import again_card
from app.execution_graph.editing import hold_of, judged_step, replaced_data, setting_of, wait_instead
from app.execution_graph.errors import EditRefused
from app.execution_graph.journal import arguments_of, asked_arguments
from app.execution_graph.model import Run, Step
from app.governance_ledger import Event, Keeper, append_about
from app.postgres import Transaction
from app.role_registry import with_server_tools
from app.work_queue import Approval, hold_open, raise_approval, recipient_of_ticket

_AGAIN = "The founder wants it made again with the same key; by itself the role's contract would let it pass."


class Retry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`version` is the card's that was seen."""

    version: Annotated[int, msgspec.Meta(ge=1)] | None = None


async def retry_call(
    tx: Transaction,
    approval_id: UUID,
    retry: Retry,
    *,
    by: Principal,
    tools: Mapping[str, ToolSpec],
    evidence: EvidenceStore,
    undo_seconds: int,
    keeper: Keeper | None = None,
) -> Approval:
    """The question, to be signed with the founder's own key, whether a call with a lost answer is made once more. It
    stands in the place of the one whether it happened; nothing is sent before it is approved.

    Events `approval.superseded`, `approval.raised`, `tool.retry_asked`, `run.held`. Raises `ApprovalUnknown`,
    `ApprovalClosed`, `ApprovalStale`, `Forbidden` (founder only), `Invalid` (no lost outcome), `EditRefused`,
    `NotInForce`.
    """
    require(by, Rol.FOUNDER)
    before = await hold_open(tx, approval_id, retry.version)
    run, step = await _unknown(tx, before)
    known = await with_server_tools(tx, tools)
    if step.name not in known:
        raise EditRefused(
            f"the tool {step.name!r} is not here any more: say whether it happened", code="call.tool_gone"
        )
    arguments = arguments_of(step)
    judged = await judged_step(tx, run, step, known[step.name], arguments, evidence, keeper)
    hold = hold_of(judged.verdict, _AGAIN)
    asked = None if step.edited is None else asked_arguments(step)
    setting = await setting_of(tx, run, step, asked, known, undo_seconds=undo_seconds)
    key = f"{run.id}:{step.step}"
    card = again_card(judged, hold, setting, key)
    after = await raise_approval(tx, msgspec.structs.replace(card, replaces=before.id))
    if not await store.ask_again(tx, run.id, step.step, after.id):
        raise EditRefused("the outcome is known by now: look at the ticket again", code="call.known")
    data = {**replaced_data(step, judged, hold, before, after), "key": key}
    await append_about(tx, _asked(by, run, step, data), await recipient_of_ticket(tx, run.ticket_id))
    await wait_instead(tx, run, after, by)
    return after


async def _unknown(tx: Transaction, approval: Approval) -> tuple[Run, Step]:
    if approval.kind != "unknown_outcome" or approval.run_id is None:
        raise Invalid("only a call whose outcome is unknown can be made again", code="call.not_lost")
    run = await store.lock_run(tx, approval.run_id)
    steps = [step for step in await store.steps_of(tx, run.id) if step.step == approval.step]
    if not steps or steps[0].state != "unknown" or run.role_id is None:
        raise EditRefused("the outcome is known by now: look at the ticket again", code="call.known")
    if run.status != "held":
        said = "the run is closed: say whether it happened, and open a new ticket if it is to be done"
        raise EditRefused(said, code="call.run_closed")
    return run, steps[0]


def _asked(by: Principal, run: Run, step: Step, data: dict[str, object]) -> Event:
    what = "tool.retry_asked"
    return Event(type=what, actor=by.actor, ticket_id=run.ticket_id, run_id=run.id, step=step.step, data=data)
