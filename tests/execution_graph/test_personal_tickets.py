"""A ticket opened as personal: the ledger holds no word of it in the clear, and erasing it leaves none anywhere."""

from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from app.adapters.evidence import FolderStore
from app.auth import ApprovalTokens, KeyRing, load_keys, public_jwk
from app.canon.contract import Boundary, EngineBinding, ProcedureStep, SumRule, ToolRule
from app.canon.tool import ToolCall, ToolResult
from app.canon.vocabulary import Rol
from app.execution_graph.executor import Executor
from app.execution_graph.runtime import Defaults, Runtime
from app.governance_ledger import Wanted, audit_evidence, ensure_subjects_key, export_to_file, keeper_of, verify_chain
from app.governance_ledger.sealing import Mover, publish_key, seal, sign_checkpoints
from app.postgres import Database
from app.verifier.keys import Trusted
from app.verifier.passes import Options
from app.verifier.report import Report
from app.verifier.verifying import verify_file
from tests.api import Api, api_of
from tests.builders import some_terms
from tests.execution_graph.ring import Endpoint, Outside, Shelf, builtin_tools
from tests.governance_ledger.ledgers import connected

NAME = "Dewi Lestari"
WORDS = (NAME, "Melati", "dewi.txt", "dewi-letter")
FIELDS = {"file": "dewi.txt", "document": "dewi-letter.txt", "to": NAME, "street": "Jl. Melati 4"}
PROCEDURE = (
    ProcedureStep("read_input", {"name": "{{ ticket.fields.file }}"}, save_as="letter"),
    ProcedureStep("write_note", {"text": "{{ letter.text }}"}),
    ProcedureStep(
        "write_document",
        {"name": "{{ ticket.fields.document }}", "media_type": "text/plain", "content": "Dear {{ letter.text }}"},
    ),
    ProcedureStep("open_ticket", {"title": "Call {{ letter.text }}", "instructions": "{{ ticket.fields.street }}"}),
    ProcedureStep("look", {"what": "{{ letter.text }}"}),
    ProcedureStep("ring_bell", {"what": "at {{ ticket.fields.to }}"}),
)
ASKED = ("ring_bell",)
LEDGER = ("governance_events", "changes", "evidence_objects", "evidence_spool", "subject_keys")
_TABLES = """
SELECT format('%I.%I', n.nspname, c.relname) AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""


@pytest.fixture
async def api(tmp_path: Path, database: Database) -> AsyncIterator[Api]:
    async with api_of(tmp_path, database) as opened:
        ensure_subjects_key(opened.settings.keys)
        yield opened


async def words_in(superuser: asyncpg.Connection, *folders: Path, tables: tuple[str, ...] | None = None) -> list[str]:
    """Where words of the ticket stand in the clear: tables (all, unless some of the ledger's are named) and files."""
    found = []
    for row in await superuser.fetch(_TABLES):
        if tables is None or row["name"].removeprefix("governance_ledger.") in tables:
            text = "\n".join(
                [one["row"] for one in await superuser.fetch(f"SELECT t::text AS row FROM {row['name']} t")]
            )
            found += [f"{row['name']}: {word}" for word in WORDS if word in text or word.encode().hex() in text]
    for path in (path for folder in folders for path in folder.rglob("*") if path.is_file()):
        found += [f"{path.name}: {word}" for word in WORDS if word.encode() in path.read_bytes()]
    return found


def answer(call: ToolCall) -> ToolResult:
    return ToolResult(f"{NAME} lives at Jl. Melati 4")


class Worker:
    """What a worker process would be, with the company's key folder or without."""

    def __init__(self, api: Api, keys: Path | None = None) -> None:
        tools = builtin_tools() | {"look": Outside("look", effect="read"), "ring_bell": Outside("ring_bell")}
        tools["look"].answer = answer  # type: ignore[attr-defined]
        reader = ApprovalTokens(KeyRing.load(api.settings.keys, "approval"))
        self.api, self.store = api, FolderStore(api.settings.home / "evidence")
        runtime = Runtime(
            api.database, self.store, tools, Endpoint(), Shelf(api.database.url), reader, Defaults(), 0,
            keeper=partial(keeper_of, keys or api.settings.keys),
        )  # fmt: skip
        api.app.state.tools = {name: tool.spec for name, tool in tools.items()}
        self.executor = Executor(runtime, owner=7)

    async def drive(self, run_id: str) -> Any:
        await self.executor.drive(self.api.tenant, UUID(run_id))
        return await self.api.get(f"/exec/{run_id}/status")


async def begun(api: Api) -> tuple[Any, Any]:
    """A ticket about a person, with a file, and its run before anybody drives it."""
    rules = tuple(ToolRule(step.tool, "ask" if step.tool in ASKED else "allow") for step in PROCEDURE)
    role = await api.post(
        "/roles",
        msgspec.to_builtins(some_terms(tools=rules, engine=EngineBinding("procedure", "plain", procedure=PROCEDURE))),
    )
    await api.sign(role["pending"]["approval_id"])
    ticket = await api.post(
        "/tickets",
        {
            "title": f"Answer {NAME}", "instructions": "She lives at Jl. Melati 4.", "fields": FIELDS,
            "role_id": role["id"], "start": False, "personal": True,
        },
    )  # fmt: skip
    attached = await api.ask(
        "POST",
        f"/tickets/{ticket['id']}/inputs?name=dewi.txt",
        content=NAME.encode(),
        headers={"content-type": "text/plain"},
    )
    assert attached.status_code == 201, attached.text
    return ticket, await api.post(f"/exec/start/{ticket['id']}")


async def worked(api: Api, worker: Worker) -> Any:
    """The ticket, worked through to its end: files, notes, documents, a child, a call and a refusal."""
    ticket, run = await begun(api)
    held = await worker.drive(run["id"])
    assert held["status"] == "held", (held["run"]["summary"], held["steps"][-1])
    question = held["steps"][-1]["approval_id"]
    await api.post(f"/approvals/{question}/reject", {"reason": f"not at {NAME}"})
    await api.ask("POST", f"/exec/{run['id']}/resume")
    ended = await worker.drive(run["id"])
    assert ended["status"] == "refused", ended
    return ticket


async def close_children(api: Api, ticket: Any) -> None:
    for child in (await api.get("/tickets", parent_id=ticket["id"]))["items"]:
        await api.patch(f"/tickets/{child['id']}", {"version": child["version"], "cancel": True})


async def signed(api: Api, sealer_dsn: str, store: FolderStore) -> None:
    async with connected(sealer_dsn) as sealer:
        key = load_keys(api.settings.keys, "seal")[0]
        await publish_key(sealer, key)
        await seal(sealer)
        await sign_checkpoints(sealer, key, every=timedelta(0))
        while await Mover(store).move(sealer):
            pass


async def exported(api: Api, store: FolderStore, path: Path) -> Report:
    """The whole ledger with its evidence as a file, verified offline."""
    key = load_keys(api.settings.keys, "seal")[0]
    jwks = [public_jwk(key.kid, key.public, "seal"), *api.app.state.approval_tokens.keys.jwks()]
    await export_to_file(api.database, api.tenant, Wanted(evidence=True), path, store=store, jwks=jwks)
    return verify_file(path, Options(Trusted({key.kid: key.raw_public}, {}), jobs=1))


async def verify(api: Api, store: FolderStore) -> None:
    key = load_keys(api.settings.keys, "seal")[0]
    async with api.database.transaction(api.tenant) as tx:
        report = await verify_chain(tx, full=True, keys={key.kid: key.raw_public}, store=store)
    assert report.ok, report.first_break


async def test_the_ledger_holds_no_word_and_erasing_leaves_none_anywhere(
    api: Api, sealer_dsn: str, superuser: asyncpg.Connection, tmp_path: Path
) -> None:
    worker = Worker(api)
    ticket = await worked(api, worker)
    assert ticket["subject"] == f"ticket:{ticket['id']}"
    await signed(api, sealer_dsn, worker.store)
    evidence = api.settings.home / "evidence"
    before = await exported(api, worker.store, tmp_path / "before.ndjson")
    assert before.first_break is None
    assert await words_in(superuser, evidence, tables=LEDGER) == []
    assert await words_in(superuser) != []
    assert NAME.encode() not in (tmp_path / "before.ndjson").read_bytes()

    early = await api.ask("POST", f"/tickets/{ticket['id']}/erase")
    assert (early.status_code, "end it or cancel it" in early.json()["detail"]) == (409, True)
    await close_children(api, ticket)
    assert (await api.ask("POST", f"/tickets/{ticket['id']}/erase", rol=Rol.DEPUTY)).status_code == 403
    erased = await api.post(f"/tickets/{ticket['id']}/erase")
    assert (erased["subject"], len(erased["ticket_ids"])) == (ticket["subject"], 2)
    assert await api.post(f"/tickets/{ticket['id']}/erase") == erased
    assert await words_in(superuser, evidence) == []

    await signed(api, sealer_dsn, worker.store)
    await verify(api, worker.store)
    after = await exported(api, worker.store, tmp_path / "after.ndjson")
    assert after.first_break is None
    assert after.evidence == before.evidence
    assert any("of them erased" in said for said in after.unchecked)
    verdicts = {one.key: one.verdict async for one in audit_evidence(api.database, api.tenant, worker.store)}
    assert list(verdicts.values()).count("erased") >= len(PROCEDURE)


async def test_who_may_read_reads_it_until_it_is_erased(api: Api, sealer_dsn: str) -> None:
    worker = Worker(api)
    ticket = await worked(api, worker)
    opened = (await api.get("/events", type="ticket.opened", order="asc"))["items"][0]
    assert opened["data"]["title"] == ""
    assert opened["data"]["personal"]["data"]["title"] == f"Answer {NAME}"
    (done,) = [
        event for event in (await api.get("/events", type="tool.done"))["items"] if event["data"]["tool"] == "look"
    ]
    address = (await api.get(f"/events/{done['event_id']}/evidence"))["url"].removeprefix("http://localhost:8400")
    assert NAME in (await api.client.get(address)).text
    await close_children(api, ticket)
    await api.post(f"/tickets/{ticket['id']}/erase")
    assert (await api.client.get(address)).status_code == 410
    opened = (await api.get("/events", type="ticket.opened", order="asc"))["items"][0]
    assert set(opened["data"]["personal"]) == {"subject", "erased_at"}
    seen = await api.get(f"/tickets/{ticket['id']}")
    assert (seen["title"], seen["fields"], seen["erased_at"] is None) == ("-", {}, False)
    (run,) = (await api.get(f"/tickets/{ticket['id']}/runs"))["items"]
    trace = await api.get(f"/exec/{run['id']}/status")
    assert [step["name"] for step in trace["steps"]] == [step.tool for step in PROCEDURE]


async def test_a_worker_without_the_key_reads_no_file_and_writes_all_the_same(api: Api, tmp_path: Path) -> None:
    keys = tmp_path / "elsewhere"
    keys.mkdir()
    worker = Worker(api, keys)
    _, run = await begun(api)
    status = await worker.drive(run["id"])
    assert [(step["name"], step["answer_status"]) for step in status["steps"]] == [("read_input", "failed")]
    assert "missing in FLR_HOME" in status["run"]["summary"]


async def test_sums_over_time_go_on_counting_the_calls_of_an_erased_ticket(
    api: Api, superuser: asyncpg.Connection
) -> None:
    earns = ProcedureStep(
        "record_revenue",
        {"amount_minor": 100, "currency": "IDR", "source": "5220304412", "description": "{{ ticket.fields.to }}"},
    )
    rule = ToolRule("record_revenue", "allow", sums=(SumRule("amount_minor", "month", 250),))
    role = await api.post(
        "/roles",
        msgspec.to_builtins(some_terms(tools=(rule,), engine=EngineBinding("procedure", "plain", procedure=(earns,)))),
    )
    await api.sign(role["pending"]["approval_id"])
    worker, ends, tickets = Worker(api), [], []
    for _ in range(3):
        new = {"title": NAME, "instructions": NAME, "fields": FIELDS, "role_id": role["id"], "start": False}
        tickets.append(await api.post("/tickets", new | {"personal": True}))
        run = await api.post(f"/exec/start/{tickets[-1]['id']}")
        ends.append((await worker.drive(run["id"]))["status"])
        if ends[-1] == "done":
            for _ in range(2):
                erased = await api.ask("POST", f"/tickets/{tickets[-1]['id']}/erase")
                assert erased.status_code == 200, erased.text
    assert ends == ["done", "done", "held"], "200 stand, 100 more is over 250"
    kept = await superuser.fetch("SELECT request, summed::text FROM execution_graph.run_steps ORDER BY planned_at")
    assert [(row["request"], row["summed"]) for row in kept[:2]] == [('{"arguments":{}}', '{"amount_minor": 100}')] * 2
    past = await api.post(f"/roles/{role['id']}/backtest", {"boundary": msgspec.to_builtins(Boundary(tools=(rule,)))})
    assert (past["calls"], past["erased_runs"], past["pruned_runs"]) == (1, 2, 0)
    assert past["before"] == past["after"] == {"hold:R1": 1}


async def test_a_ticket_that_is_not_personal_is_not_erased(api: Api) -> None:
    ticket = await api.post("/tickets", {"title": "Count", "instructions": "Count all.", "start": False})
    await api.patch(f"/tickets/{ticket['id']}", {"version": ticket["version"], "cancel": True})
    refused = await api.ask("POST", f"/tickets/{ticket['id']}/erase")
    assert (refused.status_code, "not opened as personal" in refused.json()["detail"]) == (409, True)


async def test_the_application_takes_no_texts_from_a_ticket_that_is_open_or_of_another_company(
    api: Api, application: asyncpg.Connection
) -> None:
    ticket = await api.post("/tickets", {"title": "A", "instructions": "B", "start": False, "personal": True})
    for tenant in (api.tenant, UUID(int=7)):
        async with application.transaction():
            await application.execute(f"SET LOCAL app.tenant = '{tenant}'")
            assert await application.fetch("SELECT work_queue.blank_tickets($1)", ticket["subject"]) == []
            blank = "SELECT execution_graph.blank_runs($1, '[]')"
            assert await application.fetch(blank, [UUID(ticket["id"])]) == []
    assert (await api.get(f"/tickets/{ticket['id']}"))["title"] == "A"
