"""What a tool brings cannot be kept: the act is recorded as done all the same, and is made once."""

from typing import Any

import pytest

from app.canon.contract import ProcedureStep
from app.canon.tool import EvidenceItem, ToolResult
from tests.execution_graph.ring import Outside, Ring, steps_of

TOO_LARGE = 65 << 20
NESTED: list[object] = []
for _ in range(100_000):
    NESTED = [NESTED]


def brings(**evidence: Any) -> ToolResult:
    item = {"name": "receipt", "media_type": "text/plain", "content": b"ok"} | evidence
    return ToolResult("shipped", evidence=(EvidenceItem(**item),))


@pytest.mark.parametrize(
    "result",
    [
        brings(content=b"x" * TOO_LARGE),
        brings(name="receipt\0"),
        brings(name="\ud800"),
        brings(name="n" * 100_000),
        brings(media_type="text/\0plain"),
        brings(media_type="\ud800/plain"),
        brings(media_type="m" * 2_000_000),
        brings(media_type="text/html\r\nX-A: b"),
        ToolResult("x" * TOO_LARGE),
        ToolResult("shipped \0 \ud800"),
        ToolResult("shipped", {"a": "\ud800"}),
        ToolResult("shipped", {"a": "\0"}),
        ToolResult("shipped", {"a": 10**400}),
        ToolResult("shipped", NESTED),
        ToolResult("shipped", {b"a": {1, 2}}),
        ToolResult("shipped", evidence=tuple(EvidenceItem(f"n{n}", "text/plain", b"%d" % n) for n in range(3000))),
    ],
    ids=lambda result: "",
)
async def test_an_act_whose_answer_cannot_be_kept_is_done(result: ToolResult, ring: Ring) -> None:
    ring.tools["ship"] = Outside("ship")
    tool = ring.tools["ship"]
    assert isinstance(tool, Outside)
    tool.answer = lambda _: result
    procedure = [ProcedureStep("ship", {"what": "rice"}), ProcedureStep("write_note", {"text": "Shipped."})]
    view = await ring.run(await ring.hire("ship", "write_note", procedure=procedure))
    assert steps_of(view) == [("ship", "done"), ("write_note", "done")]
    assert len(tool.keys) == 1
    assert len(await ring.events(view.run, "tool.done")) == 2
