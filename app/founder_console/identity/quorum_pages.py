"""How many must agree: the company's quorum, a line for each risk, asked for here and signed as a card."""

from typing import Annotated, Any

import msgspec
from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body
from litestar.response import Redirect

from app.auth import require
from app.canon.errors import Invalid
from app.canon.quorum import CompanyQuorum, QuorumLine
from app.canon.quorum_words import quorum_sentences
from app.canon.vocabulary import Rol, Tier
from app.founder_console.identity.mandate_forms import limit_of
from app.founder_console.visits import Caller, Visit, enter, go
from app.postgres import Transaction
from app.work_queue import company_quorum, deciders, propose_quorum

Page = Response[bytes]
Form = Annotated[dict[str, Any], Body(media_type=RequestEncodingType.URL_ENCODED)]
HERE = "/settings/quorum"
MOST = 9


class Typed(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the form as typed."""

    tier: Tier
    count: int = 1
    above: str = ""
    founders: bool = False


@get(HERE, include_in_schema=False)
async def quorum_form(request: Caller, tx: NamedDependency[Transaction]) -> Page:
    visit = await enter(request, tx)
    standing = {line.tier: line for line in (await company_quorum(tx)).lines}
    return await _form(visit, [_typed(visit, tier, standing.get(tier)) for tier in (Tier.R2, Tier.R1)])


def _typed(visit: Visit, tier: Tier, line: QuorumLine | None) -> Typed:
    if line is None:
        return Typed(tier=tier)
    above = "" if line.above is None else visit.formats.amount_text(line.above)
    return Typed(tier=tier, count=line.count, above=above, founders=line.founders)


async def _form(visit: Visit, lines: list[Typed], problem: str = "") -> Page:
    able = await deciders(visit.tx)
    most = max([2, able.r1, able.r2, *(line.count for line in lines)])
    return visit.page(
        "settings_quorum.html",
        status=422 if problem else 200,
        title=visit.words("quorum"),
        problem=problem,
        lines=lines,
        counts=range(1, min(MOST, most) + 1),
        able=visit.words("quorum.able", founders=able.founders, people=max(able.r1, able.r2)),
        says=quorum_sentences(await company_quorum(visit.tx), visit.words.language),
        currency=visit.company.currency,
        rules=visit.founder.rol is Rol.FOUNDER,
    )


@post(HERE, status_code=303, include_in_schema=False)
async def ask_quorum(request: Caller, tx: NamedDependency[Transaction], data: Form) -> Page | Redirect:
    """Ask for the founders' signature; what is in force stays so until then."""
    visit = await enter(request, tx)
    require(visit.by, Rol.FOUNDER)
    typed = [_given(data, tier) for tier in (Tier.R2, Tier.R1)]
    try:
        async with tx.savepoint():
            wanted = CompanyQuorum(tuple(_line(visit, one) for one in typed if one.count > 1))
            undo_seconds = request.app.state.settings.undo_seconds
            asked = await propose_quorum(tx, wanted, by=visit.by, undo_seconds=undo_seconds)
    except Invalid as refusal:
        return await _form(visit, typed, visit.refused(refusal))
    return go(f"/approvals/{asked.id}")


def _given(data: dict[str, Any], tier: Tier) -> Typed:
    count = str(data.get(f"{tier}_count") or "")
    return Typed(
        tier=tier,
        count=int(count) if count in {str(n) for n in range(1, MOST + 1)} else 1,
        above=str(data.get(f"{tier}_above") or "").strip(),
        founders=bool(data.get(f"{tier}_founders")),
    )


def _line(visit: Visit, typed: Typed) -> QuorumLine:
    above = limit_of(visit, typed.above)
    return QuorumLine(tier=typed.tier, count=typed.count, above=above, founders=typed.founders)


ROUTES = (quorum_form, ask_quorum)
