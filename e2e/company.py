"""A small company for the journeys, arranged through the rooms' front doors on the machine's own keys."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import msgspec

from app.adapters.tools import load_tools
from app.auth import ApprovalTokens, KeyRing
from app.canon.acts import act_sentence, labels_of
from app.canon.approval import VerifiedProof
from app.canon.canonical_json import digest
from app.canon.contract import (
    ArgumentRule,
    Boundary,
    BudgetLimit,
    EngineBinding,
    KnownParty,
    ProcedureStep,
    SumRule,
    Terms,
    ToolRule,
)
from app.canon.facts import Fact
from app.canon.mandate import DELEGABLE, Mandate
from app.canon.reasons import reason_sentence
from app.canon.tool import ToolSpec
from app.canon.vocabulary import Money, Principal, Rol, Tier, new_id
from app.cli.founding import Founded, enrolment_link, found_company
from app.database_urls import app_url
from app.founder_console import create_founder
from app.founder_console.identity.sessions import hashed, start_session
from app.founder_console.model import Founder, Language, Preferences
from app.founder_console.store import fetch_founders, revoke_session, update_preferences
from app.founder_console.wording import LANGUAGES
from app.governance_ledger import Event, append
from app.messages import ApprovalDecided
from app.postgres import Database, Transaction
from app.role_registry import Role, amend, get_role, hire, on_approval_decided
from app.settings import Settings
from app.work_queue import (
    Approval,
    NewApproval,
    NewTicket,
    Ticket,
    attach_input,
    decide,
    get_approval,
    move_ticket,
    open_ticket,
    propose_mandate,
    raise_approval,
)

T = TypeVar("T")
UNDO_SECONDS = 6
TOOLS = load_tools(smtp_url=None, mail_from="", allow_private=())
PAYEE = "PT Sumber Kopi Gayo"


class Company:
    """One founded company; every method is one transaction, run beside the browser's own loop."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._thread = ThreadPoolExecutor(1)
        self.founded: Founded = self._run(
            lambda: found_company(settings, name="Kopi Senja", founder="Dewi", language="id")
        )
        self.tokens = ApprovalTokens(KeyRing.load(settings.keys, "approval"))
        self.founder: Principal = self.founded.principal

    def _run(self, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        return self._thread.submit(lambda: asyncio.run(work())).result()

    def tell(self, work: Callable[[Transaction], Coroutine[Any, Any, T]]) -> T:
        """`work` in a transaction of the company."""

        async def inside() -> T:
            database = Database(app_url(self.settings), max_size=2)
            async with database, database.transaction(self.founded.tenant) as tx:
                return await work(tx)

        return self._run(inside)

    def speak(self, language: Language) -> None:
        """The founder's language from now on."""

        async def change(tx: Transaction) -> None:
            founder = (await fetch_founders(tx))[0]
            wanted = Preferences(language, founder.theme, founder.hide_amounts, founder.email)
            await update_preferences(tx, founder.id, wanted)

        self.tell(change)

    @contextmanager
    def speaking(self, language: Language) -> Iterator[None]:
        """The founder's language for a while; Indonesian again after it."""
        self.speak(language)
        try:
            yield
        finally:
            self.speak("id")

    def link(self) -> str:
        return self.tell(lambda tx: enrolment_link(tx, self.settings, self.founded))

    def session(self) -> str:
        """The cookie of one more browser of the founder's."""
        return self.tell(lambda tx: start_session(tx, UUID(self.founder.sub), label="journey"))

    def revoke(self, cookie: str) -> None:
        token_sha256 = hashed(cookie.partition(".")[2])
        self.tell(lambda tx: revoke_session(tx, token_sha256))

    def worker(self, name: str, title: str) -> Role:
        """A worker, hired and signed."""
        return self.hire(terms(name, title))

    def hire(self, wanted: Terms) -> Role:
        """A worker under this contract, hired and signed."""
        return self.tell(lambda tx: self._hire(tx, wanted))

    def propose(self, role: Role, **changes: Any) -> Approval:
        """The card that asks for a signature under a changed contract."""
        assert role.terms is not None
        wanted = msgspec.structs.replace(role.terms, **changes)

        async def work(tx: Transaction) -> Approval:
            asked = await amend(
                tx, role.id, seen_version=role.version, terms=wanted, by=self.founder, undo_seconds=UNDO_SECONDS
            )
            assert asked.pending is not None
            return await get_approval(tx, asked.pending.approval_id)

        return self.tell(work)

    async def _hire(self, tx: Transaction, wanted: Terms) -> Role:
        role = await hire(tx, wanted, by=self.founder, undo_seconds=0)
        assert role.pending is not None
        approval = await get_approval(tx, role.pending.approval_id)
        await decide(tx, approval.id, "approve", by=self.founder, signer=self.tokens, proof=signed(approval))
        message = ApprovalDecided(tx.tenant, approval.id, None, None)
        await on_approval_decided(tx, message, reader=self.tokens)
        return await get_role(tx, role.id)

    def deputy(self, name: str) -> Founder:
        """Somebody with a signed mandate, for a week."""

        async def work(tx: Transaction) -> Founder:
            person = await create_founder(tx, name=name, language="id", rol=Rol.DEPUTY)
            mandate = Mandate(
                person=str(person.id),
                name=name,
                tiers=(Tier.R1,),
                kinds=DELEGABLE,
                ends_at=datetime.now(UTC) + timedelta(days=7),
                cap=Money(500_000),
            )
            text = {"id": f"Izinkan {name} memutuskan sebagai deputi?", "en": f"Let {name} decide as a deputy?"}
            asked = await propose_mandate(tx, mandate, text=text, by=self.founder, undo_seconds=0)
            await decide(tx, asked.id, "approve", by=self.founder, signer=self.tokens, proof=signed(asked))
            message = ApprovalDecided(tx.tenant, asked.id, None, None)
            await on_approval_decided(tx, message, reader=self.tokens)
            return person

        return self.tell(work)

    def assign(self, title: str, role: Role) -> Ticket:
        """A ticket that a worker takes up as soon as there is one."""
        new = NewTicket(title, f"{title}.", role_id=role.id)
        return self.tell(lambda tx: open_ticket(tx, new, actor=self.founder.actor, founder_wrote=True))

    def ticket(self, title: str, role: Role, *, to: Any = None, result: str | None = None) -> Ticket:
        """A ticket that nobody starts by itself, moved to where the test wants it."""

        async def work(tx: Transaction) -> Ticket:
            due = datetime.now(UTC) + timedelta(hours=5)
            new = NewTicket(title, f"{title}. Berkas terlampir.", role_id=role.id, due_at=due, start=False)
            opened = await open_ticket(tx, new, actor=self.founder.actor, founder_wrote=True)
            await attach_input(
                tx,
                opened.id,
                name="mutasi.csv",
                media_type="text/csv",
                content=b"tanggal,jumlah\n2026-11-01,240000\n",
                trusted=False,
                actor=self.founder.actor,
            )
            if to is not None:
                opened = await move_ticket(tx, opened.id, "working", actor=f"worker:{role.id}")
                opened = await move_ticket(tx, opened.id, to, actor=f"worker:{role.id}", result=result)
            return opened

        return self.tell(work)

    def ask(
        self,
        role: Role,
        *,
        tier: Tier = Tier.R1,
        tool: str = "send_email",
        money: Money | None = None,
        to: str = "ratna@contoh.id",
        minutes: float = 90,
        ticket: Ticket | None = None,
        undo_seconds: int = UNDO_SECONDS,
        in_a_run: bool = False,
    ) -> Approval:
        """A tool call that waits for the founder."""
        expires_at = datetime.now(UTC) + timedelta(minutes=minutes)
        payload = call(role, tier, tool, money, to, expires_at, ticket)
        new = NewApproval(
            kind="tool_call",
            tier=tier,
            act_digest=digest([tool, to, str(new_id())]),
            payload=payload,
            expires_at=expires_at,
            undo_seconds=undo_seconds,
            actor=f"worker:{role.id}",
            ticket_id=ticket.id if ticket else None,
            run_id=new_id() if in_a_run else None,
            step=1 if in_a_run else None,
            role_id=role.id,
            role_version=role.version,
            tool=tool,
            money=money,
        )
        return self.tell(lambda tx: raise_approval(tx, new))

    def approval(self, approval_id: UUID) -> Approval:
        return self.tell(lambda tx: get_approval(tx, approval_id))

    def decide(self, approval: Approval, decision: Any) -> Approval:
        """Decided elsewhere, with the command line's key."""
        proof = signed(approval) if decision == "approve" else None
        return self.tell(lambda tx: decide(tx, approval.id, decision, by=self.founder, signer=self.tokens, proof=proof))

    def earn(self, amount: Money, source: str) -> None:
        data: dict[str, object] = {
            "amount_minor": str(amount.minor),
            "currency": amount.currency,
            "source": source,
            "description": "Penjualan pekan ini",
            "role_id": None,
            "ticket_id": None,
        }
        self.tell(lambda tx: append(tx, Event(type="revenue.recorded", actor=self.founder.actor, data=data)))


def signed(approval: Approval) -> VerifiedProof:
    """What a verifier gives for the device key over exactly this approval."""
    statement = {
        "typ": "flr.decision.v1",
        "approval": str(approval.id),
        "decision": "approve",
        "version": approval.version,
        "payload_digest": approval.payload_digest,
        "nonce": str(new_id()),
        "iat": int(datetime.now(UTC).timestamp()),
    }
    return VerifiedProof("device_key", {"statement": statement, "kid": "journey"})


def terms(name: str, title: str) -> Terms:
    """A contract with something of everything in it."""
    tools = (
        ToolRule("read_input", "allow"),
        ToolRule("query_table", "allow"),
        ToolRule("send_email", "allow", arguments=(ArgumentRule("to", (KnownParty(),)),)),
        ToolRule("order_payment", "ask", sums=(SumRule("amount_minor", "month", 25_000_000),), tier=Tier.R2),
    )
    budget = (
        BudgetLimit("usd_micros", "day", 2_000_000),
        BudgetLimit("money", "month", 25_000_000, "IDR"),
        BudgetLimit("calls", "ticket", 40),
    )
    job = "Mengurus pembayaran dan laporan. Bertanya sebelum uang keluar."
    return Terms(name, title, job, Boundary(tools=tools), budget, engine=EngineBinding(worker="procedure"))


def analyst(name: str) -> Terms:
    """A contract whose worker looks at the files, then asks before it writes a note."""
    steps = (ProcedureStep("list_inputs"), ProcedureStep("write_note", {"text": "Dua hal"}))
    return msgspec.structs.replace(
        terms(name, "Analis"),
        boundary=Boundary(tools=(ToolRule("list_inputs", "allow"), ToolRule("write_note", "ask"))),
        engine=EngineBinding(worker="procedure", procedure=steps),
    )


def call(
    role: Role, tier: Tier, tool: str, money: Money | None, to: str, expires_at: datetime, ticket: Ticket | None
) -> dict[str, object]:
    """The payload of a held call, in the sentences that the runtime writes."""
    arguments = _payment(money) if tool == "order_payment" else _letter(to)
    value = to if "to" in arguments else PAYEE
    fact = Fact("known_party", path=next(iter(arguments)), value=value, source_step=2, source_tool="read_input")
    return {
        "kind": "tool_call",
        "role": {"id": str(role.id), "name": role.name, "version": role.version},
        "ticket": {"id": str(ticket.id), "title": ticket.title} if ticket else None,
        "tool": {"name": tool, "schema_hash": digest(tool)},
        "arguments": arguments,
        "money": msgspec.to_builtins(money) if money else None,
        "left_after": {"minor": 18_150_000, "currency": "IDR"} if money else None,
        "tier": str(tier),
        "reason": "known_party",
        "facts": [msgspec.to_builtins(fact)],
        "policy": digest("policy"),
        "expires_at": expires_at.isoformat(),
        "text": {language: _said(TOOLS[tool].spec, arguments, money, fact, language) for language in LANGUAGES},
        "terms": None,
        "cost_ceiling": None,
        "change": None,
    }


def _letter(to: str) -> dict[str, object]:
    return {"to": [to], "subject": "Pengembalian dana", "body": "Dana Anda kami kembalikan hari ini."}


def _payment(money: Money | None) -> dict[str, object]:
    amount = money or Money(240_000)
    return {
        "payee": PAYEE,
        "account": "5220304412",
        "amount_minor": amount.minor,
        "currency": amount.currency,
        "reference": "INV-2026-118",
    }


def _said(tool: ToolSpec, arguments: dict[str, object], money: Money | None, fact: Fact, language: Language) -> str:
    specs = {name: one.spec for name, one in TOOLS.items()}
    reason = reason_sentence(fact, tool.name, language, labels_of(specs, language))
    return f"{act_sentence(tool, arguments, money, language)} {reason}"
