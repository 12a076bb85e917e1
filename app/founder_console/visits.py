"""One founder at one page: who it is, in which words, over which transaction."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from litestar import Request, Response
from litestar.datastructures import State
from litestar.response import Redirect

from app.auth import require
from app.canon.digits import whole_number
from app.canon.mandate import Mandate
from app.canon.vocabulary import Principal, Rol
from app.founder_console import store
from app.founder_console.cards.inbox import Card, cards_of, pending
from app.founder_console.counts import Figures
from app.founder_console.errors import FounderUnknown
from app.founder_console.formats import Formats
from app.founder_console.model import Founder
from app.founder_console.naming import Naming
from app.founder_console.refusals import refusal
from app.founder_console.screens.rendering import HEADERS, Chrome, Frontend, html
from app.founder_console.wording import Words
from app.governance_ledger import latest_seq
from app.postgres import Transaction
from app.role_registry import Company, Role, company, list_roles
from app.work_queue import Approval, mandate_of

Caller: TypeAlias = Request[Principal, Principal, State]


class Visit:
    """What every page needs, read once."""

    def __init__(
        self,
        request: Caller,
        tx: Transaction,
        founder: Founder,
        founders: tuple[Founder, ...],
        its_company: Company,
        roles: tuple[Role, ...],
        waiting: tuple[Approval, ...],
        now: datetime,
        seen: int,
        mandate: Mandate | None = None,
    ) -> None:
        self.request = request
        self.tx = tx
        self.founder = founder
        self.company = its_company
        self.roles = roles
        self.waiting = waiting
        self.seen = seen
        self.frontend: Frontend = request.app.state.frontend
        self.words: Words = self.frontend.words[founder.language]
        self.formats = Formats(founder.language, ZoneInfo(its_company.time_zone), now)
        self.naming = Naming(
            words=self.words,
            formats=self.formats,
            me=founder.id,
            founders=founders,
            roles={role.id: role for role in roles},
            tools=request.app.state.tools,
            mandate=mandate,
        )
        self.cards: tuple[Card, ...] = cards_of(waiting, self.naming)
        self.figures = Figures(tx, self.formats.zone, seen)

    @property
    def by(self) -> Principal:
        return self.request.auth

    @property
    def wants_fragment(self) -> bool:
        """Whether our own script asks, and takes a piece instead of a page."""
        return self.request.headers.get("x-fragment") == "1"

    def chrome(self, tab: str = "") -> Chrome:
        return Chrome(
            language=self.founder.language,
            company=self.company.name,
            tenant=str(self.by.tid),
            founder_name=self.founder.name,
            is_founder=self.founder.rol is Rol.FOUNDER,
            theme=self.founder.theme,
            tab=tab,
            pending=len(self.cards),
            all_paused=self.company.all_paused,
            scripted=self.request.app.state.scripted,
            zone_name=self.formats.zone_name,
            zone=self.formats.zone.key,
            now=self.formats.now,
            seen=self.seen,
        )

    def page(self, template: str, *, tab: str = "", status: int = 200, **values: Any) -> Response[bytes]:
        live = self.request.method == "GET"
        text = self.frontend.render(template, self.chrome(tab), self.formats, live=live, **values)
        return html(self.request, text, status=status)

    def refused(self, error: Exception) -> str:
        """Why not, in the visitor's language; where an error has no code, in its own words."""
        return refusal(error, self.words, self.formats)

    def notice(self, heading: str, text: str, *, href: str, status: int) -> Response[bytes]:
        """A card's place taken by what became of it; without script, a page of its own."""
        values = {"heading": heading, "text": text, "href": href, "label": self.words("review")}
        template = "fragments/notice.html" if self.wants_fragment else "problem.html"
        return self.page(template, status=status, title=heading, detail="", plainly=False, **values)


async def enter(request: Caller, tx: Transaction) -> Visit:
    """The visit of the founder or deputy who asks. Raises `Forbidden`, `FounderUnknown`, `CompanyUnknown`."""
    require(request.auth, Rol.FOUNDER, Rol.DEPUTY)
    founders = await store.fetch_founders(tx)
    founder = next((one for one in founders if str(one.id) == request.auth.sub), None)
    if founder is None:
        raise FounderUnknown(f"there is no founder {request.auth.sub} here")
    request.state.language = founder.language
    its_company, seen = await company(tx), await latest_seq(tx)
    roles = await list_roles(tx)
    waiting = await pending(tx)
    granted = await mandate_of(tx, founder.id) if founder.rol is Rol.DEPUTY else None
    now, mandate = await store.now(tx), None if granted is None else granted.terms
    return Visit(request, tx, founder, founders, its_company, roles, waiting, now, seen, mandate)


def seen_version(data: Mapping[str, Any], name: str = "version") -> int | None:
    """The version that the form was made from; None where it does not say."""
    return whole_number(str(data.get(name) or ""))


def go(path: str) -> Redirect:
    """See that page instead; only ever a path of ours."""
    return Redirect(path, status_code=303, headers={"cache-control": HEADERS["cache-control"]})
