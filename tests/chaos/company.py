"""The scripted founder: hires, opens mixed tickets, decides what is asked, looks before saying that something happened.

Speaks to the API as anybody would, with one Idempotency-Key for each write, again and again until it is answered.
"""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import httpx
import msgspec

from app.canon.contract import Boundary, BudgetLimit, EngineBinding, ProcedureStep, Terms, ToolRule
from app.cli.device import sign_statement
from app.cli.founding import Founded, found_company
from app.database_urls import app_url
from app.postgres import Database
from app.role_registry import hire
from tests.chaos.fleet import Fleet
from tests.chaos.worker import chaos_tools
from tests.journeys.receiver import Receiver

RETRY_SECONDS = 0.1
ACTIVE_TRIES = 600


class Kind(msgspec.Struct, frozen=True):
    """A kind of ticket, and what exactly one of it leaves behind. `file` is attached to it before it starts."""

    name: str
    rules: tuple[ToolRule, ...]
    procedure: tuple[ProcedureStep, ...]
    notes: int = 0
    documents: int = 0
    children: int = 0
    file: str = ""


def _note(text: str, **more: Any) -> ProcedureStep:
    return ProcedureStep("write_note", {"text": text}, **more)


def kinds(receiver: str) -> tuple[Kind, ...]:
    note, asked = ToolRule("write_note", "allow"), ToolRule("write_note", "ask")
    report: dict[str, object] = {"name": "report.md", "media_type": "text/markdown", "content": "# {{ ticket.title }}"}
    once: dict[str, object] = {"method": "POST", "url": f"http://{receiver}/once", "body": "{{ ticket.title }}"}
    child: dict[str, object] = {
        "title": "Child of {{ ticket.title }}",
        "instructions": "Write it down.",
        "role": "Local",
    }
    return (
        Kind(
            "Local",
            (note, ToolRule("write_document", "allow")),
            (_note("one"), ProcedureStep("write_document", report), _note("two")),
            notes=2,
            documents=1,
        ),
        Kind(
            "Again",
            (note, ToolRule("post_again", "allow"), ToolRule("http_get", "allow")),
            (
                _note("one"),
                ProcedureStep("http_get", {"url": f"http://{receiver}/look"}),
                ProcedureStep("post_again", {"what": "{{ ticket.title }}"}),
                _note("two"),
            ),
            notes=2,
        ),
        Kind(
            "Once",
            (note, ToolRule("http_request", "allow")),
            (_note("one"), ProcedureStep("http_request", once, otherwise="go_on"), _note("two")),
            notes=2,
        ),
        Kind("Held", (asked,), (_note("one"), _note("two")), notes=2),
        Kind(
            "Parent",
            (note, ToolRule("open_ticket", "allow")),
            (_note("one"), ProcedureStep("open_ticket", child), _note("two")),
            notes=2,
            children=1,
        ),
    )


def filed_kinds() -> tuple[Kind, ...]:
    """With a file that the gate and the worker read: at once, or after the founder was asked."""
    note, asked, read = ToolRule("write_note", "allow"), ToolRule("write_note", "ask"), ToolRule("read_input", "allow")
    reads = ProcedureStep("read_input", {"name": "list.txt"})
    return (
        Kind("Filed", (note, read), (reads, _note("read")), notes=1, file="ana@kopi.example"),
        Kind("Late", (asked, read), (_note("may I?"), reads), notes=1, file="budi@kopi.example"),
    )


def _terms(kind: Kind) -> Terms:
    return Terms(
        kind.name,
        kind.name,
        f"Works through tickets of the kind {kind.name}.",
        Boundary(tools=kind.rules, egress_hosts=("127.0.0.1",)),
        (BudgetLimit("calls", "month", 1_000_000),),
        engine=EngineBinding(worker="procedure", backbone="plain", procedure=kind.procedure),
    )


