"""One tool step under consideration, in one transaction: what all that happens to it needs."""

from collections.abc import Mapping
from typing import TypeAlias
from uuid import UUID

import msgspec

from app.canon.contract import Contract
from app.canon.errors import Fault
from app.canon.evidence import EvidenceRef
from app.canon.gate import Proposal
from app.canon.tool import Arguments, EvidenceItem, Tool, ToolAnswer, ToolCall
from app.canon.vocabulary import Money
from app.execution_graph.cards import Setting, edits_sentence
from app.execution_graph.drive import Drive
from app.execution_graph.gates import Judged, Surroundings, judge
from app.execution_graph.journal import Asked, answered, asked_arguments, new_step
from app.execution_graph.model import RunStatus, Step, StepState
from app.execution_graph.runs import hold
from app.execution_graph.sources import goes_outward, reads_secrets
from app.governance_ledger import Event, keep_evidence, recipient_of
from app.postgres import Transaction
from app.work_queue import Approval, Ticket, append_of, unnamed


class Told(msgspec.Struct, frozen=True):
    """The step is settled: this is what the worker is told."""

    answer: ToolAnswer


class Waits(msgspec.Struct, frozen=True):
    """The run is held until the approval is decided."""

    approval_id: UUID


class Stops(msgspec.Struct, frozen=True):
    """The run may not go on now."""

    reason: str


class Permit(msgspec.Struct, frozen=True):
    """Why a call may be made: the contract alone (`rule`), an approval that was used up for it, or a use of a standing
    rule (`rule_id`), whose own approval is named then."""

    rule: str
    signature: str
    money: Money | None = None
    approval_id: UUID | None = None
    rule_id: UUID | None = None

    @property
    def subjects(self) -> tuple[str, ...]:
        if self.rule_id is not None:
            return (f"role_registry.standing_rules/{self.rule_id}",)
        return () if self.approval_id is None else (f"work_queue.approvals/{self.approval_id}",)

    @property
    def verdict(self) -> str:
        if self.rule_id is not None:
            return "allow:rule"
        return "allow:contract" if self.approval_id is None else "allow:approval"

    @property
    def columns(self) -> dict[str, object]:
        """As the step keeps it."""
        return {
            "verdict": self.verdict,
            "approval_id": self.approval_id,
            "money_minor": None if self.money is None else self.money.minor,
            "currency": None if self.money is None else self.money.currency,
        }

    @property
    def data(self) -> dict[str, object]:
        """As an event holds it. Money is what the call moves."""
        return {
            "rule": self.rule,
            "approval_id": None if self.approval_id is None else str(self.approval_id),
            "money": None if self.money is None else {"minor": str(self.money.minor), "currency": self.money.currency},
        }


class Acts(msgspec.Struct, frozen=True):
    """The intent is committed: the call may be made now, outside of any transaction."""

    call: ToolCall
    contract: Contract
    step: Step
    permit: Permit


Outcome: TypeAlias = Told | Waits | Stops | Acts


class ToolGone(Fault):
    """The tool of this step is not installed here."""


