"""The same facts for a reader without pages: in both languages, in the company's time."""

from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from app.auth import require
from app.canon.vocabulary import Rol
from app.founder_console import store
from app.founder_console.cards.inbox import pending
from app.founder_console.counts import Figures
from app.founder_console.formats import Formats
from app.founder_console.model import Language
from app.founder_console.naming import Naming
from app.founder_console.screens.rendering import Frontend
from app.founder_console.visits import Caller
from app.founder_console.wording import LANGUAGES
from app.governance_ledger import latest_seq
from app.postgres import Transaction
from app.role_registry import company, list_roles
from app.work_queue import Approval

READERS = (Rol.FOUNDER, Rol.DEPUTY, Rol.OPERATOR, Rol.AUDITOR, Rol.SERVICE)


class Reading(msgspec.Struct, frozen=True):
    """What a reader without pages needs: names in both languages, and the company's day."""

    namings: dict[Language, Naming]
    waiting: tuple[Approval, ...]
    figures: Figures

    @property
    def formats(self) -> Formats:
        return self.namings["en"].formats


async def read_for(request: Caller, tx: Transaction) -> Reading:
    """Raises `Forbidden` unless the caller may read."""
    require(request.auth, *READERS)
    frontend: Frontend = request.app.state.frontend
    its_company, roles, now = await company(tx), await list_roles(tx), await store.now(tx)
    founders, zone = await store.fetch_founders(tx), ZoneInfo(its_company.time_zone)
    namings = {
        language: Naming(
            words=frontend.words[language],
            formats=Formats(language, zone, now),
            me=UUID(int=0),
            founders=founders,
            roles={role.id: role for role in roles},
            tools=request.app.state.tools,
        )
        for language in LANGUAGES
    }
    return Reading(namings, await pending(tx), Figures(tx, zone, await latest_seq(tx)))