class Company:
    """`opened` are the tickets that the API has answered for; `decided` counts answers by kind and decision."""

    def __init__(self, fleet: Fleet, receiver: Receiver, address: str, more: Sequence[Kind] = ()) -> None:
        self.fleet = fleet
        self.kinds = (*kinds(address), *more)
        self.opened: dict[str, Kind] = {}
        self.decided: dict[str, int] = {}
        self.founded: Founded
        self._receiver = receiver
        self._address = address
        self._roles: dict[str, str] = {}
        self._http = httpx.AsyncClient(timeout=10)

    async def found(self) -> None:
        settings = self.fleet.settings
        self.founded = await found_company(settings, name="Chaos", founder="Founder", language="en")
        self._http.headers["Authorization"] = f"Bearer {self.founded.token(settings)}"

    async def hire(self) -> None:
        """One role for each kind, checked against the tools that the workers really have."""
        specs = {name: tool.spec for name, tool in chaos_tools(self.fleet.settings, self._address).items()}
        async with Database(app_url(self.fleet.settings), max_size=2) as database:
            for kind in self.kinds:
                async with database.transaction(self.founded.tenant) as tx:
                    role = await hire(tx, _terms(kind), by=self.founded.principal, undo_seconds=0, tools=specs)
                assert role.pending is not None
                await self._approve(str(role.pending.approval_id))
                self._roles[kind.name] = str(role.id)
        for role_id in self._roles.values():
            await self._until_active(role_id)

    async def _until_active(self, role_id: str) -> None:
        for _ in range(ACTIVE_TRIES):
            if (await self._get(f"/roles/{role_id}"))["status"] == "active":
                return
            await asyncio.sleep(RETRY_SECONDS)
        raise RuntimeError(f"role {role_id} is not active; {self.fleet.said()}")

    async def open(self, kind: Kind) -> None:
        number = len(self.opened) + 1
        body = {"title": f"{kind.name} {number}", "instructions": "Do it.", "role_id": self._roles[kind.name]}
        ticket = await self._post("/tickets", {**body, "start": not kind.file})
        self.opened[ticket["id"]] = kind
        if kind.file:
            await self._attach(ticket["id"], f"{kind.file} {number}")
            await self._post(f"/exec/start/{ticket['id']}", {})

    async def _attach(self, ticket_id: str, content: str) -> None:
        """A file that the founder vouches for, which the gate therefore looks into."""
        headers = {"Idempotency-Key": str(uuid4()), "Content-Type": "text/plain"}
        params = {"name": "list.txt", "trusted": "true"}
        path = f"/tickets/{ticket_id}/inputs"
        await self._insist("POST", path, content=content.encode(), params=params, headers=headers)

    async def answer(self) -> None:
        """Decide all that waits now."""
        page = await self._get("/approvals", status="pending", limit=200)
        for approval in page["items"]:
            if approval["kind"] == "unknown_outcome" and not self._happened(approval):
                await self._decided(approval, "reject", {"reason": "It did not arrive."})
            else:
                await self._decided(approval, "approve", {"proof": await self._proof(approval["id"])})

    def _happened(self, approval: Any) -> bool:
        """The founder looks at the other end."""
        arrived = self._receiver.keys()
        return f"{approval['run_id']}:{approval['step']}" in arrived

    async def _decided(self, approval: Any, decision: str, body: dict[str, object]) -> None:
        if await self._post(f"/approvals/{approval['id']}/{decision}", body) is None:
            return
        said = f"{approval['kind']} {decision}"
        self.decided[said] = self.decided.get(said, 0) + 1

    async def _approve(self, approval_id: str) -> None:
        await self._post(f"/approvals/{approval_id}/approve", {"proof": await self._proof(approval_id)})

    async def _proof(self, approval_id: str) -> dict[str, object] | None:
        asked = await self._post(f"/approvals/{approval_id}/statement", {"decision": "approve"})
        return None if asked is None else sign_statement(self.fleet.settings.keys, asked["statement"])

    async def until_asked(self, count: int) -> None:
        """Until so many questions wait for an answer."""
        for _ in range(ACTIVE_TRIES):
            if len((await self._get("/approvals", status="pending", limit=200))["items"]) >= count:
                return
            await asyncio.sleep(RETRY_SECONDS)
        raise RuntimeError(f"{count} questions are not asked; {self.fleet.said()}")

    async def open_now(self) -> set[str]:
        """Tickets of the company, children included, that are not closed."""
        found = set()
        for status in ("open", "held", "working"):
            found |= {ticket["id"] for ticket in (await self._get("/tickets", status=status, limit=200))["items"]}
        return found

    async def still_open(self) -> int:
        return len(await self.open_now())

    async def sealed(self) -> bool:
        """Every event stands in the chain."""
        report = await self._get("/events/chain-verify")
        return bool(report["unsealed"]["count"] == 0)

    async def _get(self, path: str, **params: Any) -> Any:
        return await self._insist("GET", path, params=params)

    async def _post(self, path: str, body: object) -> Any:
        """None when the state has moved on meanwhile (409)."""
        return await self._insist("POST", path, json=body, headers={"Idempotency-Key": str(uuid4())})

    async def _insist(self, method: str, path: str, **more: Any) -> Any:
        while True:
            try:
                answer = await self._http.request(method, f"{self.fleet.url}/api/v1{path}", **more)
            except httpx.TransportError:
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if answer.status_code == httpx.codes.CONFLICT:
                return None
            if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
                return answer.json()
            await asyncio.sleep(RETRY_SECONDS)

    async def close(self) -> None:
        await self._http.aclose()
