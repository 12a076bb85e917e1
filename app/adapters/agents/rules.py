"""A router without a model: the role whose words the ticket uses."""

from uuid import UUID

from app.adapters.word_overlap import overlap
from app.canon.agent import Candidate, RouteContext


class RulesRouter:
    """Deterministic: most words in common wins, name and title count more; nobody or a tie is left to the founder."""

    name = "rules"

    async def pick(self, ctx: RouteContext) -> UUID | None:
        ticket = f"{ctx.title}\n{ctx.instructions}"
        scored = sorted(((_score(ticket, candidate), candidate.role_id) for candidate in ctx.candidates), reverse=True)
        if not scored or scored[0][0] == 0:
            return None
        if len(scored) > 1 and scored[0][0] == scored[1][0]:
            return None
        return scored[0][1]


def _score(ticket: str, candidate: Candidate) -> int:
    return 3 * overlap(ticket, f"{candidate.name} {candidate.title}") + overlap(ticket, candidate.job_description)
