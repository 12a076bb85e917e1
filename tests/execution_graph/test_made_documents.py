"""What a call brings along becomes documents of the ticket, with event and evidence, in one transaction."""

from app.canon.contract import ProcedureStep
from app.canon.tool import EvidenceItem, ToolCall, ToolResult
from app.work_queue import attach_input
from tests.execution_graph.ring import Ring, steps_of


def makes_two(_: ToolCall) -> ToolResult:
    files = (EvidenceItem("a.txt", "text/plain", b"first"), EvidenceItem("b.bin", "application/octet-stream", b"\0\1"))
    return ToolResult("made two", files=files)


async def test_files_of_a_call_are_documents_that_later_steps_read(ring: Ring) -> None:
    ring.outside("look").answer = makes_two
    role = await ring.hire(
        "look",
        "read_input",
        procedure=[
            ProcedureStep("look", {"what": "it"}),
            ProcedureStep("read_input", {"name": "a.txt"}, save_as="text"),
        ],
    )
    view = await ring.run(role)
    assert view.run.status == "done"
    assert steps_of(view) == [("look", "done"), ("read_input", "done")]
    assert await ring.count("documents") == 2
    (looked, _) = await ring.events(view.run, "tool.done")
    assert [subject.partition("/")[0] for subject in looked.subjects] == ["execution_graph.documents"] * 2
    assert [ref.name for ref in looked.evidence][1:] == ["a.txt", "b.bin"]


async def test_a_name_that_is_attached_already_is_not_taken(ring: Ring) -> None:
    ring.outside("look").answer = makes_two
    role = await ring.hire("look", procedure=[ProcedureStep("look", {"what": "it"})])
    ticket = await ring.open(role)
    async with ring.transaction() as tx:
        await attach_input(
            tx,
            ticket.id,
            name="a.txt",
            media_type="text/plain",
            content=b"mine",
            trusted=True,
            actor=ring.founder.actor,
        )
    view = await ring.drive(await ring.start(ticket))
    assert view.run.status == "done"
    assert await ring.count("documents") == 1


async def test_what_a_program_makes_of_a_secret_file_is_secret(ring: Ring) -> None:
    role = await ring.hire(
        "run_python",
        procedure=[
            ProcedureStep("run_python", {"code": "open('b.txt', 'w').write('x')", "files": []}),
            ProcedureStep("run_python", {"code": "open('a.txt', 'w').write('x')", "files": ["keys.txt"]}),
        ],
    )
    ticket = await ring.open(role)
    async with ring.transaction() as tx:
        await attach_input(
            tx,
            ticket.id,
            name="keys.txt",
            media_type="text/plain",
            content=b"hush",
            trusted=False,
            secret=True,
            actor=ring.founder.actor,
        )
    view = await ring.drive(await ring.start(ticket))
    if view.run.status != "done":
        assert "bubblewrap" in view.run.summary
        return
    async with ring.transaction() as tx:
        rows = await tx.connection.fetch("SELECT name, secret FROM execution_graph.documents ORDER BY name")
    assert [tuple(row) for row in rows] == [("a.txt", True), ("b.txt", False)]