class Case(msgspec.Struct, frozen=True):
    """`status` is the run's, `step` what the journal holds of it, `tool` None when there is no such tool here."""

    tx: Transaction
    drive: Drive
    asked: Asked
    arguments: Arguments
    status: RunStatus
    step: Step | None
    tool: Tool | None
    contract: Contract
    ticket: Ticket

    @property
    def setting(self) -> Setting:
        drive = self.drive
        tools = {name: tool.spec for name, tool in drive.runtime.tools.items()}
        return Setting(
            drive.run.id,
            self.asked.step,
            self.ticket,
            drive.actor,
            drive.runtime.undo_seconds,
            tools,
            None if self.step is None or self.step.edited is None else asked_arguments(self.step),
        )

    @property
    def proposal(self) -> Proposal:
        """The call as the gate sees it, with the tool as it is now. Raises `ToolGone`."""
        if self.tool is None:
            raise ToolGone(f"there is no tool {self.asked.name!r} here")
        return Proposal(
            tenant=self.tx.tenant,
            role_id=self.contract.role_id,
            ticket_id=self.ticket.id,
            run_id=self.drive.run.id,
            step=self.asked.step,
            tool=self.tool.spec,
            arguments=self.arguments,
        )

    async def judged(self) -> Judged:
        """The gate's verdict now."""
        drive, tool = self.drive, self.proposal.tool
        around = Surroundings(
            ticket=self.ticket,
            zone=drive.zone,
            files=await drive.files_in(self.tx, anew=tool.effect != "local"),
            texts=drive.texts,
            steps=drive.journal.whole,
            store=drive.runtime.store,
            keeper=drive.runtime.keeper(),
            narrowed_to=drive.run.tools,
            reader=drive.runtime.reader,
            inherited=await drive.inherited_in(self.tx) if goes_outward(tool) else (),
        )
        return await judge(self.tx, self.proposal, self.contract, around)

    def entry(self, state: StepState, **changes: object) -> Step:
        """The step as it is to be recorded next."""
        effect = "read" if self.tool is None else self.tool.spec.effect
        step = self.step or new_step(self.asked, state, effect=effect)
        secret = step.secret or self._reads_secrets()
        return msgspec.structs.replace(step, state=state, secret=secret, **changes)

    def _reads_secrets(self) -> bool:
        return self.tool is not None and reads_secrets(self.tool.spec, self.arguments, self.drive.files or ())

    async def settle(
        self, answer: ToolAnswer, columns: Mapping[str, object], *, state: StepState | None = None
    ) -> Told:
        """Record the final answer, and what else the step keeps. Of a call that the founder changed, the worker is told
        so first."""
        if self.step is not None and self.step.edited is not None and answer.status in ("done", "failed"):
            changed = edits_sentence(asked_arguments(self.step), self.arguments)
            answer = msgspec.structs.replace(answer, content=f"{changed}\n{answer.content}")
        step, told = answered(self.entry("failed", **columns), answer, state)
        await self.drive.journal.write(self.tx, step)
        return Told(told)

    async def record(
        self,
        what: str,
        data: Mapping[str, object],
        *,
        subjects: tuple[str, ...] = (),
        signature: str | None = None,
        keep: EvidenceItem | None = None,
        evidence: tuple[EvidenceRef, ...] = (),
    ) -> None:
        """Append `tool.<what>`, with `keep` as its first evidence. The standing signature is the founder's over the
        contract in force."""
        said = {
            "tool": self.asked.name,
            "schema_hash": None if self.tool is None else self.tool.spec.schema_hash,
            "effect": None if self.tool is None else self.tool.spec.effect,
            "risk": None if self.tool is None else str(self.tool.spec.risk),
            "request_digest": self.asked.digest,
            "act_digest": None if self.tool is None else self.proposal.act_digest,
            "role_id": str(self.contract.role_id),
            "role_version": self.contract.version,
            "policy": self.contract.digest,
            **data,
        }
        await append_of(
            self.tx,
            self.ticket,
            Event(
                type=f"tool.{what}",
                actor=self.drive.actor,
                subjects=subjects,
                ticket_id=self.ticket.id,
                run_id=self.drive.run.id,
                step=self.asked.step,
                data=said,
                approval=self.contract.signature if signature is None else signature,
                evidence=evidence,
            ),
            keep=keep,
        )

    def proof(self, answer: ToolAnswer | None) -> EvidenceItem:
        """Request and answer as evidence."""
        document = {
            "tool": self.asked.name,
            "schema_hash": None if self.tool is None else self.tool.spec.schema_hash,
            "run_id": str(self.drive.run.id),
            "step": self.asked.step,
            "arguments": self.arguments,
            "answer": answer,
        }
        if self.step is not None and self.step.edited is not None:
            document["asked"] = asked_arguments(self.step)
        content = msgspec.json.encode(document, enc_hook=str)
        return EvidenceItem(f"step-{self.asked.step}-{self.asked.name}.json", "application/json", content)

    async def keep(self, items: tuple[EvidenceItem, ...]) -> tuple[EvidenceRef, ...]:
        """What a tool brought along."""
        whose = await recipient_of(self.tx, self.ticket.subject) if items else None
        if whose is not None:
            items = tuple(msgspec.structs.replace(item, name=unnamed(item.name)) for item in items)
        return tuple(
            [
                await keep_evidence(self.tx, item.content, media_type=item.media_type, name=item.name, subject=whose)
                for item in items
            ]
        )

    async def wait_for(self, approval: Approval, state: StepState, **changes: object) -> Waits:
        """Park step and run until `approval` is decided."""
        await self.drive.journal.write(self.tx, self.entry(state, approval_id=approval.id, **changes))
        await self.hold_run(approval)
        return Waits(approval.id)

    async def hold_run(self, approval: Approval) -> None:
        self.drive.run = await hold(self.tx, self.drive.run, approval, actor=self.drive.actor)
