"""Calls that are not made: the worker is told why and what would pass, the ledger keeps it."""

from collections.abc import Sequence

from app.canon.gate import Fact, Refuse
from app.canon.tool import ToolAnswer
from app.execution_graph.case import Case, Told
from app.work_queue import Approval, withdraw


async def refuse(case: Case, refused: Refuse, *, approval: Approval | None = None) -> Told:
    """Settle the step as refused; event `tool.refused`. An approval that it had is withdrawn."""
    answer = ToolAnswer("refused", refused.reason)
    if approval is not None:
        await withdraw(case.tx, approval.id, refused.reason, actor=case.drive.actor)
    told = await case.settle(answer, {"verdict": f"refuse:{refused.law}"})
    await case.record(
        "refused",
        {"law": refused.law, "reason": refused.reason, "facts": facts_data(refused.facts)},
        keep=case.proof(answer),
    )
    return told


def facts_data(facts: Sequence[Fact]) -> list[dict[str, object]]:
    """Facts as an event holds them."""
    return [
        {
            "code": fact.code,
            "path": fact.path,
            "value": fact.value,
            "wanted": fact.wanted,
            "source_step": fact.source_step,
            "source_tool": fact.source_tool,
        }
        for fact in facts
    ]
